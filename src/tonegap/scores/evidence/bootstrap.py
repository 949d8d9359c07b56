"""Draws of test images with replacement: how often each image counts in each draw.

The same images are resampled for every entry and at every seed, so that entries are compared image by image
and an image in the test sets of several seeds is one piece of evidence, not several.
Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 8.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.scores.evidence.images import TestImages


@dataclass(frozen=True, eq=False)
class Union:
    """The units of all seeds' test sets together, ordered by the smallest id of their images.

    `names`: that id; `members`: the unit of each image at each seed, [n] of a seed. Units of two seeds that
    share an image are one, whatever numbers they have there. `tones` [units, tones + 1]: whether a unit has an
    image of each tone, the unknown one last.
    """

    names: tuple[str, ...]
    members: tuple[IntArray, ...]
    tones: BoolArray

    @cached_property
    def digest(self) -> bytes:
        """Names the units and their tones: unions with one digest are drawn alike."""
        return sha256(repr((self.names, self.tones.tolist())).encode()).digest()

    @property
    def strata(self) -> list[IntArray]:
        """Units by the set of tones among their images; most have one tone."""
        _, stratum = np.unique(self.tones, axis=0, return_inverse=True)
        return [np.flatnonzero(stratum == s) for s in range(int(stratum.max()) + 1)]


@lru_cache(maxsize=8)
def union_of(seeds: tuple[TestImages, ...]) -> Union:
    """The units of the test sets of one or more seeds."""
    place = {name: i for i, name in enumerate(sorted({i for s in seeds for i in s.ids}))}
    at = [np.array([place[name] for name in s.ids], dtype=np.int64) for s in seeds]
    unit_of = _joined_units(at, [s.unit for s in seeds], len(place))
    # Names are sorted: the first image of a unit has the smallest id.
    _, first, unit_of = np.unique(unit_of, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    members = tuple(rank[unit_of[images]] for images in at)
    tones = np.zeros((len(first), len(seeds[0].tones) + 1), dtype=np.bool_)
    for images, own in zip(seeds, members, strict=True):
        tones[own, images.slots] = True
    ids = list(place)
    return Union(tuple(ids[i] for i in np.sort(first)), members, tones)


def _joined_units(images: Sequence[IntArray], units: Sequence[IntArray], n_images: int) -> IntArray:
    """A number for each image, the same for those joined by units of any seed, [images]."""
    columns, n_units = [], n_images
    for unit in units:
        _, numbered = np.unique(unit, return_inverse=True)
        columns.append(n_units + numbered)
        n_units = int(columns[-1].max(initial=n_units - 1)) + 1
    pairs = np.concatenate(images), np.concatenate(columns)
    links = coo_matrix((np.ones(len(pairs[0])), pairs), shape=(n_units, n_units))
    _, joined = connected_components(links, directed=False)
    found: IntArray = joined[:n_images].astype(np.int64)
    return found


@lru_cache(maxsize=8)
def draw_weights(seeds: tuple[TestImages, ...], n_draws: int) -> tuple[FloatArray, ...]:
    """How often each image counts in each draw, [draws, n] of each seed.

    Whole units are drawn from those of all seeds together, each from the stratum of units with the same tones:
    at seeds with one test set every draw has as many units of each tone as that set. The draws follow from the
    images alone. Seeds with the same images share an array.
    """
    union = union_of(seeds)
    rng = np.random.default_rng(list(union.digest[:16]))
    counts = np.zeros((len(union.names), n_draws))
    for members in union.strata:
        drawn = rng.integers(len(members), size=(n_draws, len(members)))
        flat = drawn * n_draws + np.arange(n_draws)[:, None]
        times = np.bincount(flat.ravel(), minlength=n_draws * len(members))
        counts[members] = times.reshape(len(members), n_draws)
    made: dict[bytes, FloatArray] = {}
    for own in union.members:
        if own.tobytes() not in made:
            # Draws next to each other in memory, as `count_draws` reads them.
            made[own.tobytes()] = counts[own].T
    return tuple(made[own.tobytes()] for own in union.members)


def variance_over(draws: FloatArray, axis: int) -> FloatArray:
    """The variance of draws along an axis, of those that are defined."""
    defined = np.isfinite(draws)
    variance: FloatArray
    if defined.all():
        variance = draws.var(axis=axis)
        return variance
    n = np.maximum(defined.sum(axis=axis, keepdims=True), 1)
    mean = np.where(defined, draws, 0).sum(axis=axis, keepdims=True) / n
    squares = np.where(defined, (draws - mean) ** 2, 0).sum(axis=axis, keepdims=True)
    variance = (squares / n).squeeze(axis)
    return variance
