"""A compared paper as text for a terminal, Markdown, CSV and JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from tonegap.declared.paper import UNKNOWN, PaperFile, PaperTable
from tonegap.results.papers.verdict import CellVerdict, PaperCell, Reproduced
from tonegap.spreadsheet import safe_csv

_COLUMNS = (
    "table", "row", "column", "unit", "reported", "reproduced", "low", "high", "verdict", "why", "kind",
)  # fmt: skip

_ANSWERABLE: tuple[CellVerdict, ...] = ("agrees", "differs", "not run")


def as_markdown(paper: PaperFile, cells: Sequence[PaperCell]) -> str:
    """Every table with reported and reproduced numbers and the verdicts, then what must be known."""
    parts = [f"# {paper.title}", paper.cite, paper.about.strip(), tally(cells)]
    for table in paper.tables:
        own = [cell for cell in cells if cell.table == table.id]
        parts += [f"## Table {table.id}: {table.title}", f"Source: {table.source}."]
        parts += ["\n".join(_lines(table, own)), *_reasons(own)]
        parts += [f"- {note}" for note in table.notes]
    if paper.notes:
        parts += ["## What a reproduction must say", "\n".join(f"- {n}" for n in paper.notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_csv(cells: Sequence[PaperCell]) -> str:
    """One line per cell; values in the table's unit, unrounded."""
    rows = []
    for c in cells:
        r = c.reproduced
        values = ("" if v is None else f"{v:.6g}" for v in (r.value, r.low, r.high))
        rows.append(
            (c.table, c.row, c.column, c.unit, c.reported, *values, c.verdict, c.why, c.kind)
        )
    return safe_csv(_COLUMNS, rows)


def as_json(paper: PaperFile, cells: Sequence[PaperCell]) -> str:
    """The cells with their numbers, and the paper's title and notes."""
    document = {
        "schema": "tonegap/paper@1",
        "title": paper.title,
        "cite": paper.cite,
        "notes": list(paper.notes),
        "summary": tally(cells),
        "cells": [asdict(cell) for cell in cells],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def tally(cells: Sequence[PaperCell]) -> str:
    """How many reported numbers a run reproduced, of those that one can answer, then how many have which verdict."""
    counts = Counter(cell.verdict for cell in cells if cell.verdict)
    of_runs = [cell.verdict for cell in cells if cell.verdict and cell.kind == "scores"]
    n = sum(verdict in _ANSWERABLE for verdict in of_runs)
    parts = []
    if of_runs:
        done = f"{of_runs.count('agrees')} of {n} reproduced by a run"
        parts.append(done if n else "none that a run here can answer")
    shown = [(verdict, n) for verdict, n in counts.most_common() if verdict != "agrees"]
    for verdict, n in shown:  # `differ` of several cells; verdicts without a verb stay as they are
        first, _, rest = verdict.partition(" ")
        verb = first.removesuffix("s") if n > 1 and first in {"agrees", "differs"} else first
        parts.append(f"{n} {verb} {rest}".rstrip())
    return f"{sum(counts.values())} reported numbers: {', '.join(parts)}."


def _lines(table: PaperTable, cells: Sequence[PaperCell]) -> list[str]:
    by_place = {(cell.row, cell.column): cell for cell in cells}
    names = [column.name for column in table.columns]
    lines = [_line(["", *names]), _line(["---"] * (1 + len(names)))]
    lines += [
        _line([row.name, *(cell_text(by_place[row.name, name]) for name in names)])
        for row in table.rows
    ]
    return lines


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(texts) + " |"


def cell_text(cell: PaperCell) -> str:
    """A cell as people read it: `20.2 / 19.8 (18.1 to 21.4): agrees`."""
    if not cell.reported:
        return ""
    if cell.reproduced.value is None:
        return f"{cell.reported}: {cell.verdict}"
    return f"{cell.reported} / {_value(cell.reproduced, _digits(cell))}: {cell.verdict}"


def reproduced_text(cell: PaperCell) -> str:
    """What was reproduced, with its interval: `19.8 (18.1 to 21.4)`; empty where nothing was."""
    if not cell.reported or cell.reproduced.value is None:
        return ""
    return _value(cell.reproduced, _digits(cell))


def _digits(cell: PaperCell) -> int:
    """As many decimals as the paper reports; else one for percent, three for a fraction."""
    number = cell.reported.partition("±")[0]
    if cell.reported == UNKNOWN:
        return 1 if cell.unit == "percent" else 3
    return len(number.partition(".")[2])


def _value(r: Reproduced, digits: int) -> str:
    if r.low is None or r.high is None:
        return f"{r.value:.{digits}f}"
    return f"{r.value:.{digits}f} ({r.low:.{digits}f} to {r.high:.{digits}f})"


def _reasons(cells: Sequence[PaperCell]) -> list[str]:
    """Why cells have no answer, each reason once with the rows that it holds for."""
    rows: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.why:
            rows.setdefault((cell.verdict, cell.why), []).append(cell.row)
    return [
        f"*{verdict}* ({'; '.join(dict.fromkeys(names))}): {why}."
        for (verdict, why), names in rows.items()
    ]
