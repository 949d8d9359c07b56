"""Writes a leaderboard as LaTeX tables (booktabs), one `table*` per task."""

import unicodedata
from collections.abc import Iterator

from tonegap.report.exports.protocol import File
from tonegap.report.phrases import ranking_rule, report_title, table_title
from tonegap.report.table_notes import border_note, event_note, images_note
from tonegap.report.text_table import GridCell, table_grid
from tonegap.results.board import Leaderboard
from tonegap.results.model import LeaderboardTable
from tonegap.store.source import ResultSource

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
    "±": r"$\pm$",
    "°": r"$^\circ$",
    "·": r"$\cdot$",
    "→": r"$\to$",
    "µ": r"$\mu$",
    "σ": r"$\sigma$",
    "κ": r"$\kappa$",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
}
# Beside ASCII, what any LaTeX can set without another font or package: letters with one of these accents, and a few.
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
_LETTERS = frozenset("ßøØæÆœŒłŁ")


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """`leaderboard.tex`."""
    yield "leaderboard.tex", [render_latex(board).encode()]


def render_latex(board: Leaderboard) -> str:
    """The tables; needs `booktabs` and `graphicx`. The same board gives the same text.

    Every LaTeX can set it: signs that its first fonts lack are written by their Unicode number.
    """
    parts = [f"% {_text(report_title(board))}", "% needs: booktabs, graphicx"]
    parts += [_table(board, table) for table in board.tables if table.question]
    return "\n\n".join(parts) + "\n"


def _table(board: Leaderboard, table: LeaderboardTable) -> str:
    grid, note = table_grid(board, table), images_note(table)
    incomplete = f"{report_title(board)}. " if board.holes or board.stamps else ""
    caption = (
        f"{incomplete}{table_title(table)}: ranked by {ranking_rule(table)}. Scores in "
        f"percent, means over seeds; changes against {board.settings.reference.label}. {event_note(table)} "
        f"{border_note(table)} {note + ' ' if note else ''}{board.settings.tone_note}"
    )
    controls = r"\multicolumn{%d}{l}{\emph{Controls: to read the others against}} \\"
    blocks = [_rows(grid.rows)]
    blocks += [controls % len(grid.header), _rows(grid.controls)] if grid.controls else []
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{_text(caption)}}}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{ll{'r' * (len(grid.header) - 2)}}}",
        r"\toprule",
        " & ".join(_text(name) for name in grid.header) + r" \\",
        r"\midrule",
        "\n\\midrule\n".join(block for block in blocks if block),
        r"\bottomrule",
        r"\end{tabular}}",
        *(
            rf"\\[2pt]\parbox{{\linewidth}}{{\footnotesize $^{{{i}}}$ {_text(reason)}}}"
            for i, reason in enumerate(grid.notes, 1)
        ),
        r"\end{table*}",
    ]
    return "\n".join(lines)


def _rows(rows: tuple[tuple[GridCell, ...], ...]) -> str:
    def cell(one: GridCell) -> str:
        return _text(one.text) + ("" if one.note is None else f"$^{{{one.note}}}$")

    return "\n".join(" & ".join(map(cell, row)) + r" \\" for row in rows)


def _text(text: str) -> str:
    return "".join(map(_sign, " ".join(text.split())))


def _sign(sign: str) -> str:
    """A sign as any LaTeX sets it; one that it cannot by what it looks like (`Ⅵ`), else by its number, `[U+043A]`."""
    if sign in _SPECIAL:
        return _SPECIAL[sign]
    if (sign.isascii() and sign.isprintable()) or sign in _LETTERS or _is_accented(sign):
        return sign
    plain = unicodedata.normalize("NFKC", sign)
    return _text(plain) if plain.isascii() and plain.isprintable() else f"[U+{ord(sign):04X}]"


def _is_accented(sign: str) -> bool:
    parts = unicodedata.normalize("NFD", sign)
    return len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS
