"""The reject option on images few enough to work out by hand."""

import numpy as np
import pytest
from programs import importable

from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN

with importable("postprocessors/reject-option"):
    from reject_option import RejectOption, fit_reject_option

# Light: both cancers found. Dark: one of two, the other at 0.45; a benign one at 0.2 in each.
SCORE = np.array([0.9, 0.55, 0.2, 0.8, 0.45, 0.2])
POSITIVE = np.array([True, True, False, True, True, False])
T = np.array([0, 0, 0, 1, 1, 1])


def fitted(allowed_loss, margins=50, score=SCORE, t=T):
    return fit_reject_option(score, POSITIVE, t, POSITIVE, margins, allowed_loss)


def test_calls_near_the_border_are_mirrored_by_tone():
    option = RejectOption(gain=(1,), lose=(0,), margin=0.1)
    score, t = np.array([0.45, 0.55, 0.3, 0.45, 0.55, 0.45]), np.array([1, 1, 1, 0, 0, 2])
    assert option(score, t) == pytest.approx([0.55, 0.55, 0.3, 0.45, 0.45, 0.45])


def test_an_image_on_the_border_goes_to_its_side():
    score = RejectOption((1,), (0,), 0.1)(np.array([0.5, 0.5]), np.array([1, 0]))
    assert score[0] > 0.5 > score[1]


def test_the_smallest_margin_that_closes_the_gap_costs_nothing_here():
    # Margin 0.05 swaps 0.45 (dark) up and 0.55 (light) down: sensitivities 1/2 and 1, as wide a gap. A margin of
    # 0.04 or less moves nothing; one of 0.3 calls both benign images too.
    assert fitted(0.02).margin == 0.0
    # With light's second cancer clear of the border, 0.05 gives both tones every cancer.
    clear = np.where(SCORE == 0.55, 0.7, SCORE)
    option = fitted(0.0, score=clear)
    assert option == RejectOption(gain=(1,), lose=(0,), margin=pytest.approx(0.05))
    assert option(clear, T)[POSITIVE].tolist() == pytest.approx([0.9, 0.7, 0.8, 0.55])


def test_more_balanced_accuracy_than_allowed_is_not_given_away():
    # Dark's cancer at 0.35 needs a margin of 0.15, which takes dark's benign image at 0.4 along: 7/8 becomes 3/4.
    score = np.array([0.9, 0.8, 0.2, 0.8, 0.35, 0.4])
    assert fitted(0.1, score=score).margin == 0.0
    assert fitted(0.2, score=score).margin == pytest.approx(0.15)


def test_unknown_tones_and_one_tone_alone_are_left_as_they_are():
    assert fitted(1.0, t=np.zeros(6, dtype=int)).margin == 0.0
    option = RejectOption((1,), (0,), 0.5)
    assert option(SCORE, np.full(6, UNKNOWN)).tolist() == SCORE.tolist()


@pytest.mark.parametrize("margins", [0, -1])
def test_no_margin_to_try_is_refused(margins):
    with pytest.raises(StageError, match=f"margins: found {margins}, wanted 1 or more"):
        fitted(0.02, margins=margins)
