"""Declares what an export is: a function `files(board, source)` that adds files to a report.

Pages have it, too. Which exports a report has is said by `FORMATS` and the lists of `report/write`.
"""

from collections.abc import Iterable
from typing import Protocol

from tonegap.results.board import Leaderboard
from tonegap.store.source import ResultSource

# A path below the report, and the content that comes bit by bit.
File = tuple[str, Iterable[bytes]]


class Export(Protocol):
    """The files of one export."""

    def __call__(self, board: Leaderboard, source: ResultSource | None) -> Iterable[File]:
        """Each file is written before the next is asked for; without a source, those that need no more than the board.

        Raises BadSuiteFolder for a folder that is wrong, StoreError for a store that is damaged.
        """
        ...
