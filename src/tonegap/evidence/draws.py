"""Draws of test images with replacement: how often each image counts in each draw.

The same images are drawn alike for every entry, so that entries are compared image by image.
Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 8.
"""

import numpy as np

from tonegap.evidence.images import TestImages
from tonegap.score.arrays import FloatArray, IntArray


def draw_weights(images: TestImages, n_draws: int) -> FloatArray:
    """How often each image counts in each draw, [draws, n].

    Whole units are drawn, each from the stratum of units with the same tones, so every draw has as
    many units of each tone as the test set. The draws follow from the images alone.
    """
    rng = np.random.default_rng(list(images.digest[:16]))
    units, unit_of = np.unique(images.unit, return_inverse=True)
    counts = np.zeros((len(units), n_draws))
    for members in _strata(images, unit_of, len(units)):
        drawn = rng.integers(len(members), size=(n_draws, len(members)))
        flat = drawn * n_draws + np.arange(n_draws)[:, None]
        times = np.bincount(flat.ravel(), minlength=n_draws * len(members))
        counts[members] = times.reshape(len(members), n_draws)
    return counts[unit_of].T  # draws next to each other in memory, as `tally` reads them


def _strata(images: TestImages, unit_of: IntArray, n_units: int) -> list[IntArray]:
    """Units by the set of tones among their images; most have one tone."""
    holds = np.zeros((n_units, len(images.tones) + 1), dtype=np.bool_)
    holds[unit_of, images.slots] = True
    _, stratum = np.unique(holds, axis=0, return_inverse=True)
    return [np.flatnonzero(stratum == s) for s in range(int(stratum.max()) + 1)]
