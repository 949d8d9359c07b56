"""Writes a leaderboard as Markdown, by the template `leaderboard.md.j2`."""

from collections.abc import Iterator

from tonegap.report.answer_text import answer
from tonegap.report.claims_text import claim_lines, claims_about, claims_header, label_part
from tonegap.report.exports.protocol import File
from tonegap.report.pages.templates import render_template
from tonegap.report.phrases import marks_used, metric_label, ranking_rule, report_title, table_title
from tonegap.report.power_text import reach_note
from tonegap.report.quality_text import SUMMARY_ABOUT, SUMMARY_HEADER, set_lines
from tonegap.report.table_notes import border_note, event_note, images_note
from tonegap.report.text_table import table_grid
from tonegap.results.board import Leaderboard
from tonegap.results.model import LeaderboardTable
from tonegap.scores.tables import metric_named
from tonegap.store.source import ResultSource

_TEMPLATE = "leaderboard.md.j2"


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """`leaderboard.md`."""
    yield "leaderboard.md", [render_markdown(board).encode()]


def render_markdown(board: Leaderboard) -> str:
    """The whole report; the same board gives the same text. Raises BadSuiteFolder for a wrong template."""
    values = {
        "board": board,
        "title": report_title(board),
        "tables": [_table(board, table) for table in board.tables],
        "marks": marks_used(board),
        "metrics": [metric_named(name) for name in board.settings.metrics],
        "sets_header": ("Set", "Seed", *SUMMARY_HEADER, ""),
        "sets_about": SUMMARY_ABOUT,
    }
    return render_template(board.settings, _TEMPLATE, values)


def _table(board: Leaderboard, table: LeaderboardTable) -> dict[str, object]:
    claims, width = board.claims_of(table), len(SUMMARY_HEADER)
    chance = [f"{metric_label(m)} {v:.1%}".replace("%", " %") for m, v in table.chance.items()]
    return {
        "title": table_title(table),
        "images_note": images_note(table),
        "answer": answer(board, table),
        "grid": table_grid(board, table) if table.question else None,
        "rule": ranking_rule(table),
        "event": event_note(table),
        "border": border_note(table),
        "chance": ", ".join(chance),
        "labels": label_part(claims),
        "shows": reach_note(table),
        "claims": claims
        and (
            claims_about(claims),
            ("Entry", *claims_header(claims)),
            [(line.label, *line.cells) for line in claim_lines(claims)],
        ),
        "sets": [
            (
                line.made.label,
                str(line.made.seed),
                *(line.cells or [""] * width),
                line.why,
            )
            for line in set_lines(board.sheets, table.task)
        ],
    }
