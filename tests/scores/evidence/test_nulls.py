"""What scores that compare tones are where tones make no difference."""

import numpy as np
import pytest

from tonegap.scores.counts import answers, count_once
from tonegap.scores.evidence.images import TestImages
from tonegap.scores.evidence.nulls import (
    OVER_ALL,
    WITHIN_CLASS,
    _counted,
    _counted_by_kind,
    _scores,
    permuted_tones,
    tone_nulls,
)
from tonegap.scores.evidence.parity import parity
from tonegap.scores.formulas import metric_values
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, GAP

TONES = ("I", "VI")


def seed_of(tone, y, right, ids=None, unit=None):
    """A seed's images and answers of two classes."""
    n = len(tone)
    ids = ids or tuple(map(str, range(n)))
    unit = np.arange(n) if unit is None else np.array(unit)
    images = TestImages(ids, np.array(y), np.array(tone), unit, TONES)
    predicted = np.where(right, y, 1 - np.array(y))
    p = np.where(np.eye(2)[predicted] > 0, 0.9, 0.1)
    return images, answers(p, images.y, ScoringRules(("a", "b"), (), None, 1, TONES))


def nulls_of(*seeds):
    points = [
        metric_values(count_once(i.y, i.tone, len(TONES), said), has_event=False)
        for i, said in seeds
    ]
    return tone_nulls(seeds, points, has_event=False, with_auc=False)


def test_the_null_of_four_images_is_that_of_their_six_permutations():
    # Two of four are right: a tone gets both or none of them in 2 of 6 ways (gap 1, PQD 0), else gap 0, PQD 1.
    found = nulls_of(seed_of([0, 0, 1, 1], [0, 1, 0, 1], [True, True, False, False]))
    gap, pqd = found["accuracy", GAP, OVER_ALL], found["pqd", ALL, OVER_ALL]
    assert gap.expected == pytest.approx(1 / 3, abs=0.07)
    assert pqd.expected == pytest.approx(2 / 3, abs=0.07)
    assert (gap.low, gap.high) == (pqd.low, pqd.high) == (0, 1)
    # The measured gap is 1 and the measured PQD 0: as far off as the worst third.
    assert gap.p == pytest.approx(1 / 3, abs=0.07)
    assert pqd.p == gap.p


def test_within_class_only_tones_of_the_same_class_change_places():
    # I has one image of each class, both right. Within class 2 of 4 ways give a gap of 1; over all, 2 of 6.
    found = nulls_of(seed_of([0, 1, 0, 1], [0, 0, 1, 1], [True, False, True, False]))
    assert found["accuracy", GAP, WITHIN_CLASS].p == pytest.approx(1 / 2, abs=0.07)
    assert found["accuracy", GAP, OVER_ALL].p == pytest.approx(1 / 3, abs=0.07)


def test_a_gap_that_classes_make_is_no_gap_within_class():
    # I has class a alone, all right; VI class b alone, all wrong: nothing can change places within a class.
    tone = [0] * 20 + [1] * 20
    found = nulls_of(seed_of(tone, tone, [True] * 20 + [False] * 20))
    assert found["accuracy", GAP, WITHIN_CLASS].p == 1.0
    assert found["accuracy", GAP, WITHIN_CLASS].expected == 1.0
    assert found["accuracy", GAP, OVER_ALL].p == pytest.approx(1 / 401)


def test_an_image_of_unknown_tone_keeps_it():
    images, _ = seed_of([0, -1, 1, 1], [0] * 4, [True] * 4)
    (dealt,) = permuted_tones((images,), 200, within=False)
    assert (dealt[:, 1] == -1).all()
    assert (np.sort(dealt[:, [0, 2, 3]], axis=1) == [0, 1, 1]).all()
    assert (dealt[:, 0] == 1).any()


def test_an_image_has_the_same_new_tone_at_every_seed():
    one, _ = seed_of([0, 1, 1], [0] * 3, [True] * 3, ("a", "b", "c"))
    other, _ = seed_of([1, 0], [0] * 2, [True] * 2, ("c", "d"), unit=(4, 2))
    first, second = permuted_tones((one, other), 200, within=False)
    assert (first[:, 2] == second[:, 0]).all()
    assert len({tuple(row) for row in first}) > 1


def test_near_duplicates_get_one_tone():
    images, _ = seed_of([0, 0, 1, 1], [0] * 4, [True] * 4, unit=(8, 8, 1, 2))
    (dealt,) = permuted_tones((images,), 200, within=False)
    assert (dealt[:, 0] == dealt[:, 1]).all()


def test_counts_by_kind_of_image_are_those_by_image():
    rng = np.random.default_rng(0)
    images, _ = seed_of(rng.integers(-1, 2, 60), rng.integers(0, 2, 60), [True] * 60)
    p = rng.dirichlet([1, 1], 60)
    said = answers(p, images.y, ScoringRules(("a", "b"), ("b",), 0.4, 1, TONES))
    (dealt,) = permuted_tones((images,), 30, within=True)
    full, kinds = _counted(images, said, dealt), _counted_by_kind(images, said, dealt)
    for name in ("true", "called", "right", "events", "bins"):
        np.testing.assert_allclose(getattr(kinds, name), getattr(full, name))


def test_tones_left_as_they_are_give_the_measured_scores():
    rng = np.random.default_rng(1)
    images, said = seed_of(rng.integers(-1, 2, 80), rng.integers(0, 2, 80), rng.random(80) < 0.7)
    measured = metric_values(count_once(images.y, images.tone, len(TONES), said), has_event=False)
    found = _scores(images, said, images.tone[None], has_event=False, with_auc=True)
    for name, values in measured.items():
        compared = values[:, :-1] if values.shape[1] > 1 else values  # all images, of any tone
        np.testing.assert_allclose(found[name][:, : compared.shape[1]], compared)


def test_a_null_that_is_mostly_undefined_is_none():
    assert parity(0.5, np.array([0.1, np.nan, np.nan])) is None
    assert parity(float("nan"), np.array([0.1, 0.2])) is None
    assert parity(0.2, np.array([0.1, 0.2, np.nan])).p == pytest.approx(2 / 3)


def test_the_same_images_in_another_task_are_permuted_within_its_own_classes():
    tone = np.array([0, 0, 1, 1])
    for y in ([0, 1, 0, 1], [0, 1, 1, 0]):
        images, _ = seed_of(tone, y, [True] * 4)
        (dealt,) = permuted_tones((images,), 30, within=True)
        # Each class has one image of each tone, whatever was permuted.
        for cls in (0, 1):
            np.testing.assert_array_equal(dealt[:, np.array(y) == cls].sum(axis=1), 1)
