"""Writes a page for each paper: its tables, with what this report's runs reproduce beside every reported number."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tonegap.declared.paper import PaperTable
from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.report.audit_text import audit_tally, finding_text
from tonegap.report.exports.protocol import File
from tonegap.report.pages.templates import render_template
from tonegap.report.paper_text import reproduced_text, tally
from tonegap.report.references import bibtex, linked
from tonegap.report.text_table import Footnotes
from tonegap.results.board import Leaderboard
from tonegap.results.papers.audit_reading import AuditVerdict, Finding
from tonegap.results.papers.compare import ComparedPaper
from tonegap.store.source import ResultSource

FOLDER = "papers"
_TEMPLATE = "paper.html.j2"
VERDICTS = {
    "agrees": "reproduced by a run: the reported value, as far as it was rounded or with twice its standard deviation, "
    "meets the reproduced one with its interval",
    "differs": "a run had the paper's setting, and the two do not meet",
    "not comparable": "what was run, or can be, answers another question; the reason stands below the table",
    "not run": "no run in this store answers it yet",
    "recomputed from the authors' counts": "counts that the authors released, scored here again, give the reported "
    "value; no run stands behind it, so it is not a reproduction",
    "differs from the authors' counts": "counts that the authors released, scored here again, give another value",
    "agrees with the metadata": "counted in the data set's metadata",
    "differs from the metadata": "the data set's metadata has another count",
    "not counted": "nobody said where the data set's metadata is",
    "reported value unknown": "no source that could be read has the number",
}
# What a mark in a cell says of an audit's verdict, and whether it warns; other verdicts stand below the table.
MARKS: dict[AuditVerdict, tuple[str, bool]] = {
    "impossible under named assumptions": ("impossible", True),
    "improbable under named assumptions": ("improbable", True),
    "within what equal tones print": ("as equal tones", False),
    "beyond what equal tones print": ("beyond equal tones", False),
    "luck not excluded": ("luck not excluded", False),
    "luck unlikely": ("luck unlikely", False),
}


@dataclass(frozen=True, slots=True)
class AuditMark:
    """An audit's verdict on a cell or a row as a mark of a word or two, and the sentence that it stands for."""

    words: str
    is_warning: bool
    note: str


_ABOUT = {
    "scores": "In each cell: reported, then reproduced with its 95 % interval, then the verdict.",
    "stored": "In each cell: reported, then recomputed from the authors' counts (no run of ours), then the verdict.",
    "counts": "In each cell: reported, then counted in the data set's metadata, then the verdict.",
}


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """A page for each paper of the board. Raises BadSuiteFolder if a template is missing or wrong."""
    for compared in board.papers:
        yield f"{FOLDER}/{compared.key}.html", [_page(compared, board.settings).encode()]


def _page(compared: ComparedPaper, settings: LeaderboardSettings) -> str:
    used = {cell.verdict for cell in compared.cells}
    values = {
        "report": settings.title,
        "compared": compared,
        "cite": list(linked(compared.paper.cite)),
        "bibtex": "".join(bibtex([compared.paper.cite])),
        "parts": [_part(table, compared) for table in compared.paper.tables],
        "audit": audit_tally(compared.findings),
        "verdicts": {name: meaning for name, meaning in VERDICTS.items() if name in used},
        "reproduced": reproduced_text,
        "style": _style,
    }
    return render_template(settings, _TEMPLATE, values)


def _part(table: PaperTable, compared: ComparedPaper) -> dict[str, object]:
    """What the template reads of a table; `notes` numbers our reasons for verdicts as the page comes to them."""
    own = [cell for cell in compared.cells if cell.table == table.id]
    found = [f for f in compared.findings if f.table == table.id]
    rows = {row.name for row in table.rows}
    marks: dict[tuple[str, str], list[AuditMark]] = {}
    for f in found:
        if f.row in rows and f.verdict in MARKS:
            words, is_warning = MARKS[f.verdict]
            about = f.test.removeprefix("null of ")
            column = next((c.name for c in table.columns if c.metric == about.lower()), f.column)
            words = words if column or about == f.test else f"{about} {words}"
            note = f"{f.verdict} ({f.test}): {f.why}. Assumed: {f.assumed}"
            marks.setdefault((f.row, column), []).append(AuditMark(words, is_warning, note))
    of_table = [f for f in found if f.row not in rows or f.verdict not in MARKS]
    return {
        "id": f"table-{table.id}",
        "table": table,
        "about": _ABOUT[table.kind],
        "tally": tally(own),
        "cells": {(cell.row, cell.column): cell for cell in own},
        "notes": Footnotes(),
        "audit": audit_tally(found),
        "marks": marks,
        "audit_notes": Footnotes(),
        "findings": [(assumed, list(texts)) for assumed, texts in _by_assumption(of_table)],
    }


def _by_assumption(findings: Sequence[Finding]) -> Iterator[tuple[str, Iterator[str]]]:
    """Each assumption with the sentences of the findings that rest on it."""
    for assumed in dict.fromkeys(f.assumed for f in findings):
        yield assumed, (finding_text(f).replace("**", "") for f in findings if f.assumed == assumed)


def _style(verdict: str) -> str:
    """The classes of a cell with that verdict."""
    name = "-".join(re.findall("[a-z]+", verdict))
    return f"{name} differs" if verdict.startswith("differs ") else name
