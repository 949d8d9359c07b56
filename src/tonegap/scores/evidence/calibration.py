"""The expected calibration error beside that of a calibrated model, and its interval by inverting a test.

The error is a sum of distances, which noise alone makes: a perfectly calibrated model reads 6.5 % on 132 images,
and percentiles of draws then hold the truth in 5 %. So no percentiles are taken of it.
Sources: Widmann, Lindsten and Zachariah 2019, NeurIPS, on the null distribution; Carpenter 1999 on inverting a
test by simulating at the constrained estimate.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.scores.counts import Answers
from tonegap.scores.evidence.bisection import bisected
from tonegap.scores.evidence.bootstrap import union_of
from tonegap.scores.evidence.images import TestImages
from tonegap.scores.evidence.intervals import LEVEL, Interval, lost
from tonegap.scores.evidence.nulls import CALIBRATED, N_PERMUTATIONS, NullName
from tonegap.scores.evidence.parity import Parity, parity
from tonegap.scores.formulas import calibration_error
from tonegap.scores.tables import ALL, GAP, N_BINS, WORST

_HALVINGS = 14
_SMALLEST = 1e-12
_BIASED = "of small sets the worst calibration error, and so the gap, lies too high: see its null"


def calibrated_nulls(
    seeds: Sequence[tuple[TestImages, Answers]], points: Sequence[FloatArray]
) -> dict[NullName, Parity]:
    """The measured error of all images and of each tone beside that of a calibrated model: means over seeds.

    Its answers have the same probabilities, and are right as often as those say. `points` [1, slots]: as measured.
    """
    images = tuple(images for images, _ in seeds)
    drawn = [
        _errors(of_seed, said, chance[:, own] < said.confidence)
        for (of_seed, said), (chance, own) in zip(seeds, _chances(images), strict=True)
    ]
    null = np.mean(drawn, axis=0)
    found = {}
    for slot, name in enumerate((*images[0].tones, ALL)):
        at_parity = parity(float(np.mean([p[0, slot] for p in points])), null[:, slot])
        if at_parity:
            found["ece", name, CALIBRATED] = at_parity
    return found


@lru_cache(maxsize=2)
def _chances(images: tuple[TestImages, ...]) -> tuple[tuple[FloatArray, IntArray], ...]:
    """A number between 0 and 1 for each unit in each draw [draws, units], and the unit of each image of a seed.

    Copies of a photograph, and seeds, are right together. All entries with these images have the same numbers.
    """
    union = union_of(images)
    chance = np.random.default_rng([3, *union.digest[:16]]).random(
        (N_PERMUTATIONS, len(union.names))
    )
    return tuple((chance, own) for own in union.members)


def _errors(images: TestImages, said: Answers, right: BoolArray) -> FloatArray:
    """The calibration error of each tone and of all images if `right` [draws, n], [draws, slots]."""
    n_slots = len(images.tones) + 1
    rows, bins = np.arange(len(images)), images.slots * N_BINS + said.bins
    at = csr_matrix((np.ones(len(rows)), (rows, bins)), (len(rows), n_slots * N_BINS))
    sums = ((right - said.confidence) @ at).reshape(len(right), n_slots, N_BINS)
    n = np.bincount(images.slots, minlength=n_slots).astype(np.float64)
    # The last slot held images of unknown tone; now it holds all.
    sums[:, -1], n[-1] = sums.sum(axis=1), len(images)
    with np.errstate(invalid="ignore", divide="ignore"):
        return calibration_error(sums, n)


def ece_intervals(
    points: Sequence[FloatArray],
    draws: Sequence[FloatArray],
    tones: Sequence[str],
    nulls: Mapping[NullName, Parity],
    extra: Mapping[str, FloatArray] | None = None,
) -> dict[str, Interval]:
    """The interval of the mean error over seeds, of each tone and of all images; none of worst tone and gap.

    Of each seed, signed distances of accuracy from confidence by bin that add up to the error: as
    measured [slots, bins], and in draws [draws, slots, bins]. `extra` noise of a slot's error [draws]: what training
    seeds add.
    """
    found = {name: Interval(None, None, _BIASED) for name in (WORST, GAP)}
    for slot, name in enumerate((*tones, ALL)):
        point = np.stack([p[slot] for p in points])
        noise = np.stack([d[:, slot] for d in draws]) - point[:, None]
        null = nulls.get(("ece", name, CALIBRATED))
        more = (extra or {}).get(name, np.zeros(noise.shape[1]))
        found[name] = _interval(point, noise, more, null.p if null else 0.0)
    return found


def _interval(
    point: FloatArray, noise: FloatArray, more: FloatArray, p_calibrated: float
) -> Interval:
    """The errors that data like ours are likely enough at; `point` [seeds, bins], `noise` [seeds, draws, bins]."""
    defined: BoolArray = np.all(np.isfinite(noise), axis=(0, 2))
    if defined.mean() < LEVEL:
        return lost(defined)
    noise, more, tail = noise[:, defined], more[defined], (1 - LEVEL) / 2
    found, variance = float(np.abs(point).sum(axis=1).mean()), noise.var(axis=1)
    if variance.max() < _SMALLEST:
        return Interval(None, None, "every resample of images gives the same error")
    # A row for each bin that has images, its draws next to each other in memory.
    by_bin = noise.transpose(0, 2, 1)
    used = (point != 0) | by_bin.any(axis=2)
    rows, centre_at = by_bin[used], _centres(point, variance)

    def drawn(error: float) -> FloatArray:
        """The mean error over seeds in each draw if `error` is the true one."""
        distances = rows + centre_at(error)[used, None]
        each: FloatArray = np.abs(distances, out=distances).sum(axis=0) / len(point) + more
        return each

    def as_large(error: float) -> bool:
        return bool((drawn(error) >= found).mean() > tail)

    def as_small(error: float) -> bool:
        return bool((drawn(error) <= found).mean() > tail)

    reach = found + 5 * float(np.sqrt(variance.sum(axis=1).max() + more.var()))
    low = 0.0 if p_calibrated > tail else bisected(as_large, found, 0.0, _HALVINGS)
    return Interval(low, min(1.0, max(found, bisected(as_small, low, reach, _HALVINGS))))


def _centres(point: FloatArray, variance: FloatArray) -> Callable[[float], FloatArray]:
    """For an error, the distances by bin closest to the measured ones with that mean error over seeds, [seeds, bins].

    In units of each bin's noise: all shrink by the same multiple of their variance, none past 0, or grow by it.
    """
    size, sign = np.abs(point), np.where(point < 0, -1.0, 1.0)
    total = size.sum()
    # Sorted by the multiple at which each reaches 0, what is left is linear between two of them.
    ends = (size / np.maximum(variance, _SMALLEST**2)).ravel()
    ends = np.concatenate([[0.0], np.sort(ends)])
    left = np.maximum(size.ravel() - ends[:, None] * variance.ravel(), 0).sum(axis=1)

    def centre(error: float) -> FloatArray:
        wanted = error * len(point)
        if wanted >= total:
            grown: FloatArray = sign * (size + variance * (wanted - total) / variance.sum())
            return grown
        by = np.interp(-wanted, -left, ends)
        shrunk: FloatArray = sign * np.maximum(size - by * variance, 0)
        return shrunk

    return centre
