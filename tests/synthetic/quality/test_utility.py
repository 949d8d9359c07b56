"""What a probe gains from a synthetic set, on sets where the answer is known."""

import numpy as np
import pytest

from tonegap.formats.quality_sheet import ALL
from tonegap.synthetic.quality.utility import _gain, probe_gains, tone_rows

RNG = np.random.default_rng(0)
N = 100
LABELS = [("a", "b")[i // 2 % 2] for i in range(N)]
Y = np.array([label == "b" for label in LABELS], float)
TONES = ["V-VI" if i % 4 > 1 else "I-II" for i in range(N)]


def gains(real, made, labels_made, held_by=None, labels=LABELS):
    rows = tone_rows(TONES, ["I-II", "V-VI"])
    held_by = [[]] * len(made) if held_by is None else held_by
    found = probe_gains(real, made, (labels, labels_made), held_by, rows)
    return {gain.tone: gain for gain in found}


def test_a_set_like_the_training_images_gains_nothing():
    real = np.column_stack([Y, RNG.normal(size=N)])
    found = gains(real, real, LABELS)
    assert list(found) == [ALL, "I-II", "V-VI"]
    for gain, n in zip(found.values(), (100, 50, 50), strict=True):
        assert (gain.n, gain.alone, gain.with_set, gain.gain) == (n, 1.0, 1.0, 0.0)
        assert gain.low < 0 < gain.high


def test_a_set_with_more_examples_of_the_same_is_a_gain():
    # One feature tells the classes apart beside a hundred of noise: 80 images are too few to see which.
    rng = np.random.default_rng(1)
    made_y = np.arange(1000) % 2
    real, made = (
        np.column_stack([y + 0.2 * rng.normal(size=len(y)), rng.normal(size=(len(y), 100))])
        for y in (Y, made_y)
    )
    found = gains(real, made, [("a", "b")[y] for y in made_y])[ALL]
    assert found.alone < 0.9
    assert found.with_set > 0.95
    assert found.gain == pytest.approx(found.with_set - found.alone)
    assert 0 < found.low < found.gain < found.high


def test_a_set_that_contradicts_most_training_images_costs_what_they_are_more():
    # Three in five labels are turned round, in every fold: the probe alone follows these, with the set the others.
    real, made = np.column_stack([Y, 1 - Y]), np.repeat([[0.0, 1.0], [1.0, 0.0]], 200, axis=0)
    turned = [("b", "a")[i // 2 % 2] if i // 10 % 5 < 3 else LABELS[i] for i in range(N)]
    found = gains(real, made, ["a"] * 200 + ["b"] * 200, labels=turned)[ALL]
    assert found.alone == pytest.approx(0.6)
    assert found.with_set == pytest.approx(0.4)
    assert found.gain == pytest.approx(-0.2)


def test_images_made_from_a_held_out_one_are_not_learned_from():
    real = np.column_stack([Y, 1 - Y])
    turned = [
        ("b", "a")[i // 2 % 2] for i in range(N)
    ]  # every copy with the wrong label, ten times
    made, labels = np.repeat(real, 10, axis=0), np.repeat(turned, 10).tolist()
    assert gains(real, made, labels)[ALL].with_set == 0
    # One source in every fold: no copy is left.
    found = gains(real, made, labels, held_by=[[0, 1, 2, 3, 4]] * len(made))[ALL]
    assert (found.with_set, found.gain) == (1.0, 0.0)


def test_the_interval_is_that_of_agresti_and_min():
    alone, both = np.zeros(30, bool), np.zeros(30, bool)
    both[:6], alone[6:8] = True, True
    # 6 better and 2 worse of 30; with half an image in each cell 4 / 32, and 9 of 32 differ.
    found = _gain("I", alone, both)
    half = 1.959964 * np.sqrt((9 / 32 - (4 / 32) ** 2) / 32)
    assert found.gain == pytest.approx(4 / 30)
    assert (found.low, found.high) == pytest.approx((4 / 32 - half, 4 / 32 + half))


def test_what_cannot_be_asked_says_why():
    real = np.column_stack([Y, 1 - Y])
    assert (
        gains(real, real, LABELS, labels=["a"] * N)[ALL].reason
        == "the training images have one class"
    )
    rows = {"VI": np.arange(N) < 19}
    (few,) = probe_gains(real, real, (LABELS, LABELS), [[]] * N, rows)
    assert few.gain is None
    assert few.reason == "19 real training images; at least 20 are wanted"


def test_more_features_than_images_give_the_same_probe():
    # 100 images beside 20 copies of each feature: scaled by their number, the dual solves what the primal does.
    real = np.column_stack([Y + 0.3 * RNG.normal(size=N), RNG.normal(size=N)])
    one, other = (
        gains(real, real, LABELS)[ALL],
        gains(np.tile(real, 60), np.tile(real, 60), LABELS)[ALL],
    )
    assert (one.alone, one.with_set) == (other.alone, other.with_set)
