"""The scores of an entry's records, averaged over seeds.

The mistake it exists to prevent: a mean over the seeds that happen to be defined.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import cast

from tonegap.formats.record import Record, ScoreColumns
from tonegap.results.model import Axis, Difference, Mean, MeanScores
from tonegap.scores.tables import ALL, GAP, WORST, metric_named

NOT_SCORED = "the record has no such score"
_NO_GAIN: tuple[float | None, int, str | None] = (
    None,
    0,
    "the record has no cross-fitted gain: it is older than that, or there was no epoch to choose",
)
_MISSING: tuple[float | None, int, str | None] = (None, 0, NOT_SCORED)
_EMPTY = ScoreColumns((), (), (), (), ())

# A score at each seed: values, n, reasons. Plain tuples, as a large report has millions.
OverSeeds = tuple[tuple[float | None, ...], tuple[int, ...], tuple[str | None, ...]]
ScoresBySeed = Mapping[tuple[str, str], OverSeeds]


def scores_by_seed(records: Sequence[Record], selection: str, axis: str) -> ScoresBySeed:
    """The records' scores under one selection and axis by (metric, tone), one value per record.

    What a record lacks is undefined there.
    """
    selected = [record.scores.get(selection) for record in records]
    tables = [(of.tables.get(axis) if of else None) or _EMPTY for of in selected]
    first = tables[0]
    if all((t.metric, t.tone) == (first.metric, first.tone) for t in tables):
        columns = (
            zip(*(t.value for t in tables), strict=True),
            zip(*(t.n for t in tables), strict=True),
            zip(*(t.reason for t in tables), strict=True),
        )
        return dict(zip(_names(first), zip(*columns, strict=True), strict=True))
    each = [
        dict(zip(_names(t), zip(t.value, t.n, t.reason, strict=True), strict=True)) for t in tables
    ]
    names = dict.fromkeys(name for scores in each for name in scores)
    return {name: _zipped([scores.get(name, _MISSING) for scores in each]) for name in names}


def _names(table: ScoreColumns) -> Iterator[tuple[str, str]]:
    return zip(table.metric, table.tone, strict=True)


def _zipped(found: Sequence[tuple[float | None, int, str | None]]) -> OverSeeds:
    values, n, reasons = zip(*found, strict=True)
    return values, n, reasons


@cache
def _nothing(n_seeds: int) -> OverSeeds:
    return _zipped([_MISSING] * n_seeds)


def scores_over_seeds(
    found: ScoresBySeed, seeds: Sequence[int], metric: str, axis: Axis
) -> MeanScores:
    """One metric's scores over seeds; what was `found` is aligned with `seeds`, one or more."""
    nothing = _nothing(len(seeds))

    def mean(tone: str) -> Mean:
        return mean_over_seeds(found.get((metric, tone), nothing), seeds)

    if not metric_named(metric).per_tone:
        return MeanScores(mean(ALL), (), None, (), None)
    tones = tuple(mean(tone) for tone in axis.tones)
    worst, gap = _extremes(tones, mean(WORST), mean(GAP), metric_named(metric).larger_is_better)
    pairs = zip(axis.tones, tones, strict=True) if worst.value is not None else ()
    worst_at = tuple(name for name, own in pairs if own.value == worst.value)
    return MeanScores(mean(ALL), tones, worst, worst_at, gap)


def _extremes(
    tones: Sequence[Mean], worst: Mean, gap: Mean, larger_is_better: bool
) -> tuple[Mean, Mean]:
    """Worst tone and gap of the means over seeds; what seeds have by themselves stays as their values.

    The mean of the seeds' own gaps is larger: noise that differs by seed is in each.
    """
    means = [tone.value for tone in tones if tone.value is not None]
    if worst.value is None or gap.value is None or len(means) < len(tones):
        return worst, gap
    lowest, highest = min(means), max(means)
    return (
        _with_value(worst, lowest if larger_is_better else highest),
        _with_value(gap, highest - lowest),
    )


def _with_value(mean: Mean, value: float) -> Mean:
    """`dataclasses.replace` takes ten times as long, and a large report has a hundred thousand of these."""
    return Mean(value, mean.values, mean.n_low, mean.n_high, mean.reason, mean.low, mean.high)


def cross_fitted(
    records: Sequence[Record], axis: str, metrics: Sequence[str], seeds: Sequence[int]
) -> dict[str, Mean]:
    """The cross-fitted gain of each metric over all images, over the seeds of the records, one or more."""
    gains = [(record.cross_fit.gains if record.cross_fit else {}).get(axis) for record in records]
    each = [
        dict(zip(g.metric, zip(g.value, g.n, g.reason, strict=True), strict=True)) if g else {}
        for g in gains
    ]
    return {
        metric: mean_over_seeds(_zipped([found.get(metric, _NO_GAIN) for found in each]), seeds)
        for metric in metrics
    }


def mean_over_seeds(found: OverSeeds, seeds: Sequence[int]) -> Mean:
    """The mean of one score over one or more seeds; undefined if it is in any of them."""
    values, n, reasons = found
    if None in values:
        return Mean(None, values, min(n), max(n), _reason(values, reasons, seeds))
    defined = cast(tuple[float, ...], values)
    low, high = (min(defined), max(defined)) if len(defined) > 1 else (None, None)
    return Mean(math.fsum(defined) / len(defined), values, min(n), max(n), None, low, high)


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


def difference(a: Mean, b: Mean) -> Difference:
    """`a` minus `b`, both over the same seeds."""
    if a.value is None or b.value is None:
        return Difference(None, (), a.reason or b.reason)
    return Difference(a.value - b.value, (a, b), None)
