"""Measures what a synthetic set teaches: the gain of a probe on held-out training images when it trains on it. Pure.

The mistake it exists to prevent: a set that looks right and teaches nothing. The probe is least squares on features;
held out are fifths of the real training images, never validation or test images.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tonegap.formats.quality_sheet import ALL, ProbeGain
from tonegap.synthetic.quality.distance import MIN_IMAGES, subsample
from tonegap.synthetic.quality.features import Array

N_FOLDS = 5
_PENALTY = 1.0
_MOST = 2000  # images of a set that the probe learns from; more are sampled evenly
_Z = 1.959964


def probe_gains(
    real: Array,
    made: Array,
    labels: tuple[Sequence[str], Sequence[str]],
    held_by: Sequence[Sequence[int]],
    tones: Mapping[str, NDArray[np.bool_]],
) -> tuple[ProbeGain, ...]:
    """Accuracy on held-out real images of each tone, trained on the others alone and with the synthetic set.

    `real` [n, d] and `made` [m, d] are features, `labels` those of both; `held_by` [m] are rows of the real images
    that a synthetic one was made from, in whose fold it is left out; `tones` are rows of the real images by tone.
    Row i of the real images is held out in fold i mod 5.
    """
    classes = sorted(set(labels[0]))
    if len(classes) < 2 or len(real) < MIN_IMAGES:
        few = f"{len(real)} real training images; at least {MIN_IMAGES} are wanted"
        why = few if len(real) < MIN_IMAGES else "the training images have one class"
        return tuple(ProbeGain(tone, int(rows.sum()), reason=why) for tone, rows in tones.items())
    y, y_made = (np.array([classes.index(x) if x in classes else -1 for x in of]) for of in labels)
    fold = np.arange(len(real)) % N_FOLDS
    alone, both = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for held in range(N_FOLDS):
        able = [
            label >= 0 and all(fold[i] != held for i in rows)
            for label, rows in zip(y_made, held_by, strict=True)
        ]
        own = subsample(np.flatnonzero(fold != held), _MOST)
        added = subsample(np.flatnonzero(able), _MOST)
        x, test, target = real[own], real[fold == held], y[own]
        alone[fold == held] = _called(x, target, test, x, len(classes)) == y[fold == held]
        more, targets = np.concatenate([x, made[added]]), np.concatenate([target, y_made[added]])
        both[fold == held] = _called(more, targets, test, x, len(classes)) == y[fold == held]
    return tuple(_gain(tone, alone[rows], both[rows]) for tone, rows in tones.items())


def _called(
    x: Array, y: NDArray[np.int64], test: Array, scale: Array, n_classes: int
) -> NDArray[np.int64]:
    """The class of each test row by regularised least squares on x; features are scaled as those of `scale`."""
    middle, spread = scale.mean(axis=0), scale.std(axis=0)
    able = spread > 1e-9 * max(float(np.abs(scale).max()), 1e-30)
    x, test = ((rows[:, able] - middle[able]) / spread[able] for rows in (x, test))
    wanted = np.eye(n_classes)[y]
    size = np.sqrt(max(x.shape[1], 1))
    x, test = (np.column_stack([rows / size, np.ones(len(rows))]) for rows in (x, test))
    if x.shape[1] <= len(x):
        weights = np.linalg.solve(x.T @ x + _PENALTY * np.eye(x.shape[1]), x.T @ wanted)
    else:
        weights = x.T @ np.linalg.solve(x @ x.T + _PENALTY * np.eye(len(x)), wanted)
    called: NDArray[np.int64] = (test @ weights).argmax(axis=1)
    return called


def _gain(tone: str, alone: NDArray[np.bool_], both: NDArray[np.bool_]) -> ProbeGain:
    """The difference of two shares of the same images with its 95 % interval.

    Source: Agresti and Min 2005, Statistics in Medicine 24(5): half an image is added to each cell of the paired table.
    """
    n = len(alone)
    if n < MIN_IMAGES:
        return ProbeGain(
            tone, n, reason=f"{n} real training images; at least {MIN_IMAGES} are wanted"
        )
    better, worse = int((both & ~alone).sum()), int((alone & ~both).sum())
    difference, size = (better - worse) / (n + 2), n + 2
    half = _Z * np.sqrt(((better + worse + 1) / size - difference**2) / size)
    return ProbeGain(
        tone, n, float(alone.mean()), float(both.mean()), (better - worse) / n,
        float(difference - half), float(difference + half),
    )  # fmt: skip


def tone_rows(
    real_tones: Sequence[str | None], tones: Sequence[str]
) -> dict[str, NDArray[np.bool_]]:
    """The rows of all real images, then of each tone."""
    of = {tone: np.array([t == tone for t in real_tones], bool) for tone in tones}
    return {ALL: np.ones(len(real_tones), bool), **of}
