"""Metrics by skin tone as functions of arrays, for scikit-learn's `make_scorer` and for loops of one's own.

The same formulas as `tonegap.score`. A score that is undefined is NaN here, never 0, for scorers return numbers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tonegap.errors import BadRequest
from tonegap.scores.from_arrays import answers_from_arrays, is_missing, values_of
from tonegap.scores.metrics import score_table
from tonegap.scores.rules import ScoringRules, default_positive
from tonegap.scores.tables import GAP, METRICS, WORST

# What rests on probabilities, and so not on labels alone.
_OF_PROBABILITIES = ("auc", "ece")


def worst_tone(  # noqa: PLR0913 (what a caller may say, by name)
    y_true: Any,
    y_pred: Any,
    *,
    tone: Any,
    metric: str = "accuracy",
    positive: object = None,
    min_support: int = 1,
    classes: Sequence[object] | None = None,
) -> float:
    """The worst tone's score in a metric, a fraction; NaN where any tone's is undefined.

    `y_pred` [n] are predicted labels, or [n, k] probabilities in the order of the labels (`classes`, if `y_true` lacks
    one). `tone` [n] as in `tonegap.score`; a longer Series is looked up by the index of `y_true`, so that the tones of
    the whole table do in cross-validation. Images of unknown tone are left out. `metric` is one that each tone has:
    accuracy, balanced_accuracy, macro_f1, sensitivity, specificity, and auc and ece of probabilities.

        make_scorer(tonegap.metrics.worst_tone, tone=table["tone"])
        make_scorer(tonegap.metrics.worst_tone).set_score_request(tone=True)   # with metadata routing

    Raises BadPredictions for data, BadRequest for a metric, that cannot be.
    """
    return _of_tones(WORST, y_true, y_pred, tone, metric, positive, min_support, classes)


def tone_gap(  # noqa: PLR0913 (as above)
    y_true: Any,
    y_pred: Any,
    *,
    tone: Any,
    metric: str = "accuracy",
    positive: object = None,
    min_support: int = 1,
    classes: Sequence[object] | None = None,
) -> float:
    """Largest minus smallest score over tones in a metric, a fraction, 0 at parity; NaN where any tone's is undefined.

    Arguments and errors as in `worst_tone`. A scorer of it wants `greater_is_better=False`.
    """
    return _of_tones(GAP, y_true, y_pred, tone, metric, positive, min_support, classes)


def _of_tones(  # noqa: PLR0913 (as above)
    which: str,
    y_true: Any,
    y_pred: Any,
    tone: Any,
    metric: str,
    positive: object,
    min_support: int,
    classes: Any,
) -> float:
    of_tones = [m.name for m in METRICS if m.per_tone]
    if metric not in of_tones:
        raise BadRequest(
            f"metric {metric!r} has no value for each tone; those that have are {', '.join(of_tones)}"
        )
    if hasattr(tone, "loc") and hasattr(y_true, "index") and len(tone) != len(y_true):
        tone = tone.loc[y_true.index]
    if np.ndim(y_pred) == 1:
        if metric in _OF_PROBABILITIES:
            raise BadRequest(
                f"metric {metric!r} needs probabilities [n, k]: make_scorer(…, response_method='predict_proba')"
            )
        y_pred, classes = _as_probabilities(y_true, y_pred, classes)
    answers = answers_from_arrays(y_true, y_pred, tone, classes=classes)
    event = () if positive is None else (str(positive),)
    rules = ScoringRules(
        answers.classes, event or default_positive(answers.classes), None, min_support
    )
    value = score_table(answers.p, answers.y, answers.tones, rules).score(metric, which).value
    return float("nan") if value is None else value


def _as_probabilities(y_true: Any, y_pred: Any, classes: Any) -> tuple[Any, tuple[str, ...]]:
    """Predicted labels as probabilities of 1, and the classes they and `y_true` have, in order."""
    found = values_of(y_pred, "y_pred")
    if classes is None:
        labels = [v for v in (*values_of(y_true, "y_true"), *found) if not is_missing(v)]
        try:
            classes = sorted(set(labels))
        except TypeError:
            classes = sorted(set(labels), key=str)
    names = tuple(dict.fromkeys(map(str, classes)))
    missing = sorted({str(v) for v in found} - set(names))
    if missing:
        raise BadRequest(f"y_pred: has labels that are no class: {', '.join(missing[:3])}")
    p = np.zeros((len(found), max(len(names), 2)))
    p[np.arange(len(found)), [names.index(str(v)) for v in found]] = 1.0
    return p, names if len(names) > 1 else (*names, f"not {names[0]}")
