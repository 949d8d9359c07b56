"""The formulas over draws against the scores that a record has, and against fairlearn's."""

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, true_negative_rate, true_positive_rate

from tonegap.scores.counts import answers, count_classes, count_draws, count_once
from tonegap.scores.evidence.bootstrap import draw_weights
from tonegap.scores.evidence.images import TestImages, tone_indices
from tonegap.scores.formulas import gap, metric_values, worst
from tonegap.scores.metrics import score_table
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, GAP, WORST, Score, metric_named

TONES = ("I", "III", "VI")


def drawn_set(seed, n, k, decimals=2):
    """Random truth, tones with some unknown, and rounded probabilities, so that there are ties."""
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    p = rng.dirichlet(np.ones(k), n)
    p[np.arange(n), y] += 0.3
    p = np.round(p, decimals) + 1e-3
    tones = [None if rng.random() < 0.05 else TONES[i] for i in rng.integers(3, size=n)]
    return y, p / p.sum(axis=1, keepdims=True), tones


def value_of(found: dict[str, np.ndarray], score: Score) -> float:
    values = found[score.metric][0]
    if score.tone == ALL:
        return float(values[-1])
    if score.tone == GAP:
        return float(gap(values[:-1]))
    if score.tone == WORST:
        return float(worst(values[:-1], metric_named(score.metric).larger_is_better))
    return float(values[TONES.index(score.tone)])


@pytest.mark.parametrize(
    ("k", "positive", "threshold"),
    [(2, ("b",), 0.4), (3, (), None), (3, ("b",), None), (5, ("a", "c"), 0.5)],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_metric_of_one_draw_with_each_image_once_is_the_record_s(
    k, positive, threshold, seed
):
    y, p, tones = drawn_set(seed, 240, k)
    rules = ScoringRules(tuple("abcde"[:k]), positive, threshold, 1, TONES)
    tone = tone_indices(tones, TONES)
    counts = count_draws(y, tone, len(TONES), answers(p, y, rules), np.ones((1, 240)))
    found = metric_values(counts, bool(positive))
    scores = [s for s in score_table(p, y, tones, rules) if s.value is not None]
    assert len(scores) > 30
    for score in scores:
        assert value_of(found, score) == pytest.approx(score.value, abs=1e-12), score


def test_a_draw_scores_as_a_set_in_which_images_are_repeated_does():
    y, p, tones = drawn_set(5, 60, 3)
    rules = ScoringRules(("a", "b", "c"), (), None, 1, TONES)
    images = TestImages(
        tuple(map(str, range(60))), y, tone_indices(tones, TONES), np.arange(60), TONES
    )
    weights = draw_weights((images,), 1)[0]
    counts = count_draws(y, images.tone, len(TONES), answers(p, y, rules), weights)
    found = metric_values(counts, has_event=False)
    again = np.repeat(np.arange(60), weights[0].astype(int))
    repeated = score_table(p[again], y[again], [tones[i] for i in again], rules)
    for score in repeated:
        if score.value is not None:
            assert value_of(found, score) == pytest.approx(score.value, abs=1e-12), score


def test_a_metric_without_images_to_divide_by_is_not_a_number_in_that_draw():
    y, tone = np.array([0, 0, 1]), np.array([0, 0, 1])
    rules = ScoringRules(("x", "y"), (), None, 1, ("I", "VI"))
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    found = metric_values(count_once(y, tone, 2, answers(p, y, rules)), has_event=False)
    tones_and_all = found["balanced_accuracy"][0]
    assert np.isnan(tones_and_all[:2]).all()  # neither tone has both classes
    assert tones_and_all[2] == pytest.approx(0.75)


@pytest.mark.parametrize("metric", ["accuracy", "sensitivity", "specificity"])
def test_values_by_tone_equal_those_of_fairlearns_metric_frame(metric):
    y, p, tones = drawn_set(7, 300, 2)
    known = [i for i, tone in enumerate(tones) if tone]
    y, p, tones = y[known], p[known], [tones[i] for i in known]
    called = p[:, 1] >= 0.4
    # Of called against true everything is defined here; where a side is missing fairlearn says 0.
    theirs = {
        "accuracy": lambda y, z: np.mean(y == z),
        "sensitivity": true_positive_rate,
        "specificity": true_negative_rate,
    }
    right = p.argmax(axis=1) if metric == "accuracy" else called
    frame = MetricFrame(
        metrics=theirs[metric], y_true=y, y_pred=right.astype(int), sensitive_features=tones
    )
    table = score_table(p, y, tones, ScoringRules(("a", "b"), ("b",), 0.4, 1, TONES))
    assert table.score(metric, ALL).value == pytest.approx(frame.overall, abs=1e-12)
    assert [table.score(metric, t).value for t in TONES] == pytest.approx(
        [frame.by_group[t] for t in TONES], abs=1e-12
    )
    assert table.score(metric, GAP).value == pytest.approx(frame.difference(), abs=1e-12)


def test_classes_are_counted_for_each_draw_of_slots_and_of_answers():
    y = np.array([0, 1, 1])
    slots = np.array([[0, 0, 1], [1, 0, -1]])  # the last image is in no slot of the second draw
    found = count_classes(y, np.array([0, 0, 1]), slots, 2, 2)
    assert found.true.tolist() == [[[1, 1], [0, 1]], [[0, 1], [1, 0]]]
    assert found.called.tolist() == [[[2, 0], [0, 1]], [[1, 0], [1, 0]]]
    assert found.right.tolist() == [[[1, 0], [0, 1]], [[0, 0], [1, 0]]]
    by_epoch = count_classes(y, np.array([[0, 1, 1], [1, 1, 1]]), np.zeros(3, np.int64), 1, 2)
    assert by_epoch.right.tolist() == [[[1, 2]], [[0, 2]]]
