"""The scores of an entry's records, averaged over seeds.

The mistake it exists to prevent: a mean over the seeds that happen to be defined.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tonegap.report.model import Axis, Difference, Mean, Scores
from tonegap.run.record import Record
from tonegap.score.tables import ALL, GAP, WORST, metric_named

NOT_SCORED = "the record has no such score"


class Found(NamedTuple):
    """A score as a record has it."""

    value: float | None
    n: int
    reason: str | None


SeedScores = Mapping[tuple[str, str], Found]
_MISSING = Found(None, 0, NOT_SCORED)


def scores_of(record: Record, selection: str, axis: str) -> SeedScores:
    """A record's scores under one selection and axis by (metric, tone); empty if it has none."""
    selected = record.scores.get(selection)
    table = selected.tables.get(axis) if selected else None
    if table is None:
        return {}
    found = map(Found, table.value, table.n, table.reason)
    return dict(zip(zip(table.metric, table.tone, strict=True), found, strict=True))


def scores_over_seeds(
    by_seed: Sequence[SeedScores], seeds: Sequence[int], metric: str, axis: Axis
) -> Scores:
    """One metric's scores over seeds; `by_seed` is aligned with `seeds`, one or more."""

    def mean(tone: str) -> Mean:
        return mean_over_seeds([s.get((metric, tone), _MISSING) for s in by_seed], seeds)

    if not metric_named(metric).per_tone:
        return Scores(mean(ALL), (), None, (), None)
    tones = tuple(mean(tone) for tone in axis.tones)
    worst = mean(WORST)
    return Scores(mean(ALL), tones, worst, _worst_at(axis.tones, tones, worst), mean(GAP))


def mean_over_seeds(found: Sequence[Found], seeds: Sequence[int]) -> Mean:
    """The mean of one score over one or more seeds; undefined if it is in any of them."""
    values = tuple(f.value for f in found)
    n = [f.n for f in found]
    defined = [v for v in values if v is not None]
    if len(defined) < len(values):
        return Mean(None, values, min(n), max(n), _reason(found, seeds))
    return Mean(math.fsum(defined) / len(defined), values, min(n), max(n), None)


def _reason(found: Sequence[Found], seeds: Sequence[int]) -> str:
    """Why: in the score's own words if all seeds say the same, else those of the first such seed."""
    undefined = [(s, f.reason or "no reason given") for s, f in zip(seeds, found, strict=True)
                 if f.value is None]  # fmt: skip
    seed, reason = undefined[0]
    if len(undefined) == len(found) and len({r for _, r in undefined}) == 1:
        return reason
    more = f" (and {len(undefined) - 1} more seeds)" if len(undefined) > 1 else ""
    return f"seed {seed}{more}: {reason}"


def _worst_at(names: Sequence[str], tones: Sequence[Mean], worst: Mean) -> tuple[str, ...]:
    """The tones whose score is the worst one in at least one seed, light to dark."""
    if worst.value is None:
        return ()
    return tuple(
        name
        for name, mean in zip(names, tones, strict=True)
        if any(v == w for v, w in zip(mean.values, worst.values, strict=True))
    )


def difference(a: Mean, b: Mean) -> Difference:
    """`a` minus `b`, both over the same seeds."""
    if a.value is None or b.value is None:
        return Difference(None, (), a.reason or b.reason)
    paired = zip(a.values, b.values, strict=True)
    return Difference(
        a.value - b.value, tuple(x - y for x, y in paired if x is not None and y is not None), None
    )
