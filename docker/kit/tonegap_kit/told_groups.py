"""The groups that a baseline is told of: tones, or something else in their place.

The axis that a baseline mitigates by need not be the one that is scored. The engine scores tones whatever happens
here.

Source: "Subgroups matter for robust bias mitigation", ICML 2025 (arXiv 2505.21363), for the question.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.baseline import TrainingData
from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN, Partition

AXES = ("tone", "light-dark", "class", "tone-class", "random")
Codes = NDArray[np.int64]


def told_groups(stage: Stage, data: TrainingData) -> tuple[Stage, TrainingData]:
    """The stage and its images with the groups of `mitigate_by` in place of tones, in `job.tones` and every `t`.

    `tone` changes nothing. `light-dark` is the lighter half of the task's tones and the rest: types I to III and IV
    to VI. `class` and `tone-class` are known where labels are told, so not of test images. `random` permutes the tone
    labels of each partition among its images of known tone: what is left when a group says nothing.

    Raises StageError for another axis, and where one that is not `tone` leaves no training image a group.
    """
    axis = stage.job.text("mitigate_by")
    if axis not in AXES:
        raise StageError(f"mitigate_by is {axis!r}, wanted one of {', '.join(AXES)}")
    if axis == "tone":
        return stage, data
    names = _names(axis, stage.job.tones, stage.job.classes)
    train, held_out = (
        replace(part, t=_codes(axis, part, stage, purpose))
        for part, purpose in ((data.train, "groups of train"), (data.held_out, "groups held out"))
    )
    if not (train.t != UNKNOWN).any():
        raise StageError("train.csv: no training image has a tone, but this baseline needs them")
    told = replace(stage, job=replace(stage.job, tones=names))
    return told, replace(data, train=train, held_out=held_out)


def worst_group(hits: NDArray[np.bool_], t: Codes, n_groups: int) -> int:
    """The group of lowest accuracy, by hits `[n]` of images whose group is known; the last of equal ones.

    A group without images is not asked. Raises StageError where fewer than two groups have images.
    """
    n = np.bincount(t[t != UNKNOWN], minlength=n_groups)
    if (n > 0).sum() < 2:
        raise StageError("validation.csv: fewer than two groups have images to compare")
    right = np.bincount(t[(t != UNKNOWN) & hits], minlength=n_groups)
    accuracy = np.where(n > 0, right / n.clip(1), np.inf)
    return n_groups - 1 - int(accuracy[::-1].argmin())


def _names(axis: str, tones: tuple[str, ...], classes: tuple[str, ...]) -> tuple[str, ...]:
    if axis == "light-dark":
        return ("light", "dark")
    if axis == "class":
        return classes
    if axis == "tone-class":
        return tuple(f"{tone} {label}" for tone in tones for label in classes)
    return tones


def _codes(axis: str, part: Partition, stage: Stage, purpose: str) -> Codes:
    n_tones, n_classes = len(stage.job.tones), len(stage.job.classes)
    known = part.t != UNKNOWN
    if axis == "light-dark":
        return np.where(known, (2 * part.t >= n_tones - n_tones % 2).astype(np.int64), UNKNOWN)
    if axis == "class":
        return part.y
    if axis == "tone-class":
        told = known & (part.y != UNKNOWN)
        return np.where(told, part.t * n_classes + part.y, UNKNOWN)
    codes = part.t.copy()
    if axis == "random":
        codes[known] = stage.rng(purpose).permutation(codes[known])
    return codes
