"""Computes null distributions of scores that compare tones, by permuting tone labels.

A gap of noisy scores is never 0 and a ratio of them never 1: at parity a PQD of 0.9 is usual on a small test
set. Each such score therefore stands beside its null. Tones are permuted among all units (near-duplicate
groups), and again among units of one class: tones that hold other diseases differ in score without any
unfairness, and the first null alone takes that for a difference between tones.
Source: the permutation test, Fisher 1935; Good 2005, Permutation, Parametric and Bootstrap Tests.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache

import numpy as np

from tonegap.arrays import FloatArray, IntArray
from tonegap.scores.counts import Answers, Counts, count_draws
from tonegap.scores.evidence.bootstrap import Union, union_of
from tonegap.scores.evidence.images import TestImages
from tonegap.scores.evidence.parity import Parity, parity
from tonegap.scores.formulas import gap, metric_values
from tonegap.scores.tables import ALL, GAP, N_BINS, metric_named

OVER_ALL, WITHIN_CLASS, CALIBRATED = "tones permuted", "tones permuted within class", "calibrated"
# A metric, `all`, a tone or `gap`, and what is assumed: OVER_ALL, WITHIN_CLASS or CALIBRATED.
NullName = tuple[str, str, str]
N_PERMUTATIONS = 400


def tone_nulls(
    seeds: Sequence[tuple[TestImages, Answers]],
    points: Sequence[Mapping[str, FloatArray]],
    *,
    has_event: bool,
    with_auc: bool,
) -> dict[NullName, Parity]:
    """Gaps of all metrics by tone, and all metrics that compare tones, beside their nulls.

    `points` [1, slots] are the measured scores of each seed by metric. Without `with_auc` there is none for areas under
    the ROC curve, which take as long as all else. A score that most permutations leave undefined has none.
    """
    tested_on = tuple(images for images, _ in seeds)
    observed = dict(_by_name(points))
    found: dict[NullName, Parity] = {}
    for kind in (OVER_ALL, WITHIN_CLASS):
        permuted = permuted_tones(tested_on, N_PERMUTATIONS, within=kind == WITHIN_CLASS)
        drawn = [
            _scores(*seed, tones, has_event, with_auc)
            for seed, tones in zip(seeds, permuted, strict=True)
        ]
        for (metric, tone), values in _by_name(drawn):
            if metric == "auc" and not with_auc:
                continue
            of = metric_named(metric)
            is_ratio = (
                not of.per_tone and of.larger_is_better
            )  # the larger the more alike tones are
            at_parity = parity(float(observed[metric, tone][0]), values, larger_is_alike=is_ratio)
            if at_parity:
                found[metric, tone, kind] = at_parity
    return found


def _by_name(
    seeds: Sequence[Mapping[str, FloatArray]],
) -> Iterator[tuple[tuple[str, str], FloatArray]]:
    """Each gap of the mean over seeds, and the mean of each score that compares tones, as tables have them, [draws]."""
    for metric in seeds[0]:
        mean = np.mean([seed[metric] for seed in seeds], axis=0)
        if metric_named(metric).per_tone:
            yield (metric, GAP), gap(mean[:, :-1])
        else:
            yield (metric, ALL), mean[:, 0]


def permuted_tones(
    seeds: tuple[TestImages, ...], n_permutations: int, *, within: bool
) -> tuple[IntArray, ...]:
    """Index of each image's tone in each permutation, [permutations, n] of each seed; -1 stays where it was.

    The tones of units are put in another order, `within` the class of their first image or among all of them.
    A unit has the tone of its first image that has one, and the same new one at every seed.
    """
    # Images of two tasks may be the same, and their classes others.
    classes = tuple(images.y.tobytes() for images in seeds) if within else None
    return _permuted_tones(seeds, classes, n_permutations)


@lru_cache(maxsize=8)
def _permuted_tones(
    seeds: tuple[TestImages, ...], classes: tuple[bytes, ...] | None, n_permutations: int
) -> tuple[IntArray, ...]:
    """As `permuted_tones`, within these `classes` of the images of each seed, or among all of them."""
    within = classes is not None
    union = union_of(seeds)
    tone, y = _of_units(union, seeds)
    rng = np.random.default_rng([1 + within, *union.digest[:16]])
    permuted = np.tile(tone, (n_permutations, 1))
    for cls in np.unique(y) if within else [None]:
        movable = np.flatnonzero((tone >= 0) & ((y == cls) | (not within)))
        permuted[:, movable] = rng.permuted(permuted[:, movable], axis=1)
    return tuple(
        np.where(images.tone < 0, -1, permuted[:, own])
        for images, own in zip(seeds, union.members, strict=True)
    )


def _of_units(union: Union, seeds: Sequence[TestImages]) -> tuple[IntArray, IntArray]:
    """Tone (-1: none) and class of each unit, [units]: of the image with the smallest id that has one."""
    ids = np.concatenate([images.ids for images in seeds])
    unit = np.concatenate(union.members)
    tone = np.concatenate([images.tone for images in seeds])
    y = np.concatenate([images.y for images in seeds])
    last_first = np.argsort(ids, kind="stable")[::-1]
    known = last_first[tone[last_first] >= 0]
    of_tone, of_class = np.full(len(union.names), -1), np.empty(len(union.names), dtype=np.int64)
    # Of several values for one place the last one stays.
    of_tone[unit[known]], of_class[unit[last_first]] = tone[known], y[last_first]
    return of_tone, of_class


def _scores(
    images: TestImages, said: Answers, permuted: IntArray, has_event: bool, with_auc: bool
) -> dict[str, FloatArray]:
    """Every metric with permuted tones [permutations, n] instead of the true ones; areas are NaN unless wanted."""
    n_permutations, n_tones = len(permuted), len(images.tones)
    counts = (_counted if with_auc else _counted_by_kind)(images, said, permuted)

    def by_tone(values: FloatArray) -> FloatArray:
        """[permutations x tones, 1, …] into [permutations, slots, …] with all images of known tone as the last slot."""
        tones = values.reshape(n_permutations, n_tones, *values.shape[2:])
        return np.concatenate([tones, tones.sum(axis=1, keepdims=True)], axis=1)

    slots = Counts(*(by_tone(getattr(counts, field.name)) for field in fields(Counts)))
    return metric_values(slots, has_event)


def _counted(images: TestImages, said: Answers, permuted: IntArray) -> Counts:
    """The counts of each tone in each permutation, as one slot of [permutations x tones]."""
    n_tones, n = len(images.tones), len(images)
    member = permuted.T[:, :, None] == np.arange(n_tones)
    weights = member.astype(np.float64).reshape(n, len(permuted) * n_tones).T
    return count_draws(images.y, np.full(n, -1), 0, said, weights)


def _counted_by_kind(images: TestImages, said: Answers, permuted: IntArray) -> Counts:
    """The same without areas, from how many images of each kind a tone gets: a tenth of the time.

    Images of a kind have the same class and were called the same.
    """
    answered = np.column_stack((images.y, said.predicted, said.called))
    _, first, kind = np.unique(answered, axis=0, return_index=True, return_inverse=True)
    # An image without a tone has none in any permutation.
    known = np.flatnonzero(images.tone >= 0)
    cell = np.arange(len(permuted))[:, None] * len(images.tones) + permuted[:, known]
    n_cells = len(permuted) * len(images.tones)

    def summed(column: IntArray, n_columns: int, values: FloatArray | None = None) -> FloatArray:
        """Values, or else images, by cell and column, [cells, columns]."""
        at = (cell * n_columns + column[known]).ravel()
        weights = None if values is None else np.tile(values[known], len(permuted))
        added = np.bincount(at, weights, n_cells * n_columns)
        return added.astype(np.float64).reshape(n_cells, n_columns)

    right = (said.predicted == images.y).astype(np.float64)
    sums = [summed(said.bins, N_BINS, values) for values in (said.confidence, right)]
    kinds = said.among(first)
    none, weights = np.full(len(first), -1), summed(kind, len(first))
    counts = count_draws(images.y[first], none, 0, kinds, weights, with_auc=False)
    return replace(counts, bins=np.stack(sums, axis=1)[:, None])
