"""Names the sources of what no record holds: the suite root, the store, and the suites that ran."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.store.marks import StageMark, read_mark
from tonegap.store.read import SuiteRun


@dataclass(frozen=True, slots=True)
class ResultSource:
    """A suite root, a store, and the suites of the store that are reported."""

    root: Path
    store: Path
    suites: Sequence[SuiteRun]

    def mark(self, key: str) -> StageMark | None:
        """The mark of a finished stage; None where the store no longer has it.

        Raises StoreError for a damaged one.
        """
        return read_mark(self.store, key)
