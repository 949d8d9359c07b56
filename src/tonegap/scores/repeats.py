"""Several runs of the same work as one: the scores of each, and how far they spread."""

import math
import statistics
from collections.abc import Sequence

from tonegap.formats.record import Record
from tonegap.formats.repeats import SCHEMA, Repeats
from tonegap.scores.main_scores import main_scores


def repeats_of(key: str, records: Sequence[Record]) -> Repeats:
    """What repetitions of the run of that record key gave."""
    scores = [main_scores(record) for record in records]
    names = dict.fromkeys(name for found in scores for name in found)
    return Repeats(
        schema=SCHEMA,
        key=key,
        predictions_sha256=tuple(record.predictions_sha256 for record in records),
        scores={name: tuple(found.get(name) for found in scores) for name in names},
    )


def standard_deviation(values: Sequence[float | None]) -> float | None:
    """The standard deviation of runs (n - 1 below); None for fewer than two, or where one is undefined."""
    defined = [value for value in values if value is not None]
    if len(defined) < max(2, len(values)):
        return None
    return 0.0 if len(set(defined)) == 1 else math.sqrt(statistics.variance(defined))
