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
from numpy.typing import ArrayLike

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.scores.counts import Counts, count_classes
from tonegap.scores.evidence.nulls import N_PERMUTATIONS
from tonegap.scores.evidence.parity import Parity, parity
from tonegap.tones import GROUPS, TYPES

LIGHT, DARK = 0, 1


@dataclass(frozen=True, slots=True)
class LightDark:
    """Eopp0, Eopp1 and Eodd of one set of answers, and each beside its null; `n` images of light and dark skin.

    `macro` has precision, recall and F1 of `light`, `dark` and `all`, means over classes. `drawn` and `macro_drawn`
    have the same of each of the permuted groups [draws], which are one for all sets of answers to the same images.
    """

    values: dict[str, float]
    macro: dict[tuple[str, str], float]
    drawn: dict[str, FloatArray]
    macro_drawn: dict[tuple[str, str], FloatArray]
    n: tuple[int, int]

    @property
    def nulls(self) -> dict[str, Parity | None]:
        """Each difference beside what permuted groups give."""
        return {name: parity(value, self.drawn[name]) for name, value in self.values.items()}


def light_or_dark(tones: Sequence[str | None], *, as_published: bool) -> IntArray | None:
    """0 for light, 1 for dark, -1 for unknown, [n]; unknown is dark `as_published`.

    None where that is not said of the tones: III-IV is one of them, or another scale's.
    """
    light = frozenset((*TYPES[:3], GROUPS[0]))
    if not {t for t in tones if t is not None} <= light | {*TYPES[3:], GROUPS[2]}:
        return None
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
    classes = count_classes(y, predicted, group, 2, n_classes)
    values = {name: float(v[0]) for name, v in _differences(classes, as_published).items()}
    rng = np.random.default_rng([1, len(y)])
    order = np.argsort(y, kind="stable")
    ends = np.cumsum(np.bincount(y, minlength=n_classes))[:-1]
    draws = np.empty((N_PERMUTATIONS, len(group)), dtype=np.int64)
    for draw in draws:
        draw[order] = np.concatenate([rng.permutation(p) for p in np.split(group[order], ends)])
    permuted = count_classes(y, predicted, draws, 2, n_classes)
    macro = {key: float(v[0]) for key, v in _macro(classes, as_published).items()}
    n_light, n_dark = np.bincount(group, minlength=2).tolist()
    return LightDark(
        values,
        macro,
        _differences(permuted, as_published),
        _macro(permuted, as_published),
        (n_light, n_dark),
    )


def _differences(c: Counts, as_published: bool) -> dict[str, FloatArray]:
    """Means [draws] of |ΔTNR|, |ΔTPR|, |ΔTPR + ΔFPR| / 2 over all classes as published, else where both are defined."""
    rest = c.true.sum(axis=-1, keepdims=True) - c.true
    rates = (c.right, c.true), (c.called - c.right, rest), (rest - c.called + c.right, rest)
    d_tpr, d_fpr, d_tnr = (np.diff(_share(*rate), axis=1)[:, 0] for rate in rates)
    found = {
        "eopp0": (np.abs(d_tnr), rest),
        "eopp1": (np.abs(d_tpr), c.true),
        "eodd": (np.abs(d_tpr + d_fpr) / 2, np.minimum(c.true, rest)),
    }
    return {
        name: _mean(x, np.logical_or(np.all(of > 0, axis=1), as_published))
        for name, (x, of) in found.items()
    }


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Part over whole; 0 where there is nothing."""
    share: FloatArray = part / np.maximum(whole, 1)
    return share


def _mean(values: FloatArray, of: BoolArray) -> FloatArray:
    """The mean over the classes chosen, [draws]; NaN without any."""
    n = of.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        mean: FloatArray = np.where(of, values, 0).sum(axis=-1) / n
    return mean


def _macro(c: Counts, as_published: bool) -> dict[tuple[str, str], FloatArray]:
    """Macro precision, recall and F1 of light, dark and all, [draws]; NaN where no class is defined."""
    both: BoolArray = np.asarray((c.true > 0).all(axis=1))
    called_by_both: BoolArray = both & np.asarray((c.called > 0).all(axis=1))
    found = {}
    for name, chosen in (("light", [LIGHT]), ("dark", [DARK]), ("all", [LIGHT, DARK])):
        true, called, hit = (of[:, chosen].sum(axis=1) for of in (c.true, c.called, c.right))
        there: BoolArray = np.asarray(true + called > 0)
        for metric, part, whole, defined in (
            ("macro_precision", hit, called, called_by_both),
            ("macro_recall", hit, true, both),
            ("macro_f1", 2 * hit, true + called, both),
        ):
            found[metric, name] = _mean(_share(part, whole), there if as_published else defined)
    return found


def fate(
    score: ArrayLike,
    reference: ArrayLike,
    unfair: ArrayLike,
    unfair_of_reference: ArrayLike,
    weight: float = 1.0,
) -> FloatArray:
    """Relative gain of a score less the relative growth of unfairness, times its weight; NaN if a reference is 0.

    Numbers or arrays of one shape. Source: Xu et al. 2023 (FairAdaBN).
    """
    return _growth(score, reference) - weight * _growth(unfair, unfair_of_reference)


def _growth(value: ArrayLike, reference: ArrayLike) -> FloatArray:
    value, reference = np.asarray(value, dtype=float), np.asarray(reference, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        growth: FloatArray = np.where(reference == 0, np.nan, (value - reference) / reference)
    return growth
