"""The scores of an entry's records, averaged over seeds.

The mistake it exists to prevent: a mean over the seeds that happen to be defined.
"""

import math
from collections.abc import Mapping, Sequence

from tonegap.report.model import Axis, Difference, Mean, Scores
from tonegap.run.record import Record
from tonegap.score.tables import ALL, GAP, WORST, metric_named

NOT_SCORED = "the record has no such score"


# A score as a record has it: value, n, reason. A plain tuple, as a large report has millions.
Found = tuple[float | None, int, str | None]
SeedScores = Mapping[tuple[str, str], Found]
_MISSING: Found = (None, 0, NOT_SCORED)


def scores_of(record: Record, selection: str, axis: str) -> SeedScores:
    """A record's scores under one selection and axis by (metric, tone); empty if it has none."""
    selected = record.scores.get(selection)
    table = selected.tables.get(axis) if selected else None
    if table is None:
        return {}
    found = zip(table.value, table.n, table.reason, strict=True)
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
    values, n, reasons = zip(*found, strict=True)
    if None in values:
        return Mean(None, values, min(n), max(n), _reason(values, reasons, seeds))
    return Mean(math.fsum(values) / len(values), values, min(n), max(n), None)


def _reason(
    values: Sequence[float | None], reasons: Sequence[str | None], seeds: Sequence[int]
) -> str:
    """Why: in the score's own words if all seeds say the same, else those of the first such seed."""
    why = {
        seed: reason or "no reason given"
        for seed, value, reason in zip(seeds, values, reasons, strict=True)
        if value is None
    }
    seed, reason = next(iter(why.items()))
    if len(why) == len(values) and len(set(why.values())) == 1:
        return reason
    more = f" (and {len(why) - 1} more seeds)" if len(why) > 1 else ""
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
