"""The metrics of the pruning line: light (types I-III) against dark (IV-VI) skin, beside what equal recall gives.

The mistake they exist to prevent: an Eopp1 of 0.28 taken for unfairness where both groups are recognised alike. As
published a class without an image of a group has recall 0 there, and images of unknown tone are dark; on defined cells
alone such classes and images are left out. The null permutes groups within class.
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

    `macro` has precision, recall and F1 of `light`, `dark` and `all`, means over classes. `n_classes` enter the means.
    """

    values: dict[str, float]
    nulls: dict[str, Parity | None]
    macro: dict[tuple[str, str], float]
    n: tuple[int, int]
    n_classes: int


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
    """The scores of answers [n] by class and group (-1: in no group); NaN where no class is defined."""
    known = group >= 0
    y, predicted, group = y[known], predicted[known], group[known]
    true = _counted(group, y, n_classes)
    counted: BoolArray = np.logical_or(np.all(true > 0, axis=0), as_published)
    values = _differences(y, predicted, group, true, counted)
    rng = np.random.default_rng([1, len(y)])
    order = np.argsort(y, kind="stable")
    ends = np.cumsum(np.bincount(y, minlength=n_classes))[:-1]
    drawn = np.empty((N_DEALS, len(_METRICS)))
    for deal in drawn:
        dealt = np.empty_like(group)
        dealt[order] = np.concatenate([rng.permutation(p) for p in np.split(group[order], ends)])
        deal[:] = list(_differences(y, predicted, dealt, true, counted).values())
    nulls = {name: parity(values[name], drawn[:, i]) for i, name in enumerate(_METRICS)}
    macro = {
        (metric, name): value
        for name, chosen in (
            ("light", group == LIGHT),
            ("dark", group == DARK),
            ("all", group >= 0),
        )
        for metric, value in _macro(y[chosen], predicted[chosen], n_classes, as_published).items()
    }
    return LightDark(
        values,
        nulls,
        macro,
        (int((group == LIGHT).sum()), int((group == DARK).sum())),
        int(counted.sum()),
    )


def _counted(group: IntArray, of: IntArray, n_classes: int) -> FloatArray:
    """Images by group and class, [2, k]."""
    return np.bincount(group * n_classes + of, minlength=2 * n_classes).reshape(2, -1).astype(float)


def _differences(
    y: IntArray, predicted: IntArray, group: IntArray, true: FloatArray, counted: BoolArray
) -> dict[str, float]:
    """Means over the counted classes of |ΔTNR|, |ΔTPR| and |ΔTPR + ΔFPR| / 2."""
    n_classes = true.shape[1]
    right = y == predicted
    hit = _counted(group[right], y[right], n_classes)
    called, rest = _counted(group, predicted, n_classes), true.sum(axis=1, keepdims=True) - true
    tpr, fpr = _share(hit, true), _share(called - hit, rest)
    tnr = _share(rest - called + hit, rest)
    d_tpr, d_fpr, d_tnr = (np.diff(rate, axis=0)[0][counted] for rate in (tpr, fpr, tnr))
    if not counted.any():
        return dict.fromkeys(_METRICS, float("nan"))
    found = (np.abs(d_tnr), np.abs(d_tpr), np.abs(d_tpr + d_fpr) / 2)
    return {name: float(x.mean()) for name, x in zip(_METRICS, found, strict=True)}


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Part over whole; 0 where there is nothing, as published."""
    share: FloatArray = part / np.maximum(whole, 1)
    return share


def _macro(
    y: IntArray, predicted: IntArray, n_classes: int, as_published: bool
) -> dict[str, float]:
    """Macro precision, recall and F1; 0 for what is 0/0 as published, else over the classes that have it."""
    true, called = (np.bincount(x, minlength=n_classes).astype(float) for x in (y, predicted))
    hit = np.bincount(y[y == predicted], minlength=n_classes).astype(float)
    found = {}
    for name, part, whole in (
        ("macro_precision", hit, called),
        ("macro_recall", hit, true),
        ("macro_f1", 2 * hit, true + called),
    ):
        there = np.ones(n_classes, dtype=np.bool_) if as_published else whole > 0
        found[name] = float(_share(part, whole)[there].mean()) if there.any() else float("nan")
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
