"""The metrics of the pruning line: light (types I-III) against dark (IV-VI) skin, beside what equal recall gives.

The mistake they exist to prevent: an Eopp1 of 0.28 taken for unfairness where both groups are recognised alike. As
published a rate that is 0/0 in a group is 0 there, and images of unknown tone are dark; on defined cells alone a class
counts where both groups' rates are defined, and images of unknown tone are left out. The null permutes groups within
class, by the same rule.
Sources: Wu et al. 2022 (FairPrune), arXiv 2203.02110, for Eopp0, Eopp1, Eodd; Xu et al. 2023 (FairAdaBN) for FATE.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.scores.evidence.parity import Parity, parity
from tonegap.tones import GROUPS, TYPES

LIGHT, DARK = 0, 1
N_DEALS = 400
_METRICS = ("eopp0", "eopp1", "eodd")


@dataclass(frozen=True, slots=True)
class LightDark:
    """Eopp0, Eopp1 and Eodd of one set of answers, and each beside its null; `n` images of light and dark skin.

    `macro` has precision, recall and F1 of `light`, `dark` and `all`, means over classes.
    """

    values: dict[str, float]
    nulls: dict[str, Parity | None]
    macro: dict[tuple[str, str], float]
    n: tuple[int, int]


def light_or_dark(tones: Sequence[str | None], *, as_published: bool) -> IntArray | None:
    """0 for light, 1 for dark, -1 for unknown, [n]; unknown is dark `as_published`. None where III-IV is one tone."""
    if GROUPS[1] in tones:
        return None
    light = frozenset((*TYPES[:3], GROUPS[0]))
    unknown = DARK if as_published else -1
    return np.array([unknown if t is None else LIGHT if t in light else DARK for t in tones])


def light_dark(
    y: IntArray, predicted: IntArray, group: IntArray, n_classes: int, *, as_published: bool
) -> LightDark:
    """The scores of answers [n] by class and group (-1: in no group); NaN where no class is defined.

    On defined cells (not `as_published`) Eopp0 is over classes of which both groups have negatives, Eopp1 positives,
    Eodd both; macro scores over those with positives in both, precision where both also predict them. As published
    the three have all `n_classes`, and macro scores are scikit-learn's: over classes that a group has or predicts.
    """
    known = group >= 0
    y, predicted, group = y[known], predicted[known], group[known]
    values = _differences(y, predicted, group, n_classes, as_published)
    rng = np.random.default_rng([1, len(y)])
    order = np.argsort(y, kind="stable")
    ends = np.cumsum(np.bincount(y, minlength=n_classes))[:-1]
    drawn = np.empty((N_DEALS, len(_METRICS)))
    for deal in drawn:
        dealt = np.empty_like(group)
        dealt[order] = np.concatenate([rng.permutation(p) for p in np.split(group[order], ends)])
        deal[:] = list(_differences(y, predicted, dealt, n_classes, as_published).values())
    nulls = {name: parity(values[name], drawn[:, i]) for i, name in enumerate(_METRICS)}
    n_light, n_dark = np.bincount(group, minlength=2).tolist()
    macro = _macro(y, predicted, group, n_classes, as_published)
    return LightDark(values, nulls, macro, (n_light, n_dark))


def _counted(group: IntArray, of: IntArray, n_classes: int) -> FloatArray:
    """Images by group and class, [2, k]."""
    return np.bincount(group * n_classes + of, minlength=2 * n_classes).reshape(2, -1).astype(float)


def _cells(
    y: IntArray, predicted: IntArray, group: IntArray, n_classes: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Images of each class, predicted as it, and both, by group, [2, k]."""
    right = y == predicted
    return (
        _counted(group, y, n_classes),
        _counted(group, predicted, n_classes),
        _counted(group[right], y[right], n_classes),
    )


def _differences(
    y: IntArray, predicted: IntArray, group: IntArray, n_classes: int, as_published: bool
) -> dict[str, float]:
    """Means of |ΔTNR|, |ΔTPR| and |ΔTPR + ΔFPR| / 2 over all classes as published, else where both are defined."""
    true, called, hit = _cells(y, predicted, group, n_classes)
    rest = true.sum(axis=1, keepdims=True) - true
    tpr, fpr, tnr = _share(hit, true), _share(called - hit, rest), _share(rest - called + hit, rest)
    d_tpr, d_fpr, d_tnr = (np.diff(rate, axis=0)[0] for rate in (tpr, fpr, tnr))
    found = (np.abs(d_tnr), np.abs(d_tpr), np.abs(d_tpr + d_fpr) / 2)
    return {
        name: _mean(x, np.logical_or(np.all(of > 0, axis=0), as_published))
        for name, x, of in zip(_METRICS, found, (rest, true, np.minimum(true, rest)), strict=True)
    }


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Part over whole; 0 where there is nothing."""
    share: FloatArray = part / np.maximum(whole, 1)
    return share


def _mean(values: FloatArray, of: BoolArray) -> float:
    return float(values[of].mean()) if of.any() else float("nan")


def _macro(
    y: IntArray, predicted: IntArray, group: IntArray, n_classes: int, as_published: bool
) -> dict[tuple[str, str], float]:
    """Macro precision, recall and F1 of light, dark and all; NaN where no class is defined."""
    cells = _cells(y, predicted, group, n_classes)
    both: BoolArray = np.asarray((cells[0] > 0).all(axis=0))
    called_by_both: BoolArray = both & np.asarray((cells[1] > 0).all(axis=0))
    found = {}
    for name, chosen in (("light", [LIGHT]), ("dark", [DARK]), ("all", [LIGHT, DARK])):
        true, called, hit = (of[chosen].sum(axis=0) for of in cells)
        there: BoolArray = np.asarray(true + called > 0)
        for metric, part, whole, defined in (
            ("macro_precision", hit, called, called_by_both),
            ("macro_recall", hit, true, both),
            ("macro_f1", 2 * hit, true + called, both),
        ):
            counted = there if as_published else defined
            found[metric, name] = _mean(_share(part, whole), counted)
    return found


def fate(
    score: float, reference: float, unfair: float, unfair_of_reference: float, weight: float = 1.0
) -> float:
    """Relative gain of a score less the relative growth of unfairness, times its weight; NaN if a reference is 0.

    Source: Xu et al. 2023 (FairAdaBN).
    """
    if not (reference and unfair_of_reference):
        return float("nan")
    return (score - reference) / reference - weight * (
        unfair - unfair_of_reference
    ) / unfair_of_reference
