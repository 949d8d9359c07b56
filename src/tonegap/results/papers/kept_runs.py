"""The runs of a store that a paper's rows ask for, with the answers they kept."""

from collections.abc import Sequence
from pathlib import Path

from tonegap.declared.paper import PaperFile
from tonegap.formats.matrix import Cell
from tonegap.results.answers import kept_answers
from tonegap.results.papers.runs import Run, matches


def runs_for(paper: PaperFile, cells: Sequence[Cell], store: Path) -> dict[str, list[Run]]:
    """The cells that a row of the paper asks for, by selection rule.

    Raises StoreError for damaged predictions or truth.
    """
    rows = [row for table in paper.tables if table.kind == "scores" for row in table.rows]
    found: dict[str, list[Run]] = {}
    for rule in sorted({row.selection for row in rows}):
        own = [cell for cell in cells if any(matches(r, cell) for r in rows if r.selection == rule)]
        answers = kept_answers(store, rule)
        found[rule] = [Run(cell, answers(cell.record) if cell.record else None) for cell in own]
    return found
