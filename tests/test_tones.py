"""Words and numbers for tones on two scales."""

import pytest

from tonegap.tones import MONK, parse_tone, pooled, tone_group, tone_index, tone_order, tones_like


@pytest.mark.parametrize(
    ("cell", "scale", "tone"),
    [
        ("6", None, "VI"), ("6.0", "fitzpatrick", "VI"), ("34", None, "III-IV"), ("v–vi", None, "V-VI"),
        ("M10", None, "M10"), ("m4-7", None, "M4-7"),
        ("6", "monk", "M6"), ("10.0", "monk", "M10"), ("MST3", "monk", "M3"), ("mst 3", "monk", "M3"),
        (" ", "monk", None),
    ],
)  # fmt: skip
def test_a_cell_is_read_on_its_scale(cell, scale, tone):
    assert parse_tone(cell, scale) == tone


@pytest.mark.parametrize(
    ("cell", "scale"),
    [("7", None), ("10", None), ("M3", "fitzpatrick"), ("VI", "monk"), ("12", "monk"), ("0", "monk"), ("11", "monk")],
)  # fmt: skip
def test_a_cell_of_the_other_scale_or_of_none_is_refused(cell, scale):
    with pytest.raises(ValueError, match="is no skin tone"):
        parse_tone(cell, scale)


def test_tones_of_the_monk_scale_pool_into_three_groups_from_light_to_dark():
    groups = [tone_group(tone) for tone in MONK]
    assert groups == ["M1-3"] * 3 + ["M4-7"] * 4 + ["M8-10"] * 3
    assert [tone_index(tone) for tone in ("M1", "M10", "M8-10", "VI")] == [0, 9, 2, 5]
    assert tones_like("M3") == MONK


@pytest.mark.parametrize(
    ("tone", "among", "found"),
    [
        ("V", ("V", "VI"), "V"),
        ("V", ("I-II", "V-VI"), "V-VI"),
        ("V-VI", ("V", "VI"), "V-VI"),
        ("M9", ("M1-3", "M8-10"), "M8-10"),
        ("V", ("I-II",), "V"),
        (None, ("I-II",), None),
    ],
)
def test_a_fine_tone_is_its_group_among_groups(tone, among, found):
    assert pooled(tone, among) == found


def test_types_and_groups_side_by_side_go_from_light_to_dark():
    mixed = ["VI", "I-II", "III", "V-VI", "II", "I", "IV", "III-IV", "V"]
    assert sorted(mixed, key=tone_order) == [
        "I",
        "I-II",
        "II",
        "III",
        "III-IV",
        "IV",
        "V",
        "V-VI",
        "VI",
    ]
    assert sorted(["M8-10", "M3", "M1-3", "M5"], key=tone_order) == ["M1-3", "M3", "M5", "M8-10"]
    with pytest.raises(ValueError, match="is no skin tone"):
        tone_order("light")
