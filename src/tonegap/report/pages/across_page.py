"""The page of all tasks: win rates, excess over the reference, and the Pareto view of each task."""

from collections.abc import Iterator

from tonegap.report.exports.protocol import File
from tonegap.report.pages.links import ACROSS
from tonegap.report.pages.templates import render_template
from tonegap.report.phrases import report_title
from tonegap.results.across import across
from tonegap.results.board import Leaderboard
from tonegap.store.source import ResultSource


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """`across.html`; nothing where no two tasks of a kind share entries. Raises BadSuiteFolder for a wrong template."""
    groups = across(board)
    if groups:
        values = {"board": board, "title": report_title(board), "groups": groups}
        values |= {"stamps": board.stamps}
        yield ACROSS, [render_template(board.settings, "across.html.j2", values).encode()]
