"""Choosing on one half of the test images and scoring on the other, by hand and by simulation."""

import numpy as np
from records import plain_record

from tonegap.formats.record import decode_record, encode_record
from tonegap.scores.cross_fit import cross_fit, first_half
from tonegap.scores.predictions import Labelled
from tonegap.scores.selection import Selection, select
from tonegap.scores.task_rules import Rules

CLASSES = ("benign", "malignant")
# SHA-256 of "a" begins with ca97, of "b" with 3e23, of "c" with 2e7d, of "d" with 18ac: of the benign a and b, b is
# dealt first, of the malignant c and d, d is. The first half is b and d, the second a and c.
IDS = ("a", "b", "c", "d")


def rules(metric="accuracy", min_support=1, tones=("I-II",)):
    return Rules(CLASSES, (), tones, min_support, metric)


def images(right, ids=IDS, y=(0, 0, 1, 1), tones=("I-II",) * 4):
    """Images that are called right, or not, in each epoch, [epochs, n]."""
    y = np.array(y)
    called = np.where(np.array(right, dtype=bool), y, 1 - y)
    return Labelled(
        CLASSES, tuple(ids), tuple(range(1, len(right) + 1)), np.eye(2)[called], y, tones
    )


def gain(found, metric="accuracy", axis="groups"):
    table = found.gains[axis]
    at = table.metric.index(metric)
    return table.value[at], table.reason[at]


def test_the_halves_of_four_images_by_hand():
    assert first_half(images([[1, 1, 1, 1]]), (0, 1, 2, 3)).tolist() == [False, True, False, True]


def test_the_halves_do_not_depend_on_the_order_of_images():
    turned = images([[1, 1, 1, 1]], ids=("d", "c", "b", "a"), y=(1, 1, 0, 0))
    assert first_half(turned, (0, 1, 2, 3)).tolist() == [True, False, True, False]


def test_near_duplicates_stay_together():
    # a and b are one unit of two, c and d two units: a, b to the first half; then d to the emptier second half,
    # and c to the first, which has none of its class yet.
    assert first_half(images([[1, 1, 1, 1]]), (7, 7, 2, 3)).tolist() == [True, True, True, False]


def test_a_gain_can_be_negative_where_the_oracle_gains_nothing():
    # Epoch 1 is right for b and d, epoch 2 for a and c; both score 2 of 4, so test-oracle picks epoch 1 as validation
    # does, and differs by 0. The first half picks epoch 1, which scores 0 of 2 on the second; the second picks
    # epoch 2: 0 of 2 on the first. Validation's epoch 1 has 2 of 2 and 0 of 2: ((0 - 1) + (0 - 0)) / 2 = -1/2.
    test = images([[0, 1, 0, 1], [1, 0, 1, 0]])
    found = cross_fit(test, (0, 1, 2, 3), Selection(0, None), rules())
    assert select(test, "accuracy", rules().plain).epoch_index == 0
    assert (found.epochs, found.n) == ((1, 2), (2, 2))
    assert gain(found) == (-0.5, None)


def test_a_better_epoch_is_a_gain():
    # Epoch 2 is right for b, c and d. Both halves pick it; its accuracy is 1 on {b, d} and 1/2 on {a, c}; that of
    # validation's epoch 1 is 0 on both: (1 + 1/2) / 2 = 3/4.
    test = images([[0, 0, 0, 0], [0, 1, 1, 1]])
    found = cross_fit(test, (0, 1, 2, 3), Selection(0, None), rules())
    assert gain(found) == (0.75, None)


def test_a_half_that_cannot_choose_gives_no_gain():
    # One malignant image: the half without it has no recall of malignant images to choose by.
    test = images([[1, 1, 1, 1], [1, 1, 1, 1]], y=(0, 0, 0, 1))
    found = cross_fit(test, (0, 1, 2, 3), Selection(0, None), rules("balanced_accuracy"))
    value, reason = gain(found)
    assert value is None
    assert found.epochs == ()
    assert "cannot choose an epoch" in reason


def test_each_half_needs_half_of_the_support():
    test = images([[1, 1, 1, 1]])
    assert gain(cross_fit(test, (0, 1, 2, 3), Selection(0, None), rules(min_support=4)))[0] == 0.0
    value, reason = gain(cross_fit(test, (0, 1, 2, 3), Selection(0, None), rules(min_support=5)))
    assert value is None
    assert reason.startswith("first half of the test images: ")


def test_a_half_of_one_image_has_a_score():
    # b alone is the first half (its digest comes before a's), a alone the second. Epoch 2 is right for both, epoch 1
    # for neither: each half picks epoch 2 and the other scores 1 by it, 0 by validation's epoch 1.
    test = images([[0, 0], [1, 1]], ids=("a", "b"), y=(0, 0), tones=("I-II", None))
    found = cross_fit(test, (0, 1), Selection(0, None), rules())
    assert (found.epochs, found.n) == ((2, 2), (1, 1))
    assert gain(found) == (1.0, None)


def test_a_half_without_an_image_gives_no_gain():
    test = images([[1], [0]], ids=("a",), y=(0,), tones=("I-II",))
    found = cross_fit(test, (0,), Selection(0, None), rules())
    value, reason = gain(found)
    assert (found.epochs, found.n, value) == ((), (1, 0), None)
    assert reason.startswith("the second half of the test images cannot choose an epoch")


def test_on_a_flat_curve_nothing_is_gained():
    """15 epochs of 132 images, each right with probability 0.8 whatever the epoch: there is nothing to choose.

    A difference of two epochs on 132 images has a standard deviation of at most sqrt(2 * 0.16 / 132) = 0.049; the mean
    over 150 sets one of 0.004, so three of them are 0.012. The best of 15 epochs lies about 1.74 standard deviations
    (of sqrt(0.16 / 132) = 0.035) above 0.8: + 6 points of luck for test-oracle, of which at least 4 must be seen.
    """
    rng = np.random.default_rng(4)
    ids = tuple(f"image{i}" for i in range(132))
    y, tones = np.arange(132) % 2, ("I-II",) * 132
    gains, oracle = [], []
    for _ in range(150):
        test = images(rng.random((15, 132)) < 0.8, ids, y, tones)
        usual = Selection(int(rng.integers(15)), None)
        gains.append(gain(cross_fit(test, range(132), usual, rules()))[0])
        right = (test.p.argmax(axis=2) == y).mean(axis=1)
        oracle.append(right.max() - right[usual.epoch_index])
    assert abs(np.mean(gains)) < 0.012
    assert np.mean(oracle) > 0.04
    assert min(gains) < 0 <= min(oracle)


def test_a_record_without_the_gain_still_reads():
    one_record = plain_record()
    text = encode_record(one_record).decode()
    assert '"cross_fit": null' in text
    older = text.replace(' "cross_fit": null,\n', "")
    assert older != text
    assert decode_record(older.encode()) == one_record
