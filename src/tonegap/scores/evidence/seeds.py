"""Means over training seeds, and how much other seeds would move them.

The mistake it exists to prevent: a method's score, known as well as that of the few networks that were trained.
A score is that of the method + what test images add + what seeds add. Draws of images say the second; the third
is what seeds differ by more than draws explain, and a single entry has too few seeds to say it: all entries of
a table say it together. Sources: Searle, Casella and McCulloch 1992, Variance Components, on moments; Owen 2007,
Annals of Applied Statistics 1(2), on crossed draws; Bouthillier et al. 2021, arXiv 2103.03098.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import BoolArray, FloatArray
from tonegap.scores.counts import Answers
from tonegap.scores.evidence.bootstrap import variance_over
from tonegap.scores.evidence.images import TestImages
from tonegap.scores.evidence.proportions import Seeds


@dataclass(frozen=True, eq=False)
class SampledMetric:
    """One metric at one seed by slot: `point` [1, slots] as measured, every image once; `draws` [draws, slots]."""

    point: FloatArray
    draws: FloatArray


@dataclass(frozen=True, eq=False)
class SeedMean:
    """A metric's mean over seeds for each slot: tones, then all; all alone where it compares tones.

    `point` [slots] as measured, `draws` [draws, slots] of images. `n` [slots]: groups of near-duplicates that it
    rests on, of the rarer side where there are sides. `between` [slots]: variance over seeds; `excess`: beyond what
    draws explain, below 0 by chance; both None with one seed. `variance` [slots]: over images, if not from draws.
    `alone` [slots]: how many images it is worth, each looked at once, if not `n`. `df` [slots]: degrees of freedom of
    its variance over images, if not `n` - 1.
    """

    point: FloatArray
    draws: FloatArray
    n: FloatArray
    n_seeds: int
    excess: FloatArray | None
    between: FloatArray | None
    variance: FloatArray | None = None
    alone: FloatArray | None = None
    df: FloatArray | None = None


def seed_mean(seeds: Sequence[SampledMetric], n: FloatArray) -> SeedMean:
    """A metric's mean over what each seed measured, in the same draws of images."""
    points = np.stack([s.point[0] for s in seeds])
    draws = [np.asfortranarray(s.draws) for s in seeds]
    mean = draws[0] if len(draws) == 1 else sum(draws[1:], draws[0]) / len(draws)
    excess = between = None
    if len(seeds) > 1:
        within = np.sum([variance_over(one - mean, axis=0) for one in draws], axis=0) / (
            len(seeds) - 1
        )
        between = points.var(axis=0, ddof=1)
        excess = between - unbiased(within, n)
    return SeedMean(points.mean(axis=0), mean, n, len(seeds), excess, between)


def unbiased(variance: FloatArray, n: FloatArray) -> FloatArray:
    """A variance of draws with replacement from n units: they vary too little, by (n - 1) / n."""
    most = np.maximum(n, 2)
    found: FloatArray = variance * most / (most - 1)
    return found


@dataclass(frozen=True, eq=False)
class SeedVariance:
    """The variance over training seeds of one seed's score, pooled over entries, by metric [slots].

    `between` is that before what draws of images explain is taken off, with `df` degrees of freedom: seeds minus one
    of each entry, added up.
    """

    variance: Mapping[str, FloatArray]
    between: Mapping[str, FloatArray]
    df: Mapping[str, FloatArray]
    n_entries: int

    def of_mean(self, metric: str, slot: int, n_seeds: int) -> Seeds:
        """What seeds add to the mean over so many."""
        variance, between, df = (
            float(of[metric][slot]) for of in (self.variance, self.between, self.df)
        )
        return Seeds(variance / n_seeds, between / n_seeds, df)


def pooled(entries: Iterable[Mapping[str, SeedMean]]) -> SeedVariance | None:
    """The seeds' variance from all entries with two seeds or more; None if there are none.

    What exceeds is averaged over entries before it is cut at 0; each counts by its seeds minus one.
    """
    able = [e for e in entries if any(m.excess is not None for m in e.values())]
    if not able:
        return None
    variance, between, df = {}, {}, {}
    for metric in able[0]:
        found = [e[metric] for e in able]
        seeds = np.array([[m.n_seeds - 1.0] for m in found])
        excess = np.stack([m.excess for m in found if m.excess is not None])
        total = np.stack([m.between for m in found if m.between is not None])
        df[metric] = (seeds * np.isfinite(excess)).sum(axis=0)
        variance[metric] = np.maximum(_mean(excess, seeds), 0)
        between[metric] = _mean(total, seeds)
    return SeedVariance(variance, between, df, len(able))


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The weighted mean over entries of what is defined, [slots]; 0 without any."""
    defined = np.isfinite(values)
    sums = (weights * defined).sum(axis=0)
    mean: FloatArray = np.where(defined, weights * values, 0).sum(axis=0) / np.maximum(sums, 1)
    return mean


def units_behind(images: TestImages, said: Answers) -> dict[str, FloatArray]:
    """How many groups of near-duplicates stand behind each metric of each slot, [slots].

    Of a mean over classes: as many as images of one class would have to be for the mean's variance.
    """
    every, classes = units_of(images), _class_units(images, said.n_classes)
    with np.errstate(divide="ignore"):
        mean_of_classes = len(classes) ** 2 / (1 / classes).sum(axis=0)
    sides = np.stack(
        [
            units_of(images, said.positive[:, j] == side)
            for j in range(said.positive.shape[1])
            for side in (True, False)
        ]
    )
    return {
        "accuracy": every,
        "ece": every,
        "balanced_accuracy": mean_of_classes,
        "macro_f1": mean_of_classes,
        "auc": sides.min(axis=0),
        "sensitivity": sides[0],
        "specificity": sides[1],
    }


def class_mean_worth(images: TestImages, said: Answers) -> dict[str, FloatArray]:
    """How many images, each looked at once, means over classes are worth at one seed, and its df: [2, slots] by metric.

    Worth is p (1 - p) / variance, at most all images; `df` that of the variance by Satterthwaite, n - 1 of each class.
    The variance is that of the delta method on a confusion matrix: of each class as many images as it has groups,
    called as in all tones together, with two more, one right and one wrong (Agresti and Caffo 2000, American
    Statistician 54(4)). So five of five images of a class have some. Next to none where a class has no image.
    """
    k = said.n_classes
    table = np.bincount(images.y * k + said.predicted, minlength=k * k).reshape(k, k)
    diagonal = np.eye(k)
    more = diagonal + (1 - diagonal) / max(k - 1, 1)
    called = (table + more) / (table.sum(axis=1, keepdims=True) + 2)
    n = np.maximum(_class_units(images, k).T, 1e-9)  # [slots, k]
    expected = n[..., None] * called
    right, sums = n * np.diag(called), n + expected.sum(axis=1)
    of_recall = diagonal / n[:, None] / k
    of_f1 = 2 * (diagonal / sums[:, None] - (right / sums**2)[:, None]) / k
    found = {}
    for name, slope, p in (
        ("balanced_accuracy", of_recall, np.diag(called).mean()),
        ("macro_f1", of_f1, (2 * right / sums).mean(axis=1)),
    ):
        parts = n * ((slope**2 * called).sum(axis=2) - (slope * called).sum(axis=2) ** 2)
        variance, df = parts.sum(axis=1), (parts**2 / np.maximum(n - 1, 1)).sum(axis=1)
        worth = np.minimum(p * (1 - p) / variance, n.sum(axis=1))
        found[name] = np.stack((worth, variance**2 / df))
    return found


def _class_units(images: TestImages, n_classes: int) -> FloatArray:
    """Groups of near-duplicates of each class in each slot, [classes, slots]."""
    return np.stack([units_of(images, images.y == c) for c in range(n_classes)])


def units_of(images: TestImages, chosen: BoolArray | None = None) -> FloatArray:
    """Groups of near-duplicates among the images, or those chosen, of each slot, [slots]."""
    chosen = np.ones(len(images), dtype=np.bool_) if chosen is None else chosen
    members = [chosen & (images.tone == t) for t in range(len(images.tones))]
    return np.array([float(len(np.unique(images.unit[m]))) for m in (*members, chosen)])
