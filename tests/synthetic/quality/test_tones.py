"""The tone that skin shows, and the table of tones asked for against tones shown."""

import numpy as np
import pytest

from tonegap.data.phantom.draw import Sitter, draw
from tonegap.synthetic.quality.fidelity import tone_table
from tonegap.synthetic.quality.skin import measured_types, skin_angle_deg, type_of_angle
from tonegap.tones import TYPES, tone_group


@pytest.mark.parametrize(
    ("angle", "tone"),
    [(55.1, "I"), (55.0, "II"), (41.1, "II"), (41.0, "III"), (28.1, "III"), (28.0, "IV"),
     (10.1, "IV"), (10.0, "V"), (-29.9, "V"), (-30.0, "VI"), (None, None)],
)  # fmt: skip
def test_borders_between_types_are_those_of_del_bino_and_bernerd(angle, tone):
    assert type_of_angle(angle) == tone


def test_the_angle_of_one_colour_is_that_of_its_lab_values():
    """Red is L* 53.24, b* 67.20 in colour tables: arctan(3.24 / 67.20) is 2.76 degrees."""
    image = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    assert skin_angle_deg(image) == pytest.approx(2.76, abs=0.02)


def test_a_lesion_and_a_ruler_do_not_move_the_angle():
    image = np.full((20, 20, 3), (214, 165, 137), np.uint8)
    alone = skin_angle_deg(image)
    image[5:12, 5:12] = (120, 40, 40)
    image[:, 18:] = (240, 240, 240)
    assert skin_angle_deg(image) == pytest.approx(alone, abs=0.01)


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_picture_without_skin_has_no_tone(grey):
    assert measured_types([np.full((8, 8, 3), grey, np.uint8)]) == (None,)


def test_types_of_drawn_images_are_measured_back():
    asked = [tone for tone in TYPES for _ in range(10)]
    images = [draw(Sitter(f"q{i}", "psoriasis", tone), 64)[0] for i, tone in enumerate(asked)]
    measured = measured_types(images)
    groups = [tone_group(a) == tone_group(m or "I") for a, m in zip(asked, measured, strict=True)]
    assert sum(groups) >= 57
    assert sum(a == m for a, m in zip(asked, measured, strict=True)) >= 55
    found = tone_table(asked, measured).agreement
    assert found.low is not None
    assert found.low > 0.8


def test_a_table_counts_each_tone_asked_for_by_tone_shown():
    table = tone_table(("V", "V", "V", "VI", None), ("V", "VI", "IV", None, "I"))
    assert table.asked == ("V", "VI")
    assert table.measured == (*TYPES, "no skin")
    assert table.counts == ((0, 0, 0, 1, 1, 1, 0), (0, 0, 0, 0, 0, 0, 1))
    assert table.n_without_tone == 1


def test_shares_are_of_the_images_that_a_tone_was_asked_for():
    table = tone_table(("V", "V", "V", "VI", None), ("V", "VI", "IV", None, "I"))
    assert (table.same_tone.value, table.same_tone.n) == (1 / 4, 4)
    assert (table.same_group.value, table.same_group.n) == (2 / 4, 4)
    assert [share.value for share in table.same_group_by_tone] == [2 / 3, 0]


def test_groups_asked_for_are_compared_with_groups_shown():
    table = tone_table(("I-II", "V-VI", "V-VI"), ("II", "V", "III"))
    assert table.measured == ("I-II", "III-IV", "V-VI", "no skin")
    assert table.counts == ((1, 0, 0, 0), (0, 1, 1, 0))
    assert table.same_tone.value == table.same_group.value == 2 / 3


def test_without_any_tone_asked_for_the_share_is_undefined():
    table = tone_table((None, None), ("V", "VI"))
    assert table.same_group.value is None
    assert table.same_group.reason == "no image has a tone that was asked for"


def test_agreement_is_beside_chance_and_none_where_its_interval_holds_0():
    # Of five in I-II three are measured so, of five in V-VI four: 7 of 10, and 5 x 4 + 5 x 6 of 100 by the margins.
    asked, shown = ("I",) * 5 + ("VI",) * 5, ("I", "II", "I", "V", "VI", "I", "VI", "V", "VI", "V")
    found = tone_table(asked, shown).agreement
    assert found.chance == 0.5
    assert found.kappa == pytest.approx(0.4)
    # Wilson's interval of 7 in 10 is 0.39678 to 0.89221.
    assert (found.low, found.high) == pytest.approx((-0.20645, 0.78442), abs=1e-4)
    assert found.is_none
    sure = tone_table(asked * 4, (*("I",) * 5, *("VI",) * 5) * 4).agreement
    assert (sure.kappa, sure.high, sure.is_none) == (1, 1, False)
    assert sure.low == pytest.approx(1 - 2 * 3.8415 / (40 + 3.8415), abs=1e-4)


def test_of_one_group_there_is_no_agreement_to_speak_of():
    found = tone_table(("V", "VI"), ("V", "I")).agreement
    assert (found.kappa, found.reason) == (None, "fewer than two tone groups")
    assert not found.is_none
