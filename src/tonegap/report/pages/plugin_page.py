"""What a method or baseline is, by its own file, and what it did in this report: a card for each.

The mistake it exists to prevent: a name in a table that stands for settings nobody can look up.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tonegap.declared.paper import PaperFile, PaperRow, PaperTable
from tonegap.declared.plugin import FOLDERS, PluginFile
from tonegap.formats.job import Parameter
from tonegap.formats.record import EntryId, Record, StageCost
from tonegap.report.pages.links import ENTRIES, entry_pages
from tonegap.report.pages.paper_page import FOLDER as PAPERS
from tonegap.report.phrases import UNDEFINED, metric_label, percent, rank_mean, table_title
from tonegap.results.board import Leaderboard
from tonegap.results.model import LeaderboardTable, Row

_NEEDS = {
    "gpu": "a GPU",
    "masks": "lesion masks",
    "tone_in_training": "the tones of training images",
    "tone_at_test": "the tones of test images",
}
_PUBLISHED = "published"
_DIGEST = re.compile(r"(#sha256=[0-9a-f]{12})[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """A parameter: its default, what it is, where the default is from, other values that ran here."""

    name: str
    default: str
    choices: str
    about: str
    source: str
    used: str


@dataclass(frozen=True, slots=True)
class CostLine:
    """A stage: how often it ran, seconds on average, most memory in MiB."""

    stage: str
    runs: str
    seconds: str
    memory: str


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry that uses it: its table, rank or why it has none, the score that ranks, its page."""

    label: str
    task: str
    rank: str
    score: str
    href: str


@dataclass(frozen=True, slots=True)
class ReportedLine:
    """A row of a paper's table that names it, and the reported numbers with their columns."""

    paper: str
    table: str
    row: str
    reported: tuple[tuple[str, str], ...]
    href: str


@dataclass(frozen=True, slots=True)
class PluginCard:
    """A card as the template reads it; `missing` says why nothing is known of the plug-in itself."""

    kind: str
    id: str
    title: str
    about: str
    missing: str
    facts: tuple[tuple[str, str], ...]
    parameters: tuple[ParameterLine, ...]
    as_published: tuple[ParameterLine, ...]
    costs: tuple[CostLine, ...]
    entries: tuple[EntryLine, ...]
    n_more: int
    reported: tuple[ReportedLine, ...]


@dataclass(frozen=True, slots=True)
class PluginFacts:
    """What the suite root declares of a plug-in: its file, or why there is none; the papers of the report by key."""

    file: PluginFile | None
    missing: str
    papers: Mapping[str, PaperFile]


def method_card(board: Leaderboard, kind: str, plugin_id: str, known: PluginFacts) -> PluginCard:
    """The card of a plug-in that entries of this report use; `kind` is "method" or "baseline"."""
    rows = [
        (table, row)
        for table in board.tables
        for row in table.all_rows
        if plugin_of(row.entry, kind) == plugin_id
    ]
    records = [record for _, row in rows for record in row.records]
    parameters = tuple(_parameters(known.file, kind, records)) if known.file else ()
    entries = tuple(_entries(board, rows))
    return PluginCard(
        kind=kind,
        id=plugin_id,
        title=known.file.title if known.file else plugin_id,
        about=known.file.about if known.file else "",
        missing=known.missing,
        facts=tuple(_facts(known.file, kind, plugin_id)),
        parameters=tuple(p for p in parameters if not _as_published(p)),
        as_published=tuple(p for p in parameters if _as_published(p)),
        costs=tuple(_costs(records, f"{FOLDERS[kind]}/{plugin_id}")),
        entries=entries,
        n_more=len(rows) - len(entries),
        reported=tuple(_reported(known.papers, kind, plugin_id)),
    )


def cards_of(board: Leaderboard) -> tuple[tuple[str, str], ...]:
    """Kind and id of every method and baseline of a report, methods first, by name."""
    found = {
        (kind, plugin_of(row.entry, kind))
        for table in board.tables
        for row in table.all_rows
        for kind in ("method", "baseline")
    }
    return tuple(sorted(found, key=lambda pair: (pair[0] != "method", pair[1])))


def plugin_of(entry: EntryId, kind: str) -> str:
    """The id of an entry's method or baseline."""
    return entry.method if kind == "method" else entry.baseline


def _facts(file: PluginFile | None, kind: str, plugin_id: str) -> Iterable[tuple[str, str]]:
    yield "Folder", f"{FOLDERS[kind]}/{plugin_id}"
    if file is None:
        return
    yield "Paper", file.paper or "none"
    yield "Needs", ", ".join(_NEEDS.get(need, need) for need in file.needs) or "nothing special"
    yield "Stages", ", ".join(file.stages) or "none: nothing has to run for it"
    if file.control:
        yield "Control", "the others are read against it; never ranked"
    if file.command:
        yield "Command", " ".join(file.command)
    if file.resumable:
        yield "Resumable", "from its last checkpoint when it was stopped"


def _parameters(file: PluginFile, kind: str, records: Sequence[Record]) -> Iterable[ParameterLine]:
    used: dict[str, dict[str, None]] = {}
    for record in records:
        values = record.method_parameters if kind == "method" else record.baseline_parameters
        for name, value in values.items():
            used.setdefault(name, {})[_spelled(value)] = None
    for name, spec in file.parameters.items():
        default = _spelled(spec.default)
        others = [value for value in used.get(name, {}) if value != default]
        yield ParameterLine(
            name=name,
            default=default,
            choices=", ".join(_spelled(choice) for choice in spec.choices),
            about=spec.about,
            source=spec.source,
            used="; ".join(others),
        )


def _as_published(line: ParameterLine) -> bool:
    """Whether a parameter is there to do what published code does, in its own words."""
    return _PUBLISHED in f"{line.name} {line.about} {line.source}"


def _spelled(value: Parameter) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _DIGEST.sub(r"\1…", text)


def _costs(records: Sequence[Record], label: str) -> Iterable[CostLine]:
    """Each stage of the plug-in; one that several entries share counts once."""
    found: dict[str, dict[str, StageCost]] = {}
    for record in records:
        costs = {cost.stage: cost for cost in record.circumstances.costs}
        for stage in record.stages:
            if stage.plugin == label and stage.stage in costs:
                found.setdefault(stage.stage, {})[stage.key] = costs[stage.stage]
    for stage_name, by_key in found.items():
        seconds = [cost.seconds for cost in by_key.values()]
        peaks = [c.peak_memory_mib for c in by_key.values() if c.peak_memory_mib is not None]
        memory = f"{max(peaks):,.0f}" if peaks else UNDEFINED
        mean = f"{sum(seconds) / len(seconds):,.0f}"
        yield CostLine(stage_name, f"{len(seconds):,}", mean, memory)


def _entries(
    board: Leaderboard, rows: Sequence[tuple[LeaderboardTable, Row]]
) -> Iterable[EntryLine]:
    tables = {id(table): table for table, _ in rows}
    pages = {key: entry_pages(board, table) for key, table in tables.items()}
    for table, row in rows:
        name = pages[id(table)].get(row.entry)
        if name is None and row.records:
            continue  # counted, and in the table
        view = row.views.get(table.ranked)
        score = percent(rank_mean(row, table, board).value) if view else UNDEFINED
        rank = (
            str(row.rank) if row.rank else "control" if row.control else row.unranked or UNDEFINED
        )
        yield EntryLine(
            label=row.entry.label,
            task=table_title(table),
            rank=rank,
            score=f"{score} ({metric_label(table.ranked[2])})",
            href=f"../{ENTRIES}/{name}.html" if name else "",
        )


def _reported(papers: Mapping[str, PaperFile], kind: str, plugin_id: str) -> Iterable[ReportedLine]:
    """Rows of papers that an entry of this plug-in answers; a baseline's only without a method."""
    for key, paper in papers.items():
        for table in paper.tables:
            for row in table.rows:
                if _answers(row, kind, plugin_id):
                    yield ReportedLine(
                        paper=paper.title,
                        table=table.title,
                        row=row.name,
                        reported=tuple(_cells(table, row)),
                        href=f"../{PAPERS}/{key}.html",
                    )


def _answers(row: PaperRow, kind: str, plugin_id: str) -> bool:
    default = PaperRow("", ())
    if not row.baseline:
        return False
    if kind == "method":
        return row.method == plugin_id and row.method != default.method
    return row.baseline == plugin_id and row.method == default.method


def _cells(table: PaperTable, row: PaperRow) -> Iterable[tuple[str, str]]:
    for column, cell in zip(table.columns, row.printed, strict=False):
        if cell:
            yield column.name, "not known" if cell == "?" else cell
