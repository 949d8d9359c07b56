"""The files of an export or of pages as bytes, by path."""

from collections.abc import Iterable

from tonegap.report.write import document
from tonegap.results.board import Leaderboard


def contents(files: Iterable[tuple[str, Iterable[bytes]]]) -> dict[str, bytes]:
    return {path: b"".join(pieces) for path, pieces in files}


def render_csv(board: Leaderboard) -> str:
    return document(board, "csv").decode()


def render_json(board: Leaderboard) -> str:
    return document(board, "json").decode()
