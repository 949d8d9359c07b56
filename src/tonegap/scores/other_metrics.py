"""Scores that some papers report and no table here ranks by, by tone and over all: for `tonegap score --more`."""

from collections.abc import Iterator, Sequence

import numpy as np

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.scores.counts import event_scores, event_truth
from tonegap.scores.eopp_eodd import LightDark, fate, light_dark, light_or_dark
from tonegap.scores.evidence.parity import Parity, parity
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, Score

TOP_K = (2, 3)
_TINY = 1e-15
_NO_TYPES = "light against dark needs Fitzpatrick types, one by one"


def further_scores(
    p: FloatArray, y: IntArray, tones: Sequence[str | None], rules: ScoringRules, specificity: float
) -> list[Score]:
    """Top-2 and top-3 accuracy, log loss, Brier score, sensitivity at a specificity: of all and of each tone.

    Classes of the same probability are ranked in their order, as the most probable class is chosen. Log loss is the
    mean of -ln p of the true class (p at least 1e-15), the Brier score the mean squared distance summed over classes:
    twice scikit-learn's of two classes. Sensitivity is at the lowest threshold, the same for all tones, at which all
    images together have that specificity or more; undefined without an event or a negative image.
    """
    named = np.array(["" if t is None else t for t in tones], dtype=object)
    slots = [
        (ALL, np.ones(len(y), dtype=np.bool_)),
        *((t, named == t) for t in rules.tones or sorted({t for t in tones if t})),
    ]
    own = p[np.arange(len(y)), y][:, None]
    earlier = np.arange(p.shape[1]) < y[:, None]
    rank = ((p > own) | ((p == own) & earlier)).sum(axis=1)
    loss = -np.log(np.maximum(own[:, 0], _TINY))
    brier = ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)
    of_image = {f"top_{k}_accuracy": (rank < k).astype(float) for k in TOP_K if k < p.shape[1]}
    found = []
    for name, values in (of_image | {"log_loss": loss, "brier": brier}).items():
        found += [_score(name, tone, values[member], rules) for tone, member in slots]
    return [*found, *_sensitivities(p, y, slots, rules, specificity)]


def _score(name: str, tone: str, values: FloatArray, rules: ScoringRules) -> Score:
    if len(values) < rules.min_support:
        return Score(name, tone, None, len(values), f"{tone} has {len(values)} such images")
    return Score(name, tone, float(values.mean()), len(values), None)


def _sensitivities(
    p: FloatArray,
    y: IntArray,
    slots: Sequence[tuple[str, BoolArray]],
    rules: ScoringRules,
    specificity: float,
) -> Iterator[Score]:
    name = f"sensitivity_at_specificity_{specificity:g}"
    score, positive = event_scores(p, rules)[:, 0], event_truth(y, rules)[:, 0]
    why = "no image is negative, so that no threshold has a specificity" if positive.all() else None
    why = why if rules.positive else "no positive class is declared; pass --positive"
    if why:
        yield from (Score(name, tone, None, 0, why) for tone, _ in slots)
        return
    threshold = _threshold(score[~positive], specificity)
    for tone, member in slots:
        yield _score(name, tone, (score[member & positive] >= threshold).astype(float), rules)


def _threshold(negatives: FloatArray, specificity: float) -> float:
    """The lowest score that leaves that share of the negative images below it."""
    ordered = np.sort(negatives)
    keep = int(np.ceil(specificity * len(ordered) - 1e-9))
    return -np.inf if keep == 0 else float(np.nextafter(ordered[keep - 1], np.inf))


def light_dark_scores(
    p: FloatArray, y: IntArray, tones: Sequence[str | None], n_classes: int
) -> list[Score]:
    """Eopp0, Eopp1, Eodd and macro scores, as published and on defined cells alone, each difference with its null.

    Metrics are named `eopp1_published`, `eopp1_published_null` (mean, low, high of 95 %, p of the null); tone is `all`.
    """
    found: list[Score] = []
    for about, as_published in (("published", True), ("defined", False)):
        group = light_or_dark(tones, as_published=as_published)
        if group is None or not {0, 1} <= set(group.tolist()):
            why = (
                _NO_TYPES if group is None else "there are no images of light or none of dark skin"
            )
            found.append(Score(f"eodd_{about}", ALL, None, 0, why))
            continue
        scores = light_dark(y, p.argmax(axis=1), group, n_classes, as_published=as_published)
        found += _rows(about, scores)
    return found


def _rows(about: str, scores: LightDark) -> Iterator[Score]:
    n = sum(scores.n)
    of_group = {"light": scores.n[0], "dark": scores.n[1], ALL: n}
    for (metric, tone), value in scores.macro.items():
        yield _defined(f"{metric}_{about}", tone, value, of_group[tone])
        if tone != ALL:  # permuted groups are all images, too
            null = parity(value, scores.macro_drawn[metric, tone], larger_is_alike=True)
            yield from _null(f"{metric}_{about}", tone, null, of_group[tone])
    for metric, value in scores.values.items():
        yield _defined(f"{metric}_{about}", ALL, value, n)
        yield from _null(f"{metric}_{about}", ALL, scores.nulls[metric], n)


def _null(metric: str, tone: str, null: Parity | None, n: int) -> Iterator[Score]:
    """What permuted groups give: mean, 95 % of them, and the chance of a score as far off; nothing where undefined."""
    if null is not None:
        yield Score(f"{metric}_null", tone, null.expected, n, None)
        yield Score(f"{metric}_null_low", tone, null.low, n, None)
        yield Score(f"{metric}_null_high", tone, null.high, n, None)
        yield Score(f"{metric}_null_p", tone, null.p, n, None)


def fate_scores(
    p: FloatArray,
    baseline: FloatArray,
    y: IntArray,
    tones: Sequence[str | None],
) -> list[Score]:
    """FATE of accuracy and of macro F1 against a baseline's answers to the same images, each beside its null.

    `p` and `baseline` are probabilities [n, k] of the same classes in one order. The null permutes groups within
    class, in the same way for both: what FATE is where neither treats the groups differently.
    """
    found: list[Score] = []
    for about, as_published in (("published", True), ("defined", False)):
        group = light_or_dark(tones, as_published=as_published)
        if group is None or not {0, 1} <= set(group.tolist()):
            continue  # `light_dark_scores` says why
        said = (p.argmax(axis=1), baseline.argmax(axis=1))
        own, other = (
            light_dark(y, one, group, p.shape[1], as_published=as_published) for one in said
        )
        accuracy = [float((one == y).mean()) for one in said]
        macro = [of.macro["macro_f1", ALL] for of in (own, other)]
        n = sum(own.n)
        for name, pair, images in (("accuracy", accuracy, len(y)), ("macro_f1", macro, n)):
            metric = f"fate_{name}_{about}"
            value = float(fate(pair[0], pair[1], own.values["eodd"], other.values["eodd"]))
            if not np.isfinite(value):
                why = "a score of the baseline is 0, or no class is defined"
                found.append(Score(metric, ALL, None, images, why))
                continue
            found.append(Score(metric, ALL, value, images, None))
            drawn = fate(pair[0], pair[1], own.drawn["eodd"], other.drawn["eodd"])
            found += _null(metric, ALL, parity(value, drawn), images)
    return found


def _defined(metric: str, tone: str, value: float, n: int) -> Score:
    if np.isfinite(value):
        return Score(metric, tone, value, n, None)
    return Score(metric, tone, None, n, "no class has this rate in both groups")
