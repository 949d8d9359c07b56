"""The tone that skin shows, and the table of tones asked for against tones shown."""

import numpy as np
import pytest

from tonegap.data.phantom.draw import Sitter, draw
from tonegap.scores.evidence.proportions import wilson
from tonegap.synthetic.quality.fidelity import tone_table
from tonegap.synthetic.quality.looks import lesion_contrast, looks_of, sharpness
from tonegap.synthetic.quality.skin import Skin, measured_skin
from tonegap.tones import TYPES, tone_group

ANGLES = {"I": 60.0, "II": 50.0, "III": 35.0, "IV": 20.0, "V": 0.0, "VI": -50.0, None: None}


def shown(*types):
    """Skins of these types; of None no skin to measure."""
    return [Skin(ANGLES[tone], 0.9 if tone else 0.2) for tone in types]


@pytest.mark.parametrize(
    ("angle", "tone"),
    [(55.1, "I"), (55.0, "II"), (41.1, "II"), (41.0, "III"), (28.1, "III"), (28.0, "IV"),
     (10.1, "IV"), (10.0, "V"), (-29.9, "V"), (-30.0, "VI"), (None, None)],
)  # fmt: skip
def test_borders_between_types_are_those_of_del_bino_and_bernerd(angle, tone):
    assert Skin(angle, 1.0).type == tone


def test_the_angle_of_one_colour_is_that_of_its_lab_values():
    """Red is L* 53.24, b* 67.20 in colour tables: arctan(3.24 / 67.20) is 2.76 degrees."""
    image = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    assert measured_skin(image).angle_deg == pytest.approx(2.76, abs=0.02)


def test_a_lesion_and_a_ruler_do_not_move_the_angle():
    image = np.full((20, 20, 3), (214, 165, 137), np.uint8)
    alone = measured_skin(image).angle_deg
    image[5:12, 5:12] = (120, 40, 40)
    image[:, 18:] = (240, 240, 240)
    assert measured_skin(image).angle_deg == pytest.approx(alone, abs=0.01)


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_picture_without_skin_has_no_tone(grey):
    skin = measured_skin(np.full((8, 8, 3), grey, np.uint8))
    assert (skin.type, skin.share) == (None, 0)


LIGHT, DARK, CLOTH = (214, 165, 137), (92, 58, 44), (225, 225, 228)


def test_a_dark_lesion_in_the_middle_of_light_skin_is_no_dark_skin():
    """16 px: the border is three pixels deep; the lesion fills all that is not border."""
    image = np.full((16, 16, 3), LIGHT, np.uint8)
    alone = measured_skin(image)
    image[3:13, 3:13] = DARK
    assert measured_skin(image) == alone
    assert alone.type in {"II", "III"}


def test_skin_that_is_less_than_half_of_the_border_is_not_measurable():
    image = np.full((16, 16, 3), LIGHT, np.uint8)
    image[:, 3:13] = DARK
    image[:7] = CLOTH  # of 156 pixels of the border 7 rows of 6 and 3 of 10 are cloth
    assert measured_skin(image).share == pytest.approx(1 - 72 / 156)
    image[:10] = CLOTH
    assert measured_skin(image) == Skin(None, pytest.approx(1 - 90 / 156))


def test_where_there_is_a_mask_skin_is_measured_outside_the_lesion():
    image, mask = np.full((16, 16, 3), LIGHT, np.uint8), np.zeros((16, 16), np.uint8)
    unmarked = measured_skin(image, mask)
    image[:, :10], mask[:, :10] = DARK, 1  # a lesion to the edge
    skin = measured_skin(image, mask)
    assert (skin.angle_deg, skin.by_mask, unmarked.by_mask) == (unmarked.angle_deg, True, False)
    mask[mask == 0] = 4  # skin is named: the rest is not it
    mask[:4, 10:] = 3
    image[:4, 10:] = CLOTH
    assert measured_skin(image, mask) == Skin(unmarked.angle_deg, 1.0, by_mask=True)


def test_a_lesion_that_fills_the_mask_leaves_nothing_to_measure():
    mask = np.ones((16, 16), np.uint8)
    assert measured_skin(np.full((16, 16, 3), LIGHT, np.uint8), mask).angle_deg is None


def test_a_lesion_stands_out_and_falling_light_does_not():
    even = np.full((64, 64, 3), LIGHT, np.uint8)
    assert lesion_contrast(even) == pytest.approx(0, abs=1e-6)
    shaded = (even * np.linspace(1, 0.8, 64)[:, None, None]).astype(np.uint8)
    assert lesion_contrast(shaded) < 2
    shaded[24:40, 24:40] = DARK
    assert lesion_contrast(shaded) > 30


def test_sharpness_is_the_deviation_of_the_laplacian():
    """One bright pixel: of nine values inside one is -4 x 90 and four are 90; the mean is 0."""
    image = np.zeros((5, 5, 3), np.uint8)
    image[2, 2] = 90
    assert sharpness(image) == pytest.approx(90 * (20 / 9) ** 0.5)


def test_images_without_a_visible_lesion_are_counted():
    even = np.full((64, 64, 3), LIGHT, np.uint8)
    marked = even.copy()
    marked[20:44, 20:44] = DARK
    looks = looks_of([even, marked, even, marked], [marked])
    assert (looks.without_lesion.value, looks.without_lesion.n) == (0.5, 4)
    assert looks.sharpness == sharpness(marked)
    assert looks_of([], []).without_lesion.value is None


def test_of_drawn_images_a_lesion_is_seen_in_most():
    images = [draw(Sitter(f"q{i}", "psoriasis", TYPES[i % 4]), 64)[0] for i in range(40)]
    assert looks_of(images, []).without_lesion.value < 0.3


def test_types_of_drawn_images_are_measured_back():
    asked = [tone for tone in TYPES for _ in range(10)]
    images = [draw(Sitter(f"q{i}", "psoriasis", tone), 64)[0] for i, tone in enumerate(asked)]
    skins = [measured_skin(image) for image in images]
    measured = [skin.type for skin in skins]
    groups = [tone_group(a) == tone_group(m or "I") for a, m in zip(asked, measured, strict=True)]
    assert sum(groups) >= 57
    assert sum(a == m for a, m in zip(asked, measured, strict=True)) >= 55
    found = tone_table(asked, skins).agreement
    assert found.low is not None
    assert found.low > 0.75


def test_a_table_counts_each_tone_asked_for_by_tone_shown():
    table = tone_table(("V", "V", "V", "VI", None), shown("V", "VI", "IV", None, "I"))
    assert table.asked == ("V", "VI")
    assert table.measured == (*TYPES, "not measurable")
    assert table.counts == ((0, 0, 0, 1, 1, 1, 0), (0, 0, 0, 0, 0, 0, 1))
    assert table.n_without_tone == 1


def test_shares_are_of_the_images_whose_skin_can_be_measured():
    table = tone_table(("V", "V", "V", "VI", None), shown("V", "VI", "IV", None, "I"))
    assert (table.same_tone.value, table.same_tone.n) == (1 / 3, 3)
    assert (table.same_group.value, table.same_group.n) == (2 / 3, 3)
    assert [share.value for share in table.same_group_by_tone] == [2 / 3, None]
    assert (table.n_not_measurable, table.skin_share) == (1, 0.9)
    none = tone_table(("V",), shown(None)).same_group
    assert none.reason == "the skin of no image can be measured"


def test_groups_asked_for_are_compared_with_groups_shown():
    table = tone_table(("I-II", "V-VI", "V-VI"), shown("II", "V", "III"))
    assert table.measured == ("I-II", "III-IV", "V-VI", "not measurable")
    assert table.counts == ((1, 0, 0, 0), (0, 1, 1, 0))
    assert table.same_tone.value == table.same_group.value == 2 / 3


def test_without_any_tone_asked_for_the_share_is_undefined():
    table = tone_table((None, None), shown("V", "VI"))
    assert table.same_group.value is None
    assert table.same_group.reason == "no image has a tone that was asked for"


def test_agreement_is_beside_chance_and_none_where_its_interval_holds_0():
    # Of five in I-II three are measured so, of five in V-VI four: 7 of 10, and 5 x 4 + 5 x 6 of 100 by the margins.
    asked, measured = (
        ("I",) * 5 + ("VI",) * 5,
        ("I", "II", "I", "V", "VI", "I", "VI", "V", "VI", "V"),
    )
    found = tone_table(asked, shown(*measured)).agreement
    assert found.chance == 0.5
    assert found.kappa == pytest.approx(0.4)
    # What each image pulls kappa by: 0.36 where I-II is seen, 0.24 where V-VI is, -0.64 and -0.76 where it is not.
    worth = 0.7 * 0.3 / ((3 * 0.36**2 + 4 * 0.24**2 + 2 * 0.64**2 + 0.76**2) / 100 * 10 / 9)
    low, high = wilson(0.7, worth, 2.262157)
    assert (found.low, found.high) == pytest.approx((2 * low - 1, 2 * high - 1), abs=1e-6)
    assert found.is_none
    sure = tone_table(asked * 4, shown(*("I",) * 5, *("VI",) * 5) * 4).agreement
    assert (sure.kappa, sure.high, sure.is_none) == (1, 1, False)
    z = 2.022691  # Student's of 39
    assert sure.low == pytest.approx(1 - 2 * z**2 / (40 + z**2), abs=1e-4)


def test_a_patients_photographs_are_no_evidence_apart():
    rng = np.random.default_rng(5)
    follows = {"together": 0, "apart": 0}
    for _ in range(150):
        asked, seen = (
            rng.integers(0, 6, 40),
            rng.integers(0, 6, 40),
        )  # of one patient; nothing follows
        rows = np.repeat(np.arange(40), 6)
        skins = shown(*(TYPES[t] for t in seen[rows]))
        for name, units in (("together", rows.tolist()), ("apart", ())):
            found = tone_table([TYPES[t] for t in asked[rows]], skins, units).agreement
            follows[name] += not found.is_none
    assert follows["together"] <= 9  # 3.75 wanted
    assert follows["apart"] > 15


def test_of_one_group_there_is_no_agreement_to_speak_of():
    found = tone_table(("V", "VI"), shown("V", "I")).agreement
    assert (found.kappa, found.reason) == (None, "fewer than two tone groups")
    assert not found.is_none


def test_tones_of_another_scale_are_not_images_without_a_tone():
    found = tone_table(("M9", None, "M1"), shown("V", "V", "I"))
    assert found.n_without_tone == 1
    assert found.agreement.reason.startswith(
        "the classes of the angle are those of Fitzpatrick types"
    )
