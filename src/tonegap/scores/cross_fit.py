"""Computes what choosing the epoch on test images gains, without the luck of choosing.

The best epoch of the test images scores above the one that validation picked even where all epochs are equally
good: it is the largest of several noisy numbers. Chosen on one half and scored on the other, it is not.
The mistakes it exists to prevent: that luck, sold as a gain; a picture in one half and its near-duplicate in the other.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tonegap.arrays import BoolArray
from tonegap.formats.record import CrossFit, ScoreColumns
from tonegap.scores.metrics import Held, score_table
from tonegap.scores.predictions import Labelled
from tonegap.scores.selection import Selection, epoch_values, select
from tonegap.scores.tables import ALL, METRICS, Score, ScoreTable
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
            return CrossFit(
                (), n, {axis: _undefined(why) for axis, _, _ in tone_axes(test.tones, rules.tones)}
            )
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


def first_half(images: Labelled, units: Sequence[int]) -> BoolArray:
    """Which images are in the first of two halves, [n]; the same ids and units give the same halves in any order.

    The images of a unit (near-duplicates) stay together. Units are assigned within each class and tone, in the order
    of the SHA-256 of their smallest image id, larger units first; a unit goes to the half that has fewer images of
    its class and tone, then to the one that has fewer images at all. A unit's class and tone are those of that image.
    """
    rows_of: dict[int, list[int]] = {}
    for row, unit in enumerate(units):
        rows_of.setdefault(unit, []).append(row)
    strata: dict[tuple[int, str], list[tuple[int, str, list[int]]]] = {}
    for rows in rows_of.values():
        named = min(rows, key=lambda row: images.ids[row])
        stratum = int(images.y[named]), images.tones[named] or ""
        digest = hashlib.sha256(images.ids[named].encode()).hexdigest()
        strata.setdefault(stratum, []).append((-len(rows), digest, rows))
    in_first = np.zeros(len(images.ids), dtype=np.bool_)
    n_all = [0, 0]
    for _, members in sorted(strata.items()):
        n_own = [0, 0]
        for _, _, rows in sorted(members):
            half = min((0, 1), key=lambda h: (n_own[h], n_all[h], h))
            n_own[half] += len(rows)
            n_all[half] += len(rows)
            in_first[rows] = half == 0
    return in_first


def _part(images: Labelled, chosen: BoolArray) -> Labelled:
    rows = np.flatnonzero(chosen)
    ids, tones = tuple(images.ids[i] for i in rows), tuple(images.tones[i] for i in rows)
    return replace(images, ids=ids, p=images.p[:, rows], y=images.y[rows], tones=tones)


def _overall(images: Labelled, choice: Selection, rules: Rules) -> dict[str, list[Score]]:
    """The scores over all images at a choice, in the order of METRICS, by axis."""
    half = replace(rules, min_support=max(1, -(-rules.min_support // 2)))
    tables = axis_tables(images, choice, half, held="not")  # nothing of a tone is kept
    return {axis: [t.score(metric.name, ALL) for metric in METRICS] for axis, t in tables.items()}


def axis_tables(
    images: Labelled, choice: Selection, rules: Rules, *, held: Held
) -> dict[str, ScoreTable]:
    """The scores at a choice of epoch and threshold on each tone axis, `held` as `score_table` says."""
    p, tables = images.p[choice.epoch_index], {}
    for axis, tones, scored in tone_axes(images.tones, rules.tones):
        of_axis = rules.on(scored, choice.threshold)
        tables[axis] = score_table(p, images.y, tones, of_axis, held=held)
    return tables


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
