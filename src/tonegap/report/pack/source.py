"""An answer of the pack, what answers are taken from, and how one is asked for each task or data set."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tonegap.declared.dataset import Dataset, read_dataset
from tonegap.declared.task import Task, read_task
from tonegap.formats.record import Record
from tonegap.report.pages.entry_suite import Reproduction, given_paths, reproduction
from tonegap.report.pages.links import entry_pages
from tonegap.report.phrases import table_name
from tonegap.results.board import Leaderboard
from tonegap.results.entry_answers import stage_setting
from tonegap.results.model import LeaderboardTable
from tonegap.store.source import ResultSource

REPORT = "report"

Find = Callable[["PackSource"], Iterable["Answer"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A sentence or more, and the file of the pack where what it says can be looked up.

    `missing`: what the results do not say, so that the author must.
    """

    text: str
    link: str
    missing: bool = False


@dataclass(frozen=True)
class PackSource:
    """What answers are taken from: a report's board with its pages, the source of its results, the bundle's name."""

    board: Leaderboard
    source: ResultSource
    bundle: str

    @cached_property
    def tables(self) -> list[LeaderboardTable]:
        """The tables that have a result."""
        return [table for table in self.board.tables if table.question is not None]

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The declared tasks by id."""
        return {table.task: read_task(self.source.root, table.task) for table in self.tables}

    @cached_property
    def datasets(self) -> list[Dataset]:
        """The data sets of the tasks, each once."""
        names = dict.fromkeys(task.dataset_id for task in self.tasks.values())
        return [read_dataset(self.source.root, name) for name in names]

    @cached_property
    def records(self) -> list[Record]:
        """All records."""
        return [record for table in self.tables for record in table.records]

    def section(self, table: LeaderboardTable) -> str:
        """The section of the report's first page that has a table."""
        return report_page(f"index.html#t{self.board.tables.index(table) + 1}")

    @property
    def first_run(self) -> str:
        """Where the page of the first entry that has one says what it ran on; the bundle if none has one."""
        pages = (page for table in self.tables for _, page in self.entries(table))
        return next((f"{page}#provenance" for page in pages), self.bundle)

    @property
    def suite(self) -> str:
        """The suite's name."""
        return self.source.suites[0].matrix.suite

    @cached_property
    def again(self) -> dict[str, Reproduction]:
        """How to make each entry that has a page again, by its label and task; commands start from the pack."""
        given, found = given_paths(self.source.root), {}
        for table in self.tables:
            pages = entry_pages(self.board, table)
            for row in table.all_rows:
                if row.entry in pages and row.records:
                    file = f"{REPORT}/entries/{pages[row.entry]}.toml"
                    setting = stage_setting(row.records[0], self.source.mark)
                    name = f"{table_name(table)}: {row.entry.label}"
                    found[name] = reproduction(row, file, setting, given)
        return found

    def entries(self, table: LeaderboardTable) -> list[tuple[str, str]]:
        """(label, page) of the entries of a table that have a page."""
        pages = entry_pages(self.board, table)
        return [
            (row.entry.label, f"{REPORT}/entries/{pages[row.entry]}.html")
            for row in table.all_rows
            if row.entry in pages
        ]


def report_page(path: str = "index.html") -> str:
    """A page of the report in the pack, as a link from the pack's folder."""
    return f"{REPORT}/{path}"


def croissant(task_id: str) -> str:
    """The link to a task's description in Croissant."""
    return report_page(f"croissant/{task_id.replace('/', '-')}.json")


def by_task(say: Callable[[PackSource, LeaderboardTable], str | None]) -> Find:
    """An answer of one sentence or more for each task, with the task named."""

    def find(results: PackSource) -> Iterator[Answer]:
        for table in results.tables:
            said = say(results, table)
            if said:
                yield Answer(f"{table_name(table)}: {said}", results.section(table))

    return find


def by_dataset(say: Callable[[Dataset], str]) -> Find:
    """An answer for each data set, with the data set named; missing where `say` gives an empty text."""

    def find(results: PackSource) -> Iterator[Answer]:
        for dataset in results.datasets:
            task = next(t for t in results.tasks.values() if t.dataset_id == dataset.id)
            text = say(dataset)
            said = f"{dataset.file.title}: {text or 'not declared'}"
            yield Answer(said, croissant(task.id), missing=not text)

    return find


def once(say: Callable[[PackSource], str], link: Callable[[PackSource], str] | None = None) -> Find:
    """One answer for the whole suite, none where `say` gives an empty text; `link` is the bundle unless given."""

    def find(results: PackSource) -> Iterator[Answer]:
        if text := say(results):
            yield Answer(text, link(results) if link else results.bundle)

    return find
