"""Metrics by skin tone as functions of arrays, for scikit-learn's `make_scorer` and for loops of one's own.

The same formulas as `tonegap.score`. A score that is undefined is NaN here, never 0, for scorers return numbers.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from tonegap.arguments import as_found
from tonegap.errors import BadPredictions, BadRequest
from tonegap.scores.from_arrays import (
    answers_from_arrays,
    in_order,
    is_missing,
    rules_by_value,
    values_of,
)
from tonegap.scores.metrics import score_table
from tonegap.scores.tables import GAP, WORST, check_per_tone

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
    one), or [n] floats from 0 to 1 that are no labels: probabilities of the second of two classes, as scikit-learn
    gives them. Labels are compared by value: 1, 1.0 and True are one. `tone` [n] as in `tonegap.score`: by position,
    but where both `tone` and `y_true` have an index, by that, so that the tones of the whole table do in
    cross-validation. Images of unknown tone are left out. `metric` is one that each tone has: accuracy,
    balanced_accuracy, macro_f1, sensitivity, specificity, and auc and ece of probabilities.

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
    check_per_tone(metric)
    if not isinstance(positive, Hashable) or isinstance(positive, Iterator):
        raise BadRequest(f"positive: found {as_found(positive)}, wanted one label")
    if hasattr(tone, "loc") and hasattr(y_true, "loc"):
        tone = _looked_up(tone, y_true.index)
    if _n_dimensions(y_pred) == 1 and not _are_probabilities(y_true, y_pred, metric, classes):
        if metric in _OF_PROBABILITIES:
            raise BadRequest(
                f"metric {metric!r} needs probabilities, [n, k] or of the second of two classes: "
                "make_scorer(…, response_method='predict_proba')"
            )
        y_true, y_pred, classes, positive = _as_probabilities(y_true, y_pred, classes, positive)
    answers = answers_from_arrays(y_true, y_pred, tone, classes=classes)
    event = () if positive is None else (positive,)
    rules = rules_by_value(answers, y_true, event, None, min_support)
    value = score_table(answers.p, answers.y, answers.tones, rules).score(metric, which).value
    return float("nan") if value is None else value


def _n_dimensions(y_pred: Any) -> int:
    """1 for a value for each image, 2 or more for what is to be read as probabilities. Raises BadPredictions for 0."""
    try:
        n = np.ndim(y_pred)
    except ValueError:  # rows of several lengths, which reading them names
        return 2
    if not n:
        raise BadPredictions(
            f"y_pred: found {as_found(y_pred)}; wanted a list, an array or a Series of one label or probability for "
            "each image, or an array with a column for each class"
        )
    return n


def _looked_up(tone: Any, index: Any) -> Any:
    """The tones at the labels of an index, in its order."""
    if tone.index.equals(index):
        return tone
    if not tone.index.is_unique:
        raise BadRequest(
            "tone: its index has labels more than once, and is not that of y_true; make it unique (reset_index)"
        )
    missing = [str(label) for label in index[~index.isin(tone.index)]]
    if missing:
        raise BadRequest(
            f"tone: has no value for {len(missing):,} labels of y_true's index ({', '.join(missing[:3])}); "
            "give a Series with that index, or an array by position"
        )
    return tone.loc[index]


def _are_probabilities(y_true: Any, y_pred: Any, metric: str, classes: Any) -> bool:
    """Whether [n] predictions are probabilities of the second of two classes, not labels.

    Floats from 0 to 1 are, unless all of them are labels. Of the labels 0 and 1 certain probabilities are the labels
    that they say. Raises BadPredictions where the two readings differ: 1.0 of the labels 1 and 2.
    """
    values = values_of(y_pred, "y_pred")
    found = {v for v in values if isinstance(v, float) and 0 <= v <= 1}
    if len(found) < len(set(values)):
        return False
    if metric in _OF_PROBABILITIES:
        return True
    named = values_of(y_true, "y_true") if classes is None else values_of(classes, "classes")
    labels = in_order({v for v in named if not is_missing(v)})
    if {0, 1}.issuperset(labels):
        return not found <= {0, 1}
    if found.issubset(labels) and len(labels) == 2 and any(labels[int(v)] != v for v in found):
        raise BadPredictions(
            f"y_pred: found {', '.join(map(str, sorted(found)))} alone, which may be labels or probabilities of "
            f"{labels[1]}; pass labels as whole numbers or text, or [n, 2] probabilities (response_method)"
        )
    return not found.issubset(labels)


def _as_probabilities(
    y_true: Any, y_pred: Any, classes: Any, positive: object
) -> tuple[Any, Any, tuple[str, ...], object]:
    """Predicted labels as probabilities of 1; the truth, the classes of both in order, and the event, as text."""
    found = values_of(y_pred, "y_pred")
    truth = [None if is_missing(v) else v for v in values_of(y_true, "y_true")]
    labels = [v for v in (*truth, *found) if not is_missing(v)]
    # 1, 1.0 and True are one label, written as it is found first.
    written: dict[object, str] = {}
    for label in (*(() if classes is None else classes), *labels):
        written.setdefault(label, str(label))
    classes = in_order(set(labels)) if classes is None else classes
    names = tuple(dict.fromkeys(written[v] for v in classes))
    called = [written.get(v, str(v)) for v in found]
    missing = sorted(set(called) - set(names))
    if missing:
        raise BadRequest(f"y_pred: has labels that are no class: {', '.join(missing[:3])}")
    p = np.zeros((len(found), max(len(names), 2)))
    p[np.arange(len(found)), [names.index(name) for name in called]] = 1.0
    names = names if len(names) > 1 else (*names, f"not {names[0]}")
    event = None if positive is None else written.get(positive, str(positive))
    return [v if v is None else written[v] for v in truth], p, names, event
