"""The formulas over draws against the scores that a record has."""

import numpy as np
import pytest

from tonegap.scores.evidence.draws import draw_weights
from tonegap.scores.evidence.images import TestImages, answers, tone_indices
from tonegap.scores.evidence.replicates import Replicates, replicates
from tonegap.scores.evidence.tally import tally
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


def value_of(found: dict[str, Replicates], score: Score) -> float:
    of_metric = found[score.metric]
    if score.tone == ALL:
        return float(of_metric.all[0])
    assert of_metric.tones is not None
    tones = of_metric.tones[0]
    if score.tone == GAP:
        return float(np.ptp(tones))
    if score.tone == WORST:
        return float(tones.min() if metric_named(score.metric).larger_is_better else tones.max())
    return float(tones[TONES.index(score.tone)])


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
    images = TestImages(
        tuple(map(str, range(240))), y, tone_indices(tones, TONES), np.arange(240), TONES
    )
    found = replicates(tally(images, answers(p, y, rules), np.ones((1, 240))), bool(positive))
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
    weights = draw_weights([images], 1)[0]
    found = replicates(tally(images, answers(p, y, rules), weights), has_event=False)
    again = np.repeat(np.arange(60), weights[0].astype(int))
    repeated = score_table(p[again], y[again], [tones[i] for i in again], rules)
    for score in repeated:
        if score.value is not None:
            assert value_of(found, score) == pytest.approx(score.value, abs=1e-12), score


def test_a_metric_without_images_to_divide_by_is_not_a_number_in_that_draw():
    y = np.array([0, 0, 1])
    images = TestImages(("a", "b", "c"), y, np.array([0, 0, 1]), np.arange(3), ("I", "VI"))
    rules = ScoringRules(("x", "y"), (), None, 1, ("I", "VI"))
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    found = replicates(tally(images, answers(p, y, rules), np.ones((1, 3))), has_event=False)
    tones = found["balanced_accuracy"].tones
    assert tones is not None
    assert np.isnan(tones[0]).all()  # neither tone has both classes
    assert found["balanced_accuracy"].all[0] == pytest.approx(0.75)
