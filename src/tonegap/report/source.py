"""Where the pages beside the leaderboard find what no record holds: rooms, predictions, declared suites."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tonegap.errors import StoreError
from tonegap.report.read import SuiteRun
from tonegap.run.store import StageMark


@dataclass(frozen=True, slots=True)
class Source:
    """A suite root, a store, and the suites of the store that are reported."""

    root: Path
    store: Path
    suites: Sequence[SuiteRun]

    def mark(self, key: str) -> StageMark | None:
        """The mark of a finished stage; None where the store no longer has it.

        Raises StoreError for a damaged one.
        """
        path = self.store / "stages" / key[:2] / key / "stage.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=StageMark)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as e:
            raise StoreError(f"{path}: damaged ({e}); remove {path.parent} and run again") from None
