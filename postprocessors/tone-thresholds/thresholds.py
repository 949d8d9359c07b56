"""Weights of classes with the best balanced accuracy: thresholds, where there are two classes."""

from collections.abc import Callable

import numpy as np

from tonegap_kit.postprocess import LEAST, Floats, Indices, Rule, tone_by_tone

_BETTER = 1e-12


def fit_tones(p: Floats, y: Indices, t: Indices, rounds: int, least: int) -> Rule:
    """The rule of weights of each tone's own with at least `least` images, and of all images for every other.

    A class that a tone lacks keeps the weight that it has among all images: that nobody of a tone had it here says
    nothing of the next one. A tone of one class has the rule of all images.
    """
    of_all = class_weights(p, y, rounds, np.ones(p.shape[1]))
    return tone_by_tone(lambda own, labels: fit_weights(own, labels, rounds, of_all), least)(
        p, y, t
    )


def fit_weights(p: Floats, y: Indices, rounds: int, base: Floats) -> Callable[[Floats], Floats]:
    """The rule that weights classes as `class_weights` says."""
    weights = class_weights(p, y, rounds, base)
    return lambda asked: _shares(np.maximum(asked, LEAST) * weights)


def class_weights(p: Floats, y: Indices, rounds: int, base: Floats) -> Floats:
    """A weight for each class [k] for probabilities [n, k] of images of classes `y` [n]; of an absent class its `base`.

    Balanced accuracy among the classes that there are is raised one class after the other, from equal weights; of
    equally good weights the one nearest to the present one is taken. Their geometric mean is that of their `base`.
    """
    there, y = np.unique(y, return_inverse=True)
    p, weights = np.maximum(p[:, there], LEAST), np.ones(len(there))
    worth = (1.0 / np.bincount(y))[y]
    best = _score(p * weights, y, worth)
    for _ in range(rounds if len(there) > 1 else 0):
        before = best
        for own in range(len(weights)):
            found, score = _best_weight(p, y, worth, weights, own)
            if score > best + _BETTER:
                weights[own], best = found, score
        if best <= before + _BETTER:
            break
    every = base.copy()
    every[there] = weights * np.exp((np.log(base[there]) - np.log(weights)).mean())
    return every


def _best_weight(
    p: Floats, y: Indices, worth: Floats, weights: Floats, own: int
) -> tuple[float, float]:
    """The weight of one class that is best beside the others' weights, and the score with it.

    An image goes to the class once its weight exceeds the image's bar: the best other product over its own p.
    """
    others = p * weights
    others[:, own] = -1.0
    rival = others.argmax(axis=1)
    bars = others[np.arange(len(y)), rival] / p[:, own]
    order = np.argsort(bars, kind="stable")
    bars = bars[order]
    change = (worth * ((y == own).astype(float) - (rival == y)))[order]
    start = float((worth * (rival == y)).sum())
    scores = start + np.concatenate([[0.0], np.cumsum(change)])
    cuts = np.flatnonzero(np.concatenate([[True], bars[1:] > bars[:-1], [True]]))
    edges = np.concatenate([[bars[0] / 4], bars, [bars[-1] * 4]])
    middles = np.sqrt(edges[cuts] * edges[cuts + 1])
    good = cuts[scores[cuts] >= scores[cuts].max() - _BETTER]
    middles = middles[np.isin(cuts, good)]
    nearest = int(np.abs(np.log(middles / weights[own])).argmin())
    return float(middles[nearest]), float(scores[good[nearest]])


def _score(products: Floats, y: Indices, worth: Floats) -> float:
    return float((worth * (products.argmax(axis=1) == y)).sum())


def _shares(products: Floats) -> Floats:
    found: Floats = products / products.sum(axis=1, keepdims=True)
    return found
