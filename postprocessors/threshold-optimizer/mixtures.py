"""Mixtures of two thresholds for each tone, with equal rates over tones (Hardt et al. 2016).

A curve [points] says what rate `x` and what `y` the thresholds of one tone reach; mixtures of two reach the chords of
its upper hull. Numbers agree with fairlearn's ThresholdOptimizer (a test compares them).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.errors import StageError
from tonegap_kit.postprocess import Floats, Indices

_DIGITS = 15  # of an objective: more would be noise, and the first of equal points is to win


@dataclass(frozen=True, slots=True)
class Counts:
    """False and true alarms of each threshold [points], and how many negative and positive images there are."""

    false_alarms: Floats
    true_alarms: Floats
    n_negative: float
    n_positive: float

    @property
    def false_rate(self) -> Floats:
        """Share of negative images that are predicted positive."""
        return self.false_alarms / self.n_negative

    @property
    def true_rate(self) -> Floats:
        """Share of positive images that are predicted positive."""
        return self.true_alarms / self.n_positive

    @property
    def call_rate(self) -> Floats:
        """Share of all images that are predicted positive."""
        return (self.true_alarms + self.false_alarms) / (self.n_negative + self.n_positive)

    def objective(self, name: str) -> Floats:
        """`accuracy_score` or `balanced_accuracy_score` at each point."""
        spared = self.n_negative - self.false_alarms
        if name == "accuracy_score":
            return (self.true_alarms + spared) / (self.n_negative + self.n_positive)
        return 0.5 * self.true_alarms / self.n_positive + 0.5 * spared / self.n_negative


@dataclass(frozen=True, slots=True)
class Hull:
    """The upper hull of a tone's curve: thresholds [points] from strict to lax with the rates they reach."""

    thresholds: Floats
    x: Floats
    y: Floats

    def at(self, grid: Floats) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Of each rate in the grid: `y`, the number of the stricter threshold, and its share in the mixture."""
        left = np.searchsorted(self.x, grid, side="left") - 1
        left = np.maximum(left, np.searchsorted(self.x, self.x[0], side="right") - 1)
        share = (self.x[left + 1] - grid) / (self.x[left + 1] - self.x[left])
        return share * self.y[left] + (1 - share) * self.y[left + 1], left, share


@dataclass(frozen=True, slots=True)
class Mixture:
    """Calls with probability `constant` in a share `ignored` of cases, else by `strict` in a `share` and by `lax`."""

    strict: float
    lax: float
    share: float
    ignored: float = 0.0
    constant: float = 0.0

    def __call__(self, score: Floats) -> Floats:
        """The probability of a positive call for each score [n]."""
        by_score = self.share * (score > self.strict) + (1 - self.share) * (score > self.lax)
        return self.ignored * self.constant + (1 - self.ignored) * by_score


def fit_mixtures(
    score: Floats, positive: NDArray[np.bool_], t: Indices, constraint: str, objective: str, n: int
) -> tuple[dict[int, Mixture], Mixture]:
    """The mixture of each tone that has both classes, and that of all other images; `n` steps of rates.

    Of all images the curve is that of all validation images, at the same rate. Raises StageError where validation
    images are of one class, and for fewer steps than one.
    """
    if n < 1:
        raise StageError(f"grid_size: found {n}, wanted 1 or more steps of rates")
    if positive.all() or not positive.any():
        raise StageError("validation.csv: images of one class alone; a threshold needs both")
    tones = [int(tone) for tone in np.unique(t) if tone >= 0]
    both = [tone for tone in tones if len(np.unique(positive[t == tone])) == 2]
    rows: dict[int | None, NDArray[np.bool_]] = {tone: t == tone for tone in both}
    chosen = rows or {None: np.ones(len(t), dtype=bool)}
    fit = _equal_odds if constraint == "equalized_odds" else _equal_calls
    rule = fit(score, positive, chosen, objective, np.linspace(0, 1, n + 1))
    of_all = rule(score, positive)
    return {
        tone: rule(score[of], positive[of]) for tone, of in rows.items() if tone is not None
    }, of_all


_Chooser = Callable[[Floats, NDArray[np.bool_]], Mixture]


def _equal_odds(
    score: Floats,
    positive: NDArray[np.bool_],
    rows: Mapping[int | None, NDArray[np.bool_]],
    objective: str,
    grid: Floats,
) -> _Chooser:
    """Every tone at the point that all curves reach, where the objective over these images is largest."""
    curves = [_roc(score[of], positive[of]) for of in rows.values()]
    lowest = np.min([curve.at(grid)[0] for curve in curves], axis=0)
    n_positive, n = (
        float(sum(positive[of].sum() for of in rows.values())),
        sum(map(np.sum, rows.values())),
    )
    n_negative = float(n) - n_positive
    reached = Counts(n_negative * grid, n_positive * lowest, n_negative, n_positive)
    best = int(np.round(reached.objective(objective), _DIGITS).argmax())
    rate, wanted = grid[best], lowest[best]

    def mixture(own: Floats, labels: NDArray[np.bool_]) -> Mixture:
        hull = _roc(own, labels)
        y, left, share = hull.at(grid[best : best + 1])
        above = y[0] - rate  # over the diagonal, where the score is ignored
        ignored = max(0.0, float((y[0] - wanted) / above)) if above else 0.0
        strict, lax = hull.thresholds[left[0]], hull.thresholds[left[0] + 1]
        return Mixture(strict, lax, float(share[0]), ignored, float(rate))

    return mixture


def _equal_calls(
    score: Floats,
    positive: NDArray[np.bool_],
    rows: Mapping[int | None, NDArray[np.bool_]],
    objective: str,
    grid: Floats,
) -> _Chooser:
    """Every tone at the rate of positive calls where the objective, a mean over images, is largest."""
    n = sum(int(of.sum()) for of in rows.values())
    total = np.zeros(len(grid))
    for of in rows.values():
        total += of.sum() / n * _calls(score[of], positive[of], objective).at(grid)[0]
    best = int(total.argmax())

    def mixture(own: Floats, labels: NDArray[np.bool_]) -> Mixture:
        hull = _calls(own, labels, objective)
        _, left, share = hull.at(grid[best : best + 1])
        return Mixture(hull.thresholds[left[0]], hull.thresholds[left[0] + 1], float(share[0]))

    return mixture


def _roc(score: Floats, positive: NDArray[np.bool_]) -> Hull:
    thresholds, counts = _alarms(score, positive)
    return _upper_hull(thresholds, counts.false_rate, counts.true_rate)


def _calls(score: Floats, positive: NDArray[np.bool_], objective: str) -> Hull:
    thresholds, counts = _alarms(score, positive)
    return _upper_hull(thresholds, counts.call_rate, counts.objective(objective))


def _alarms(score: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Counts]:
    """Every threshold that calls other images, midway between scores, from none called to all."""
    values, index = np.unique(-score, return_inverse=True)
    true = np.bincount(index, weights=positive, minlength=len(values))
    false = np.bincount(index, weights=~positive, minlength=len(values))
    ends = np.concatenate([[np.inf], -values, [-np.inf]])
    thresholds = np.concatenate([[np.inf], (ends[1:-1] + ends[2:]) / 2])
    true_alarms: Floats = np.concatenate([[0.0], np.cumsum(true)])
    false_alarms: Floats = np.concatenate([[0.0], np.cumsum(false)])
    return thresholds, Counts(
        false_alarms, true_alarms, float((~positive).sum()), float(positive.sum())
    )


def _upper_hull(thresholds: Floats, x: Floats, y: Floats) -> Hull:
    """The points, by rising x and y, that no chord of two others passes at or above."""
    order = np.lexsort((y, x))
    kept: list[int] = []
    for i in order:
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) > (y[i] - y[a]) * (x[b] - x[a]):
                break
            kept.pop()
        kept.append(int(i))
    return Hull(thresholds[kept], x[kept], y[kept])
