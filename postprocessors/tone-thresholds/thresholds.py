"""Weights of classes with the best balanced accuracy: thresholds, where there are two classes."""

from collections.abc import Callable

import numpy as np

from tonegap_kit.postprocess import LEAST, Floats, Indices

_BETTER = 1e-12


def fit_weights(p: Floats, y: Indices, rounds: int) -> Callable[[Floats], Floats]:
    """The rule that weights classes as `class_weights` says."""
    weights = class_weights(p, y, rounds)
    return lambda asked: _shares(np.maximum(asked, LEAST) * weights)


def class_weights(p: Floats, y: Indices, rounds: int) -> Floats:
    """A weight for each class [k], geometric mean 1, for probabilities [n, k] of images of classes `y` [n].

    Balanced accuracy, over the classes that there are, is raised one class after the other, from equal weights; of
    equally good weights the one nearest to the present one is taken.
    """
    p, weights = np.maximum(p, LEAST), np.ones(p.shape[1])
    counts = np.bincount(y, minlength=p.shape[1])
    worth = np.divide(1.0, counts, out=np.zeros(len(counts)), where=counts > 0)[y]
    best = _score(p * weights, y, worth)
    for _ in range(rounds):
        before = best
        for own in range(len(weights)):
            found, score = _best_weight(p, y, worth, weights, own)
            if score > best + _BETTER:
                weights[own], best = found, score
        if best <= before + _BETTER:
            break
    centred: Floats = weights / np.exp(np.log(weights).mean())
    return centred


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
