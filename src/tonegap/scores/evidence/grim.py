"""Computes what reported numbers can be: counts behind rounded shares, spreads and ratios, from the numbers alone.

The mistake they exist to prevent: a table that is believed, or doubted, without asking which counts give it. Every
function says what is possible under what it is given; none says why a number is what it is.
Sources: Brown and Heathers 2017 (GRIM), Social Psychological and Personality Science 8(4); Anaya 2016 (GRIMMER), PeerJ
Preprints; Fazekas and Kovács 2023 (mlscorecheck), arXiv 2310.12527; Nadeau and Bengio 2003, Machine Learning 52(3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, floor

import numpy as np
from scipy.special import chdtr, ndtr, stdtr

from tonegap.arrays import FloatArray, IntArray
from tonegap.scores.formulas import gap, lowest_over_highest

_SLACK = 1e-9
# Two random fifths of one pool share images: their variance is this share of independent ones'.
_FINITE_POOL = 0.8
# Corners of the grid on which ratios are bounded, and tones that leave it more than two corners a side.
_GRID, _MOST_TONES = 10_000, 12
# A mean ratio is solved to this; columns that a round of solving adds.
_SOLVED, _COLUMNS = 1e-6, 300


@dataclass(frozen=True, slots=True)
class Rounded:
    """A share as reported, with half of its last digit's unit; `spread` is its standard deviation over test sets.

    `spread_half` is half of the unit of the spread's own last digit; the share's where it is None.
    """

    value: float
    half: float
    spread: float | None = None
    spread_half: float | None = None

    @property
    def low(self) -> float:
        """The smallest share that rounds to it, either way at the edge."""
        return self.value - self.half - _SLACK

    @property
    def high(self) -> float:
        """The largest share that rounds to it."""
        return self.value + self.half + _SLACK

    @property
    def spreads(self) -> tuple[float, float]:
        """The smallest and the largest standard deviation that round to the spread; 0 and 0 without one."""
        if self.spread is None:
            return 0.0, 0.0
        half = self.half if self.spread_half is None else self.spread_half
        return max(self.spread - half - _SLACK, 0.0), self.spread + half + _SLACK


def counts_of(share: Rounded, n: int) -> range:
    """The numbers of n images whose share rounds to the reported one; empty if there is none (GRIM)."""
    return range(max(ceil(share.low * n), 0), min(floor(share.high * n), n) + 1)


def too_even(share: Rounded, n: float, sets: int) -> float:
    """How often `sets` random test sets of n images spread as little as reported, or less; 1 without a spread.

    Chi-squared of the variance against p (1 - p) / n, times 0.8 as random fifths of one pool share images.
    """
    if share.spread is None or not 0 < share.value < 1:
        return 1.0
    expected = _FINITE_POOL * share.value * (1 - share.value) / n
    return float(chdtr(sets - 1, sets * share.spreads[1] ** 2 / expected))


@dataclass(frozen=True, slots=True)
class OneSet:
    """A single test set that gives a row: images and correct ones by tone."""

    n: tuple[int, ...]
    k: tuple[int, ...]


def one_sets(
    tones: Sequence[Rounded],
    totals: Sequence[int],
    mean: Rounded | None = None,
    pqd: Rounded | None = None,
    known: Sequence[int] = (),
) -> list[OneSet]:
    """Every single test set of 2 or 3 tones and one of the `totals` that gives the tones' accuracies, mean and PQD.

    `known` are images by tone where they are known.
    """
    most = max(totals)
    sizes = [[n] for n in known] if known else [range(1, most)] * len(tones)
    able = [_able(t, ns) for t, ns in zip(tones, sizes, strict=True)]
    by_size: dict[int, list[int]] = {}
    for n, k in able[-1]:
        by_size.setdefault(n, []).append(k)
    found = []
    for head in product(*able[:-1]):
        n_head = sum(n for n, _ in head)
        for total in totals:
            for last in by_size.get(total - n_head, ()):
                n_all = (*(n for n, _ in head), total - n_head)
                k_all = (*(k for _, k in head), last)
                if _fits(n_all, k_all, mean, pqd):
                    found.append(OneSet(n_all, k_all))
    return found


def _able(share: Rounded, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Every (n, count) of these numbers of images whose share rounds to the reported one; as `counts_of`."""
    n = np.array(sizes, dtype=np.int64)
    first = np.maximum(np.ceil(share.low * n), 0).astype(np.int64)
    last = np.minimum(np.floor(share.high * n), n).astype(np.int64)
    some = np.flatnonzero(first <= last)
    ends = zip(n[some].tolist(), first[some].tolist(), last[some].tolist(), strict=True)
    return [(size, k) for size, low, high in ends for k in range(low, high + 1)]


def _fits(n: Sequence[int], k: Sequence[int], mean: Rounded | None, pqd: Rounded | None) -> bool:
    if mean and not mean.low <= sum(k) / sum(n) <= mean.high:
        return False
    if pqd is None:
        return True
    shares = [right / images for right, images in zip(k, n, strict=True)]
    # Without an image right it is 0/0, and any number is printed.
    return max(shares) == 0 or pqd.low <= min(shares) / max(shares) <= pqd.high


def positives_of(
    row: OneSet, able: Sequence[Sequence[int]], dpm: Rounded | None, eom: Rounded | None
) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Positive images by tone, of those `able` in each, that give a row its DPM and EOM; and those recognised.

    Of two classes: DPM and EOM are means over both of lowest over highest rate by tone.
    """
    *heads, last = (_rates(*tone) for tone in zip(row.n, row.k, able, strict=True))
    head = np.indices([x.shape[1] for x in heads]).reshape(len(heads), -1)
    images, hit = (
        np.stack([x[i, at] for x, at in zip(heads, head, strict=True)]).astype(np.int64)
        for i in (0, 1)
    )
    shown = np.stack([x[2:, at] for x, at in zip(heads, head, strict=True)])
    least, most = shown.min(axis=0), shown.max(axis=0)
    found: dict[tuple[int, ...], tuple[int, ...]] = {}
    for m, h, *rates in last.T.tolist():
        with np.errstate(invalid="ignore"):
            ratio = [
                np.minimum(a, x) / np.maximum(b, x)
                for a, b, x in zip(least, most, rates, strict=True)
            ]
        fit = np.ones(len(least[0]), dtype=bool)
        for value, (one, other) in ((eom, ratio[:2]), (dpm, ratio[2:])):
            if value is not None:
                mean = (one + other) / 2
                fit &= (mean >= value.low) & (mean <= value.high)
        for ms, hs in zip(images[:, fit].T.tolist(), hit[:, fit].T.tolist(), strict=True):
            key, hits = (*ms, int(m)), (*hs, int(h))
            found[key] = min(found.get(key, hits), hits)
    return found


def _rates(n: int, k: int, able: Sequence[int]) -> FloatArray:
    """Positive images and recognised ones that k right of n allow, their recalls and both rates, [6, pairs]."""
    pairs = [(m, h) for m in able for h in range(max(k - n + m, 0), min(k, m) + 1)]
    m, h = np.array(pairs, dtype=float).reshape(-1, 2).T
    called = h + n - m - (k - h)
    return np.stack([m, h, h / m, (k - h) / (n - m), called / n, 1 - called / n])


def ratio_range(
    tones: Sequence[Rounded], sets: int, about: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """Bounds of the mean over `sets` of lowest over highest accuracy that the tones' means and spreads allow.

    No accuracies lie beyond them, though some within may not be reached: a linear program over the weights of a grid,
    for either kind of standard deviation. Whatever the accuracies, moving each to a corner of its cell, the nearer the
    more often, keeps their means and adds at most a quarter of the cell's width squared to their variances; a corner
    counts with the least (greatest) ratio of the cells that touch it. Solving ends where bounds reach below
    `about[0]` and above `about[1]`. NaN of more than twelve tones, and where no accuracies up to 1 have these means
    and spreads.
    """
    if len(tones) > _MOST_TONES:
        return np.nan, np.nan
    found = np.nan, np.nan
    for scale in (1.0, np.sqrt((sets - 1) / sets)):
        low, high = _ratio_bounds(tones, sets, scale, about)
        found = float(np.fmin(found[0], low)), float(np.fmax(found[1], high))
        if found[0] <= about[0] and about[1] <= found[1]:
            break
    return found


def _ratio_bounds(
    tones: Sequence[Rounded], sets: int, scale: float, about: tuple[float, float]
) -> tuple[float, float]:
    """The same where `scale` times the reported spread is the standard deviation of the sets themselves."""
    value, half = np.array([(t.value, t.half + _SLACK) for t in tones]).T[..., None]
    narrow, wide = scale * np.array([t.spreads for t in tones]).T[..., None]
    # None of so many values is further from its mean.
    reach = half + wide * np.sqrt(sets - 1)
    bottom, top = np.maximum(value - reach, 0), np.minimum(value + reach, 1)
    points = max(int(_GRID ** (1 / len(tones))), 2)
    cell = np.maximum(top - bottom, 0) / (points - 1)
    steps = np.indices([points] * len(tones)).reshape(len(tones), -1)
    x = bottom + cell * steps
    below, above = np.maximum(x - cell, bottom), np.minimum(x + cell, top)
    least = below.min(axis=0) / np.maximum(above.max(axis=0), _SLACK)
    most = np.minimum(above.min(axis=0) / np.maximum(below.max(axis=0), _SLACK), 1)
    z = (x - value) / reach
    limits = (half / reach, half / reach, (wide**2 + half**2 + cell**2 / 4) / reach**2)
    rows = np.vstack([z, -z, z**2, -(z**2)])
    ends = np.concatenate([*limits, -((narrow / reach) ** 2)]).ravel()
    first = np.flatnonzero((steps % max((points - 1) // 4, 1) == 0).all(axis=0))
    low = _least(least, rows, ends, first, about[0])
    return low, np.nan if np.isnan(low) else -_least(-most, rows, ends, first, -about[1])


def _least(
    cost: FloatArray, rows: FloatArray, ends: FloatArray, first: IntArray, enough: float
) -> float:
    """A lower bound of the mean cost of columns whose weighted `rows` stay below `ends`; NaN where no weights do.

    By column generation (Dantzig and Wolfe 1960, Operations Research 8(1)): solved over a few columns, then with those
    whose reduced cost is below 0. As weights sum to 1, the least reduced cost added is a lower bound of the whole.
    """
    from scipy.optimize import linprog  # half a second that every report would wait for

    used = first
    while True:
        found = linprog(
            cost[used], rows[:, used], ends, np.ones((1, len(used))), [1], method="highs"
        )
        if not found.success:
            if len(used) == len(cost):
                return float("nan")
            used = np.arange(len(cost))
            continue
        reduced = cost - found.ineqlin.marginals @ rows - found.eqlin.marginals[0]
        worst = min(float(reduced.min()), 0.0)
        if found.fun <= enough or worst > -_SOLVED or len(used) == len(cost):
            return float(found.fun) + worst
        better = np.argsort(reduced, kind="stable")[:_COLUMNS]
        used = np.union1d(used, better[reduced[better] < 0])


def f1_fits(share: Rounded, n: int) -> bool:
    """Whether some true positives and errors among n images give this F1, 2 TP / (2 TP + FP + FN)."""
    if share.low <= 0:
        return True
    hit = np.arange(1, n + 1)
    least, most = (2 * hit * (1 - end) / end for end in (min(share.high, 1.0), share.low))
    errors = np.ceil(least - _SLACK)
    return bool(((errors <= most + _SLACK) & (errors <= n - hit)).any())


def f1_sizes(shown: Sequence[Rounded], most: int) -> list[tuple[int, int]]:
    """Numbers of positive and negative images, up to `most` of each, that give every F1; smallest sums first."""
    sizes = [(m, q) for m in range(1, most + 1) for q in range(1, most + 1)]
    sizes.sort(key=lambda s: (sum(s), abs(s[0] - s[1])))
    return [size for size in sizes if f1_share(shown, size) == 1]


def f1_share(shown: Sequence[Rounded], size: tuple[int, int]) -> float:
    """The share of the F1 shown that this many positive and negative images can give."""
    can = f1_values(size)
    return float(np.mean([bool(((can >= s.low) & (can <= s.high)).any()) for s in shown]))


def f1_values(size: tuple[int, int], *, distinct: bool = True) -> FloatArray:
    """Every F1 of this many positive and negative images, 2 TP / (2 TP + FP + FN), or one for each TP and FP."""
    hit, wrong = np.meshgrid(np.arange(size[0] + 1), np.arange(size[1] + 1))
    values: FloatArray = (2 * hit / (size[0] + hit + wrong)).ravel()
    return np.unique(values) if distinct else values


def weighted_range(tones: Sequence[Rounded], n: Sequence[int]) -> tuple[float, float]:
    """The least and greatest share over all images that shares by tone of n images each allow.

    In whole images, but for a share that no count gives.
    """
    low = high = 0.0
    for share, images in zip(tones, n, strict=True):
        counts = counts_of(share, images)
        low += counts[0] if counts else share.low * images
        high += counts[-1] if counts else share.high * images
    return low / sum(n), high / sum(n)


@dataclass(frozen=True, slots=True)
class EqualTones:
    """What equal tones report, [draws] each: gap of means over sets and mean PQD."""

    gap: FloatArray
    pqd: FloatArray


def equal_tones(
    share: float, n: Sequence[float], sets: int, rng: np.random.Generator, draws: int = 4000
) -> EqualTones:
    """Gaps and PQD of tones that share one accuracy, of n images each in every one of `sets` test sets."""
    size = np.maximum(np.round(n), 1).astype(np.int64)
    x = rng.binomial(size, share, (draws, sets, len(size))) / size
    return EqualTones(gap(x.mean(axis=1)), lowest_over_highest(x, 2, least=1e-12).mean(axis=1))


def equal_recall(
    recall: tuple[float, float],
    images: Sequence[tuple[float, float]],
    sets: int,
    rng: np.random.Generator,
    draws: int = 2000,
) -> dict[str, FloatArray]:
    """DPM and EOM of two classes with the same recall in every tone, [draws]; `images` by tone: negative, positive."""
    size = np.maximum(np.round(images), 1).astype(np.int64)
    right = rng.binomial(size, recall, (draws, sets, *size.shape))
    called = (right[..., 1] + size[:, 0] - right[..., 0]) / size.sum(axis=1)
    rates = np.stack([called, 1 - called], axis=-1)
    found = {}
    for name, x in (("eom", right / size), ("dpm", rates)):
        found[name] = lowest_over_highest(x, 2, least=1e-12).mean(axis=(1, 2))
    return found


def luck(better: Rounded, other: Rounded, n: float, correlation: float) -> float:
    """The chance that equal accuracies differ so much on one test set of n images, or more, one-sided.

    `correlation` of being right; normal approximation.
    """
    p, q = better.value, other.value
    shared = 2 * correlation * np.sqrt(p * (1 - p) * q * (1 - q))
    error = np.sqrt(max((p * (1 - p) + q * (1 - q) - shared) / n, 1e-12))
    return float(ndtr(-(p - q) / error))


def luck_over_sets(better: Rounded, other: Rounded, sets: int, test_to_train: float) -> float:
    """The same over random splits, by the corrected resampled t of Nadeau and Bengio; NaN without spreads.

    The spreads are taken as the population's, of independent entries.
    """
    if better.spread is None or other.spread is None or sets < 2:
        return float("nan")
    variance = (better.spread**2 + other.spread**2) * sets / (sets - 1)
    error = np.sqrt(max((1 / sets + test_to_train) * variance, 1e-18))
    return float(stdtr(sets - 1, -(better.value - other.value) / error))
