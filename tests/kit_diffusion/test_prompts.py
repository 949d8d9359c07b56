"""Words of prompts."""

import pytest

from tonegap_kit.diffusion.models import spell_out
from tonegap_kit.diffusion.prompts import fill_caption, tokens_of, tone_words
from tonegap_kit.errors import StageError

CAPTION = "An image of {token} on the skin of {tone} individual"


def test_placeholders_are_the_papers():
    labels = ["basal cell carcinoma", "prurigo nodularis", "psoriasis"]
    assert list(tokens_of(labels).values()) == ["bas-class", "pru-class", "pso-class"]
    assert tokens_of(["folliculitis"], brackets=True) == {"folliculitis": "<fol-class>"}


def test_labels_that_begin_alike_get_placeholders_of_their_own():
    assert tokens_of(["psoriasis", "psoriasis pilaris", "psora"]) == {
        "psoriasis": "psoriasis-class",
        "psoriasis pilaris": "psoriasisp-class",
        "psora": "psora-class",
    }


def test_the_paper_s_caption_of_type_six():
    filled = fill_caption(CAPTION, "bas-class", "VI")
    assert filled == "An image of bas-class on the skin of a very dark-skinned individual"


@pytest.mark.parametrize(
    ("tone", "words"),
    [("I", "a very light-skinned"), ("II", "a light-skinned"), ("V", "a dark-skinned"),
     ("VI", "a very dark-skinned")],
)  # fmt: skip
def test_the_four_tones_that_the_paper_names_have_its_words(tone, words):
    assert tone_words(tone) == words


def test_a_caption_without_a_tone_names_none():
    assert fill_caption("a {token}", "x", "VI") == "a x"


def test_a_tone_without_words_is_refused():
    with pytest.raises(StageError, match="tone 'VII' has no words"):
        fill_caption(CAPTION, "x", "VII")


def test_a_placeholder_of_three_vectors_is_spelled_out():
    added = {"bas-class": 1, "bas-class_1": 2, "bas-class_2": 3, "pso-class": 4}
    spelled = spell_out("a bas-class, a pso-class", added)
    assert spelled == "a bas-class bas-class_1 bas-class_2, a pso-class"


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("bcc-class", "bcc-class bcc-class_1"),
        ("a cc-class, a bcc-class", "a cc-class cc-class_1 cc-class_2, a bcc-class bcc-class_1"),
        ("a scc-class of cc-class", "a scc-class of cc-class cc-class_1 cc-class_2"),
        ("skin", "skin"),
    ],
)
def test_a_placeholder_within_another_s_name_is_not_spelled_out(prompt: str, wanted: str) -> None:
    """`cc-class` of three vectors lies in `bcc-class` of two and in `scc-class` of one."""
    names = ("cc-class", "cc-class_1", "cc-class_2", "bcc-class", "bcc-class_1", "scc-class")
    for order in (names, names[::-1]):
        assert spell_out(prompt, {name: 9 + i for i, name in enumerate(order)}) == wanted


@pytest.mark.parametrize("labels", [("a b", "a-b"), ("Acne", "acne"), ("<x>", "x")])
def test_classes_of_the_same_letters_are_refused(labels):
    with pytest.raises(StageError, match="have the same letters"):
        tokens_of(labels)
