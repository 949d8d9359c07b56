"""A leaderboard as LaTeX tables (booktabs), one `table*` per task."""

from tonegap.report.board import Leaderboard
from tonegap.report.grid import Cell, Grid, table_grid
from tonegap.report.model import Table
from tonegap.report.notes import event_note, images_note
from tonegap.report.words import ranking_rule, report_title, table_title

_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "Δ": r"$\Delta$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "×": r"$\times$",
    "…": r"\ldots{}",
}


def render_latex(board: Leaderboard) -> str:
    """The tables; needs `booktabs` and `graphicx`. The same board gives the same text."""
    parts = [f"% {' '.join(report_title(board).split())}", "% needs: booktabs, graphicx"]
    parts += [_table(board, table) for table in board.tables if table.question]
    return "\n\n".join(parts) + "\n"


def _table(board: Leaderboard, table: Table) -> str:
    grid = table_grid(board, table)
    blocks = [_rows(grid.rows)]
    if grid.controls:
        span = len(grid.header)
        blocks.append(
            rf"\multicolumn{{{span}}}{{l}}{{\emph{{Controls: to read the others against}}}} \\"
        )
        blocks.append(_rows(grid.controls))
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{_text(_caption(board, table))}}}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{ll{'r' * (len(grid.header) - 2)}}}",
        r"\toprule",
        " & ".join(_text(name) for name in grid.header) + r" \\",
        r"\midrule",
        "\n\\midrule\n".join(block for block in blocks if block),
        r"\bottomrule",
        r"\end{tabular}}",
        *_notes(grid),
        r"\end{table*}",
    ]
    return "\n".join(lines)


def _caption(board: Leaderboard, table: Table) -> str:
    incomplete = f"{report_title(board)}. " if board.holes or board.stamps else ""
    note = images_note(table)
    return (
        f"{incomplete}{table_title(table)}: ranked by {ranking_rule(table)}. Scores in "
        f"percent, means over seeds; changes against {board.settings.reference.label}. {event_note(table)} "
        f"{note + ' ' if note else ''}{board.settings.tone_note}"
    )


def _rows(rows: tuple[tuple[Cell, ...], ...]) -> str:
    return "\n".join(" & ".join(_cell(cell) for cell in row) + r" \\" for row in rows)


def _cell(cell: Cell) -> str:
    note = "" if cell.note is None else f"$^{{{cell.note}}}$"
    return _text(cell.text) + note


def _notes(grid: Grid) -> list[str]:
    return [
        rf"\\[2pt]\parbox{{\linewidth}}{{\footnotesize $^{{{i}}}$ {_text(note)}}}"
        for i, note in enumerate(grid.notes, 1)
    ]


def _text(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in " ".join(text.split()))
