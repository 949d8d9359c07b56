"""A whole paper, cell by cell: what it reported, what was reproduced, and the verdict on each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tonegap.data.metadata import Metadata
from tonegap.declared.paper import PaperFile, PaperRow, PaperTable, paper_keys, read_paper
from tonegap.results.papers.audit import audit_paper
from tonegap.results.papers.audit_reading import Finding
from tonegap.results.papers.runs import Run, answered, matches, runs_for
from tonegap.results.papers.tables import counted, rescored, unit_of
from tonegap.results.papers.verdict import PaperCell, Reproduced, judge
from tonegap.store.read import merge_suites
from tonegap.store.source import ResultSource

Entered = Mapping[tuple[str, str, str], str]


@dataclass(frozen=True, slots=True)
class ComparedPaper:
    """A paper, each of its reported numbers beside what was reproduced, and what an audit finds of them."""

    key: str
    paper: PaperFile
    cells: tuple[PaperCell, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Sources:
    """What a paper is held against: metadata by data set, runs, and reported numbers that a user entered.

    `entered` maps (table, row, column) to a reported number, for numbers that the suite does not know.
    """

    metadata: Mapping[str, Metadata] = field(default_factory=dict)
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    entered: Entered = field(default_factory=dict)


def compared_papers(source: ResultSource) -> tuple[ComparedPaper, ...]:
    """Every paper of the suite root beside the reported runs.

    Raises BadSuiteFolder for a paper with a wrong file, StoreError for damaged predictions or truth.
    """
    outcomes = merge_suites(source.suites)
    found = []
    for key in paper_keys(source.root):
        paper = read_paper(source.root, key)
        cells = paper_cells(paper, Sources(runs=runs_for(paper, outcomes, source.store)))
        found.append(ComparedPaper(key, paper, cells, audit_paper(paper)))
    return tuple(found)


def paper_cells(paper: PaperFile, sources: Sources) -> tuple[PaperCell, ...]:
    """Every cell of every table that the paper filled, in its order."""
    return tuple(cell for table in paper.tables for cell in _table_cells(table, sources))


def _table_cells(table: PaperTable, sources: Sources) -> Iterator[PaperCell]:
    for row, found in zip(table.rows, _reproduced(table, sources), strict=True):
        for column, text, value in zip(table.columns, row.printed, found, strict=True):
            reported = sources.entered.get((table.id, row.name, column.name), text)
            verdict, why = judge(reported, value, table.kind)
            unit = unit_of(column, table)
            yield PaperCell(
                table.id, row.name, column.name, unit, reported, value, verdict, why, table.kind
            )


def _reproduced(table: PaperTable, sources: Sources) -> Iterator[list[Reproduced]]:
    if table.kind == "counts":
        yield from counted(table, sources.metadata.get(table.data_set))
    elif table.kind == "stored":
        yield from (rescored(table, row) for row in table.rows)
    else:
        yield from (answered(table, row, runs_of(row, sources)) for row in table.rows)


def runs_of(row: PaperRow, sources: Sources) -> list[Run]:
    """The runs of a row's task and entry at the row's selection rule, by seed."""
    found = [run for run in sources.runs.get(row.selection, ()) if matches(row, run.outcome)]
    return sorted(found, key=lambda run: run.outcome.id.seed)
