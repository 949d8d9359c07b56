"""What choosing the epoch on test images gains, without the luck of choosing.

The best epoch of the test images scores above the one that validation picked even where all epochs are equally
good: it is the largest of several noisy numbers. Chosen on one half and scored on the other, it is not.
The mistake it exists to prevent: that luck, sold as a gain.
"""

from collections.abc import Sequence
from dataclasses import replace

from tonegap.arrays import BoolArray
from tonegap.formats.record import CrossFit, ScoreColumns
from tonegap.scores.halves import first_half
from tonegap.scores.metrics import score_table
from tonegap.scores.predictions import Labelled
from tonegap.scores.rules import ScoringRules
from tonegap.scores.selection import Selection, epoch_values, select
from tonegap.scores.tables import ALL, METRICS, Score
from tonegap.scores.task_rules import Rules, tone_axes
from tonegap.scores.undefined import Undefined

HALVES = ("first", "second")


def cross_fit(
    test: Labelled, units: Sequence[int], validation: Selection, rules: Rules
) -> CrossFit:
    """The gain over what validation picked: epoch and threshold from one half of the test units, scores of the other.

    `gains` has the scores over all images of each axis: the chosen epoch's minus that of `validation`, on the same
    half, mean over both ways. Each half needs half of the task's `min_support`. Undefined with a reason where a
    half cannot choose or has no score.
    """
    in_first = first_half(test, units)
    parts = [_part(test, in_first), _part(test, ~in_first)]
    n = len(parts[0].ids), len(parts[1].ids)
    for name, part in zip(HALVES, parts, strict=True):
        values = epoch_values(part, rules.selection_metric, rules.plain)
        if isinstance(values, Undefined):
            why = f"the {name} half of the test images cannot choose an epoch: {values.reason}"
            return CrossFit((), n, {axis: _undefined(why) for axis, _, _ in _axes(test, rules)})
    chosen = [select(part, rules.selection_metric, rules.plain) for part in parts]
    epochs = tuple(test.epochs[choice.epoch_index] for choice in chosen)
    gains: dict[str, list[list[Score]]] = {}
    for part, choice in zip(parts, reversed(chosen), strict=True):
        picked, usual = _overall(part, choice, rules), _overall(part, validation, rules)
        for axis in picked:
            gains.setdefault(axis, []).append(
                [_minus(*pair) for pair in zip(picked[axis], usual[axis], strict=True)]
            )
    return CrossFit(epochs, n, {axis: _mean(*halves) for axis, halves in gains.items()})


def _axes(
    images: Labelled, rules: Rules
) -> list[tuple[str, tuple[str | None, ...], tuple[str, ...]]]:
    return tone_axes(images.tones, rules.tones)


def _part(images: Labelled, chosen: BoolArray) -> Labelled:
    def kept(values: Sequence[str | None]) -> tuple[str | None, ...]:
        return tuple(value for value, keep in zip(values, chosen, strict=True) if keep)

    ids = tuple(i for i, keep in zip(images.ids, chosen, strict=True) if keep)
    return replace(
        images, ids=ids, p=images.p[:, chosen], y=images.y[chosen], tones=kept(images.tones)
    )


def _overall(images: Labelled, choice: Selection, rules: Rules) -> dict[str, list[Score]]:
    """The scores over all images at a choice, in the order of METRICS, by axis."""
    support = max(1, -(-rules.min_support // 2))
    found = {}
    for axis, tones, scored in _axes(images, rules):
        of_axis = ScoringRules(rules.classes, rules.positive, choice.threshold, support, scored)
        table = score_table(images.p[choice.epoch_index], images.y, tones, of_axis)
        found[axis] = [table.score(metric.name, ALL) for metric in METRICS]
    return found


def _minus(picked: Score, usual: Score) -> Score:
    if picked.value is None or usual.value is None:
        return replace(picked, value=None, reason=picked.reason or usual.reason)
    return replace(picked, value=picked.value - usual.value)


def _mean(one: Sequence[Score], other: Sequence[Score]) -> ScoreColumns:
    """The mean of the gains on both halves, metric by metric."""
    values: list[float | None] = []
    reasons: list[str | None] = []
    for pair in zip(one, other, strict=True):
        lacking = [(name, s.reason) for name, s in zip(HALVES, pair, strict=True) if s.reason]
        reasons.append(
            f"{lacking[0][0]} half of the test images: {lacking[0][1]}" if lacking else None
        )
        known = [score.value for score in pair if score.value is not None]
        values.append(None if lacking else sum(known) / 2)
    n = tuple(a.n + b.n for a, b in zip(one, other, strict=True))
    return ScoreColumns(*_named(), tuple(values), n, tuple(reasons))


def _undefined(why: str) -> ScoreColumns:
    nothing = (None,) * len(METRICS)
    return ScoreColumns(*_named(), nothing, (0,) * len(METRICS), (why,) * len(METRICS))


def _named() -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(metric.name for metric in METRICS), (ALL,) * len(METRICS)
