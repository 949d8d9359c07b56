"""A `postprocess` stage from files to predictions, given how a rule is fitted on validation images.

The rule of an epoch is fitted on that epoch's validation predictions, with labels and tones; test images come to the
finished rule alone. The mistake it exists to prevent: anything fitted on test images.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.job import Job
from tonegap_kit.partition import UNKNOWN, read_manifest
from tonegap_kit.predictions import write_notes, write_predictions

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
# Probabilities [n, classes] and tone indices [n] to new probabilities [n, classes].
Adjustment = Callable[[Floats, Indices], Floats]
# Probabilities, class indices and tone indices of validation images to a rule.
Fit = Callable[[Floats, Indices, Indices], Adjustment]

LEAST = 1e-12  # a smaller probability counts as this one where its logarithm is taken


def adjust_predictions(stage: Stage, fit: Fit) -> None:
    """Leaves the predictions that the rule of each epoch makes of what the stage was given.

    Raises StageError for files that are missing or do not fit each other.
    """
    validation, test = read_manifest(stage, "validation"), read_manifest(stage, "test")
    epochs = [int(line) for line in (stage.inputs / "epochs.csv").read_text().split()[1:]]
    p = _read(stage, "validation", len(epochs), len(validation.ids))
    p_test = _read(stage, "test", len(epochs), len(test.ids))
    found = {}
    for epoch, known, asked in zip(epochs, p, p_test, strict=True):
        rule = fit(known, validation.y, validation.t)
        found[epoch] = np.concatenate([rule(known, validation.t), rule(asked, test.t)])
    write_predictions(stage.out, (*validation.ids, *test.ids), stage.job.classes, found)
    write_notes(stage.out, {"fitted on": "validation", "validation images": len(validation.ids)})


def tone_by_tone(fit: Callable[[Floats, Indices], Callable[[Floats], Floats]], least: int) -> Fit:
    """A rule of its own for each tone with at least `least` validation images, and of all images for every other.

    The rule of all images is also that of images whose tone is unknown.
    """

    def fit_each(p: Floats, y: Indices, t: Indices) -> Adjustment:
        numbers, counts = np.unique(t[t != UNKNOWN], return_counts=True)
        of_all = fit(p, y)
        of_tone = {int(k): fit(p[t == k], y[t == k]) for k in numbers[counts >= least]}

        def rule(asked: Floats, tones: Indices) -> Floats:
            found = of_all(asked)
            for tone, own in of_tone.items():
                found[tones == tone] = own(asked[tones == tone])
            return found

        return rule

    return fit_each


def pooled(fit: Callable[[Floats, Indices], Callable[[Floats], Floats]]) -> Fit:
    """One rule for all images, whatever their tone."""

    def fit_all(p: Floats, y: Indices, t: Indices) -> Adjustment:
        del t
        of_all = fit(p, y)
        return lambda asked, _tones: of_all(asked)

    return fit_all


def positive_index(job: Job) -> int:
    """The index of the positive class of two. Raises StageError for a task of another kind."""
    if (len(job.classes), len(job.positive)) != (2, 1):
        raise StageError(
            f"job.json: {len(job.classes)} classes, {len(job.positive)} positive; wanted two and one"
        )
    return job.classes.index(job.positive[0])


def of_two(p_positive: Floats, positive: int) -> Floats:
    """Probabilities of both classes [n, 2] from that of the positive one [n]."""
    both = np.empty((len(p_positive), 2))
    both[:, positive], both[:, 1 - positive] = p_positive, 1 - p_positive
    return both


def _read(stage: Stage, name: str, n_epochs: int, n: int) -> Floats:
    path = stage.inputs / f"{name}_predictions.npy"
    try:
        p: Floats = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise StageError(f"{path}: cannot be read as an array: {problem}") from None
    wanted = (n_epochs, n, len(stage.job.classes))
    if p.shape != wanted or p.dtype != np.float64:
        raise StageError(
            f"{path}: holds {p.dtype} {list(p.shape)}, wanted float64 {list(wanted)}: epochs, images, classes"
        )
    return p
