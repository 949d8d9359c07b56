"""The numbers of a sheet from features of a few images, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tonegap.synthetic.quality.features import Features
from tonegap.synthetic.quality.measure import Listed, measure, radiomic_distances
from tonegap.tones import TYPES


def listed(prefix, labels, tones, sources=()):
    ids = tuple(f"{prefix}{i}" for i in range(len(labels)))
    return Listed(ids, tuple(labels), tuple(tones), tuple(sources))


@pytest.fixture
def measured():
    """40 real images at 0, 1, 2 … on a line; synthetic ones at 3 (a copy), 10.4 and 10.6."""
    real = listed("r", ["a"] * 20 + ["b"] * 20, ["I"] * 20 + ["VI"] * 20)
    made = listed("m", ["a", "a", "b"], ["I", "VI", None], [("r3",), ("r1", "r2"), ()])
    train = np.arange(40.0)[:, None]
    synthetic = np.array([[3.0], [10.4], [10.6]])
    return measure(Features(train, synthetic), real, made, TYPES)


def test_only_tones_that_were_asked_for_are_compared(measured):
    assert [kid.tone for kid in measured.kid] == ["all", "I", "VI"]
    assert [(kid.n_real, kid.n_synthetic) for kid in measured.kid] == [(40, 3), (20, 1), (20, 1)]


def test_numbers_of_few_images_are_undefined_and_say_why(measured):
    assert [kid.value for kid in measured.kid] == [None] * 3
    assert measured.kid[0].reason == "3 synthetic images; at least 20 are wanted"
    assert measured.fid[1].reason.startswith("1 synthetic images for 1 features")
    assert measured.fid[0].value is not None


def test_half_of_the_real_images_against_the_other(measured):
    assert (measured.halves.n_real, measured.halves.n_synthetic) == (20, 20)
    assert measured.halves.value is not None


def test_near_copies_are_counted_against_the_real_images_own_distances(measured):
    """Every real image's nearest other one is 1 away, so that all three are near."""
    memory = measured.memory
    assert (memory.threshold, memory.median_real) == (1, 1)
    assert memory.near.value == 1
    assert memory.median_synthetic == pytest.approx(0.4)


def test_the_nearest_pairs_come_first_and_say_what_they_were_made_from(measured):
    first, second, _third = measured.memory.nearest
    assert (first.synthetic, first.real, first.distance, first.is_source) == ("m0", "r3", 0, True)
    assert (second.synthetic, second.real, second.is_source) == ("m1", "r10", False)
    assert measured.memory.own_source.value == pytest.approx(1 / 3)


def test_a_cell_of_one_image_has_no_diversity(measured):
    cell = next(c for c in measured.diversity if (c.label, c.tone) == ("a", "I"))
    assert (cell.n_synthetic, cell.synthetic, cell.n_real) == (1, None, 20)
    assert cell.real == pytest.approx(7)  # mean distance of 0 … 19: (n + 1) / 3
    assert {(c.label, c.tone) for c in measured.diversity} == {("a", "I"), ("a", "VI")}


def test_a_copied_training_set_is_as_diverse_as_itself_and_all_near():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(60, 5))
    real = listed("r", ["a"] * 60, ["I"] * 60)
    made = listed("m", ["a"] * 60, ["I"] * 60, [()] * 60)
    found = measure(Features(train, train.copy()), real, made, TYPES)
    assert found.fid[0].value == pytest.approx(0, abs=1e-9)
    assert found.kid[0].value < 0  # unbiased: a copy is nearer than another draw
    assert found.vendi[0].synthetic == pytest.approx(found.vendi[0].real)
    assert found.memory.near.value == 1


def test_few_real_images_give_no_near_copies():
    made = listed("m", ["a"], ["I"], [()])
    found = measure(
        Features(np.ones((3, 2)), np.ones((1, 2))), listed("r", "aaa", ["I"] * 3), made, TYPES
    )
    assert found.memory.near.value is None
    assert found.memory.near.reason == "3 real training images; at least 20 are wanted"


@pytest.mark.parametrize(
    ("first", "from_text", "unknown"),
    [
        ((), False, 1),
        (("?",), False, 1),
        (("r1", "?"), True, 1),
        ((), True, 0),
        (("r1",), False, 0),
    ],
)
def test_a_gain_is_undefined_where_an_image_may_be_a_copy_of_a_held_out_one(
    first, from_text, unknown
):
    train = np.arange(40.0)[:, None]
    real = listed("r", ["a"] * 20 + ["b"] * 20, ["I"] * 20 + ["VI"] * 20)
    sources = [first, *((f"r{i}",) for i in range(1, 40))]
    made = replace(listed("m", real.labels, real.tones, sources), from_text=from_text)
    found = {gain.tone: gain for gain in measure(Features(train, train), real, made, TYPES).gain}
    assert [gain.n for gain in found.values()] == [40, 20, 20]
    for gain in found.values():
        assert (gain.gain is None) == bool(unknown)
        assert not unknown or gain.reason == (
            "where 1 of the 40 images come from is not known; they may be copies of held-out ones"
        )


def test_radiomic_distances_are_frechet_distances_of_z_scores():
    # One feature, and one that is the same in all: of 0 and 2, mean 1 and deviation 1; the set's are 3 more.
    real = np.column_stack([np.tile([0.0, 2.0], 20), np.full(40, 7.0)])
    made = real + 3
    tones = ("I-II", "V-VI") * 20
    of_real, of_made = (listed(prefix, ["x"] * 40, tones) for prefix in ("r", "s"))
    every, light, halves = radiomic_distances(real, made, of_real, of_made, ["I-II"])
    assert every.value == pytest.approx(9)
    assert every.standard_error == pytest.approx(0, abs=1e-9)
    # Of I-II all are 0: no spread, three deviations of all training images away.
    assert (light.tone, light.n_real, light.n_synthetic) == ("I-II", 20, 20)
    assert light.value == pytest.approx(9)
    assert (halves.tone, halves.value) == ("real halves", pytest.approx(4))


def test_a_radiomic_distance_wants_two_images_for_each_feature():
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(40, 14)), rng.normal(size=(27, 14))
    tones = ("I-II",) * 40
    found = radiomic_distances(
        real, made, listed("r", ["x"] * 40, tones), listed("s", ["x"] * 27, tones[:27]), ["I-II"]
    )
    assert found[0].value is None
    assert found[0].reason.startswith("27 synthetic images; at least 28 are wanted")
    none = radiomic_distances(real[:0], made[:0], listed("r", [], ()), listed("s", [], ()), [])
    assert [distance.value for distance in none] == [None, None]
