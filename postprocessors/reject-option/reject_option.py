"""Reject option: calls near the border go by tone (Kamiran et al. 2012)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.errors import StageError
from tonegap_kit.postprocess import Floats, Indices

_CLEAR = 1e-6  # how far from 0.5 an image comes to lie that was exactly there
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class RejectOption:
    """Tones that gain and tones that lose positive calls at most `margin` from 0.5; margin 0 changes nothing."""

    gain: tuple[int, ...]
    lose: tuple[int, ...]
    margin: float

    def __call__(self, score: Floats, t: Indices) -> Floats:
        """The score of each image [n], mirrored at 0.5 where its tone wants the other call."""
        near = (np.abs(score - 0.5) <= self.margin + _SAME) & (self.margin > 0)
        up, down = near & np.isin(t, self.gain), near & np.isin(t, self.lose)
        found = np.where(up, np.maximum(np.maximum(score, 1 - score), 0.5 + _CLEAR), score)
        return np.where(down, np.minimum(np.minimum(score, 1 - score), 0.5 - _CLEAR), found)


def fit_reject_option(
    score: Floats,
    positive: NDArray[np.bool_],
    t: Indices,
    by: NDArray[np.bool_],
    margins: int,
    allowed_loss: float,
) -> RejectOption:
    """The margin with the smallest gap of call rates among images `by` [n], at no more loss than allowed.

    Tones whose rate is below that of all images gain, tones above lose; a tone at it, or without an image in `by`,
    is left alone. Of equal gaps the smallest margin is taken. Raises StageError for fewer margins than one.
    """
    if margins < 1:
        raise StageError(f"margins: found {margins}, wanted 1 or more widths of the border to try")
    of_all = (score[by] > 0.5).mean() if by.any() else 0.0
    rates = _rates(score, t, by)
    gain = tuple(tone for tone, rate in rates.items() if rate < of_all - _SAME)
    lose = tuple(tone for tone, rate in rates.items() if rate > of_all + _SAME)
    best = RejectOption(gain, lose, 0.0)
    if len(rates) < 2:
        return best
    smallest = max(rates.values()) - min(rates.values())
    least = _balanced_accuracy(score, positive) - allowed_loss
    for margin in np.linspace(0, 0.5, margins + 1)[1:]:
        tried = RejectOption(gain, lose, float(margin))
        changed = tried(score, t)
        found = _rates(changed, t, by).values()
        gap = max(found) - min(found)
        if gap < smallest - _SAME and _balanced_accuracy(changed, positive) >= least - _SAME:
            best, smallest = tried, gap
    return best


def _rates(score: Floats, t: Indices, by: NDArray[np.bool_]) -> dict[int, float]:
    """The share of positive calls among images `by` of each tone that has one."""
    tones = np.unique(t[by & (t >= 0)]).tolist()
    return {tone: float((score[by & (t == tone)] > 0.5).mean()) for tone in tones}


def _balanced_accuracy(score: Floats, positive: NDArray[np.bool_]) -> float:
    """Mean of the recalls of the classes that there are."""
    called = score > 0.5
    sides = [(called == side)[positive == side] for side in (True, False)]
    return float(np.mean([side.mean() for side in sides if len(side)]))
