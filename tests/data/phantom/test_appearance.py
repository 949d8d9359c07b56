"""Every label has an appearance of its own that never changes."""

from dataclasses import astuple

import numpy as np
import pytest

from tonegap.data.phantom.appearance import appearance_of, blend, mimic_of

HAND_MADE = (
    "basal cell carcinoma",
    "folliculitis",
    "nematode infection",
    "neutrophilic dermatoses",
    "prurigo nodularis",
    "psoriasis",
    "squamous cell carcinoma",
    "benign",
    "malignant",
)


def test_hand_made_appearances_are_all_different():
    assert len({astuple(appearance_of(label, None)) for label in HAND_MADE}) == len(HAND_MADE)


@pytest.mark.parametrize("label", HAND_MADE)
def test_a_hand_made_condition_ignores_the_malignant_flag(label):
    assert appearance_of(label, True) == appearance_of(label, False) == appearance_of(label, None)


def test_case_and_outer_spaces_of_a_label_do_not_matter():
    assert appearance_of(" Psoriasis ", None) == appearance_of("psoriasis", None)


def test_a_label_nobody_drew_has_a_stable_appearance():
    look = appearance_of("lichen planus", False)
    assert look == appearance_of("lichen planus", False)
    # Pinned: another value would redraw every stand-in that people have.
    assert look.elongation == pytest.approx(0.3769164684836302, abs=1e-12)


def test_labels_nobody_drew_differ_from_each_other():
    looks = {astuple(appearance_of(f"condition {i}", None)) for i in range(114)}
    assert len(looks) == 114


def test_malignant_makes_a_label_nobody_drew_more_irregular_and_mixed_in_colour():
    calm, wild = appearance_of("some tumour", False), appearance_of("some tumour", True)
    assert wild.irregularity > calm.irregularity
    assert wild.variegation > calm.variegation
    assert wild.body[0] < calm.body[0]


@pytest.mark.parametrize("label", [*HAND_MADE, "lichen planus"])
def test_the_mimic_of_a_label_is_another_appearance(label):
    assert mimic_of(label, None) != appearance_of(label, None)


def test_a_blend_starts_at_one_appearance_and_ends_at_the_other():
    one, other = appearance_of("psoriasis", None), appearance_of("folliculitis", None)
    assert blend(one, other, 0.0) == one
    assert np.allclose(flat(blend(one, other, 1.0)), flat(other))
    # Psoriasis has 2 to 5 lesions, folliculitis 9 to 20.
    assert blend(one, other, 0.5).count == (5.5, 12.5)


def flat(look):
    return np.hstack([np.ravel(value) for value in astuple(look)])
