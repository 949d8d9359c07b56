"""Checks that the images of a task can be scored, before anything is trained.

The same functions decide that score the predictions afterwards.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tonegap.arrays import class_indices
from tonegap.errors import BadSplit
from tonegap.formats.truth import PartTruth
from tonegap.scores.metrics import lacking, tones_to_score
from tonegap.scores.predictions import Labelled
from tonegap.scores.rules import ScoringRules
from tonegap.scores.selection import epoch_values
from tonegap.scores.tables import metric_named
from tonegap.scores.undefined import Undefined
from tonegap.split.parts import SplitAssignment


class LabelledImages(Protocol):
    """Labels and tones of the images of a partition."""

    @property
    def labels(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def tones(self) -> Sequence[str | None]: ...  # noqa: D102


def check_scorable(
    where: str, rules: ScoringRules, metric: str, validation: LabelledImages, test: LabelledImages
) -> None:
    """Raises BadSplit where scoring would fail: a test tone that is not scored, or an undefined selection metric.

    An epoch is chosen on the validation images and, to compare, on the test images.
    """
    tones_to_score(test.tones, rules, f"{where}: test ")
    for name, part in (("validation", validation), ("test", test)):
        values = epoch_values(_called_alike(part, rules.classes), metric, rules)
        if isinstance(values, Undefined):
            raise BadSplit(
                f"{where}: no epoch can be selected by {metric} on the {name} images: {values.reason}; "
                "choose another selection.metric, another split or more images"
            )


def check_support(where: str, rules: ScoringRules, metric: str, test: LabelledImages) -> None:
    """Raises BadSplit where a scored tone has too few test images for the metric that ranks: its worst tone and gap
    would be undefined, and no entry ranked, after everything was trained.
    """
    if rules.tones is not None and len(rules.tones) < 2 and not metric_named(metric).per_tone:
        raise BadSplit(
            f"{where}: nothing could be ranked by {metric}, which compares tones: one tone is scored; score another or "
            "rank by a metric of each tone"
        )
    for tone in rules.tones or ():
        rows = zip(test.labels, test.tones, strict=True)
        y = class_indices((label for label, other in rows if other == tone), rules.classes)
        if short := lacking(metric, tone, y, rules):
            raise BadSplit(
                f"{where}: nothing could be ranked by {metric} on the test images: {short.reason}; name the tone in "
                "tones.not_scored, score groups of tones, lower scores.min_support, or choose another split or metric"
            )


def part_of(made: SplitAssignment, name: str) -> PartTruth:
    """What is known of the images of one partition before any of them is looked at."""
    rows = [i for i, part in enumerate(made.parts) if part == name]
    labels, tones = (made.labels[i] or "" for i in rows), (made.tones[i] for i in rows)
    return PartTruth(tuple(made.ids[i] for i in rows), tuple(labels), tuple(tones), ())


def _called_alike(part: LabelledImages, classes: tuple[str, ...]) -> Labelled:
    """One epoch of predictions that are the same for every image."""
    n, k = len(part.labels), len(classes)
    y = class_indices(part.labels, classes)
    return Labelled(classes, ("",) * n, (0,), np.full((1, n, k), 1 / k), y, tuple(part.tones))
