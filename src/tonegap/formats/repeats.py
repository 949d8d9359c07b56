"""Several runs of the same work: `repeats/KEY.json`, and how far their scores spread.

Where bytes cannot be equal, as on a GPU, a difference between two entries may be no more than that.
"""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tonegap.errors import StoreError
from tonegap.files import write_atomic
from tonegap.formats.record import Record
from tonegap.scores.main_scores import main_scores

SCHEMA = "tonegap/repeats@1"
FOLDER = "repeats"


class Repeats(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Runs of one cell anew: each run's predictions by digest, and each main score's values, run after run."""

    schema: str
    key: str
    predictions_sha256: tuple[str, ...]
    scores: dict[str, tuple[float | None, ...]]

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.predictions_sha256)

    @property
    def are_identical(self) -> bool:
        """Whether every run left the same predictions."""
        return len(set(self.predictions_sha256)) == 1


def repeats_of(key: str, records: Sequence[Record]) -> Repeats:
    """What runs of the cell of that record key gave."""
    scores = [main_scores(record) for record in records]
    names = dict.fromkeys(name for found in scores for name in found)
    return Repeats(
        schema=SCHEMA,
        key=key,
        predictions_sha256=tuple(record.predictions_sha256 for record in records),
        scores={name: tuple(found.get(name) for found in scores) for name in names},
    )


def spread(values: Sequence[float | None]) -> float | None:
    """The standard deviation of runs (n - 1 below); None for fewer than two, or where one is undefined."""
    defined = [value for value in values if value is not None]
    if len(defined) < max(2, len(values)):
        return None
    return 0.0 if len(set(defined)) == 1 else math.sqrt(statistics.variance(defined))


def spread_words(repeats: Repeats, name: str) -> str:
    """How far a score spreads from run to run, in points, for a reader."""
    if repeats.are_identical:
        return f"0: identical bytes in {repeats.n} runs"
    found = spread(repeats.scores.get(name, ()))
    if found is None:
        return f"undefined in one of {repeats.n} runs"
    return f"{100 * found:.1f} points (standard deviation of {repeats.n} runs)"


def repeats_path(store: Path, key: str) -> Path:
    """Where the repeats of the cell of that record key lie, or would."""
    return store / FOLDER / f"{key}.json"


def read_repeats(store: Path, key: str) -> Repeats | None:
    """The repeats of a cell; None if it was not repeated. Raises StoreError for a damaged file."""
    path = repeats_path(store, key)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Repeats)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as e:
        raise StoreError(f"{path}: damaged ({e}); remove it and repeat again") from None
    lengths = {found.n, *map(len, found.scores.values())}
    if found.schema != SCHEMA or found.key != key or len(lengths) > 1 or found.n < 2:
        raise StoreError(f"{path}: is not the repeats of {key}; remove it and repeat again")
    return found


def write_repeats(store: Path, repeats: Repeats) -> None:
    """Keeps the repeats of a cell."""
    content = msgspec.json.format(msgspec.json.encode(repeats, order="sorted"), indent=1) + b"\n"
    write_atomic(repeats_path(store, repeats.key), content)
