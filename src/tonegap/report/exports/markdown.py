"""A leaderboard as Markdown."""

from collections.abc import Iterator

from tonegap.lines import one_line
from tonegap.report.claims_text import claim_lines, claims_about, claims_header
from tonegap.report.exports.base import File
from tonegap.report.grid import GridCell, table_grid
from tonegap.report.label_text import label_part
from tonegap.report.notes import border_note, event_note, images_note
from tonegap.report.phrases import answer, metric_label, ranking_rule, report_title, table_title
from tonegap.report.power_text import table_reach
from tonegap.report.quality_lines import SUMMARY_ABOUT, SUMMARY_HEADER, set_lines
from tonegap.results.board import Leaderboard
from tonegap.results.model import MARKS, LeaderboardTable
from tonegap.scores.tables import metric_named
from tonegap.store.source import ResultSource


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """`leaderboard.md`."""
    yield "leaderboard.md", [render_markdown(board).encode()]


def render_markdown(board: Leaderboard) -> str:
    """The whole report; the same board gives the same text."""
    parts = [f"# {_text(report_title(board))}"]
    parts += [f"**{kind}: {_text(alarm)}.**" for kind, alarm in board.stamps]
    parts.append(_text(board.settings.tone_note))
    for table in board.tables:
        parts += _table_parts(board, table)
    parts += _missing(board) + _legend(board)
    return "\n\n".join(parts) + "\n"


def _table_parts(board: Leaderboard, table: LeaderboardTable) -> list[str]:
    parts = [f"## {_text(table_title(table))}"]
    note = images_note(table)
    if note:
        parts.append(f"**{note}**")
    parts.append(_text(" ".join(answer(board, table))))
    if table.question is None:
        return parts
    grid = table_grid(board, table)
    parts.append(
        f"Ranked by {ranking_rule(table)}. Scores in percent, means over seeds; changes (Δ) "
        f"in points against {_text(board.settings.reference.label)}; ranges are smallest to "
        f"largest over seeds; worst tone and gap are those of the means. {_text(event_note(table))}"
    )
    parts.append(_lines(grid.header, grid.rows))
    if grid.controls:
        parts += ["### Controls: to read the others against", _chance(table)]
        parts.append(_lines(grid.header, grid.controls))
    if grid.notes:
        parts.append("\n".join(f"{i}. {_text(note)}" for i, note in enumerate(grid.notes, 1)))
    parts.append(_text(border_note(table)))
    labels = label_part(board.claims_of(table))
    if labels:
        rule = ["---", *["---:"] * (len(labels.header) - 1)]
        rows = [labels.header, rule, *(tuple(map(_text, line)) for line in labels.lines)]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        parts += ["### Gaps and tone labels", lines, _text(labels.about)]
    shows = table_reach(table)
    if shows:
        parts += [
            "### What this test set can show",
            "\n".join(f"- {_text(line)}" for line in shows),
        ]
    return parts + _claims(board, table) + _sets(board, table)


def _claims(board: Leaderboard, table: LeaderboardTable) -> list[str]:
    """Intervals and comparisons of the metric that ranks."""
    claims = board.claims_of(table)
    if claims is None:
        return []
    header = ("Entry", *claims_header(claims))
    rule = ["---", *["---:"] * (len(header) - 1)]
    rows = [(_text(line.label), *map(_text, line.cells)) for line in claim_lines(claims)]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])
    return ["### Uncertainty", lines, _text(claims_about(claims))]


def _sets(board: Leaderboard, table: LeaderboardTable) -> list[str]:
    """What is known of the synthetic sets of a task."""
    lines = set_lines(board.sheets, table.task)
    if not lines:
        return []
    rows = [
        (_text(line.made.label), str(line.made.seed), *line.cells, _text(line.why))
        for line in lines
    ]
    header = ("Set", "Seed", *SUMMARY_HEADER, "")
    width = len(header)
    padded = [(*row[:-1], *[""] * (width - len(row)), row[-1]) for row in rows]
    rule = ["---", *["---:"] * (width - 2), "---"]
    table_lines = "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *padded])
    return ["### Synthetic sets", SUMMARY_ABOUT, table_lines]


def _lines(header: tuple[str, ...], rows: tuple[tuple[GridCell, ...], ...]) -> str:
    rule = ["---" if i < 2 else "---:" for i in range(len(header))]
    lines = [header, tuple(rule), *(tuple(_cell(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: GridCell) -> str:
    note = "" if cell.note is None else f" ({cell.note})"
    return _text(cell.text) + note


def _chance(table: LeaderboardTable) -> str:
    known = [f"{metric_label(m)} {v:.1%}".replace("%", " %") for m, v in table.chance.items()]
    return (
        f"Guessing every class equally often scores {', '.join(known)}. Controls pass through the "
        "whole line and are never ranked."
    )


def _missing(board: Leaderboard) -> list[str]:
    parts = []
    if board.holes:
        parts.append("## What is missing")
        parts.append(
            "\n".join(
                f"- {_text(h.entry.label)}, {_text(h.task)}, seed {h.seed}: {h.cause}: "
                f"{_text(h.text)}"
                for h in board.holes
            )
        )
    if board.not_applicable:
        parts.append("## What does not apply")
        parts.append(
            "\n".join(
                f"- {_text(n.entry.label)}, {_text(n.task)}, seed {n.seed}: {_text(n.why)}"
                for n in board.not_applicable
            )
        )
    return parts


def _legend(board: Leaderboard) -> list[str]:
    used = {mark for table in board.tables for row in table.all_rows for mark in row.marks}
    marks = [f"- {mark}: {text}" for mark, text in MARKS.items() if mark in used]
    metrics = [metric_named(name) for name in board.settings.metrics]
    lines = [
        f"- {metric_label(m.name)}: {m.meaning}; {'larger' if m.larger_is_better else 'smaller'} "
        f"is better ({m.source})"
        for m in metrics
    ]
    parts = ["## Marks", "\n".join(marks)] if marks else []
    return [*parts, "## Metrics", "\n".join(lines)]


def _text(text: str) -> str:
    """Text that Markdown leaves as it is, on one line; what cannot be printed is escaped, as on a terminal."""
    text = one_line(" ".join(text.split()))
    for sign in "\\`*_|<>[]":
        text = text.replace(sign, f"\\{sign}")
    return text
