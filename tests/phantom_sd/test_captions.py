"""Captions say what a picture shows, in words that each are one token."""

from collections import Counter

import numpy as np
import pytest
from benchmarks.phantom.models.training.architecture import build_tokenizer
from benchmarks.phantom.models.training.captions import (
    HEALTHY,
    TONE_PHRASES,
    caption_of,
    plain_prompt,
)
from benchmarks.phantom.models.training.pictures import classes

from tonegap.tones import TYPES


def captions(condition: str, skin_type: str, n: int = 400) -> list[str]:
    rng = np.random.default_rng(5)
    return [caption_of(condition, skin_type, rng) for _ in range(n)]


@pytest.mark.parametrize(
    ("condition", "skin_type", "prompt"),
    [
        (
            "psoriasis",
            "I",
            "An image of psoriasis on the skin of a very light-skinned individual",
        ),
        ("folliculitis", "IV", "An image of folliculitis on the skin of a tan-skinned individual"),
        (HEALTHY, "V", "An image of healthy skin on a dark-skinned individual"),
    ],
)
def test_the_prompt_of_a_sample_is_worded_as_the_papers_do(condition, skin_type, prompt):
    assert plain_prompt(condition, skin_type) == prompt


def test_every_type_has_words_of_its_own():
    assert sorted(TONE_PHRASES) == sorted(TYPES)
    assert len(set(TONE_PHRASES.values())) == len(TYPES)


def test_a_light_picture_is_never_called_dark():
    found = captions("psoriasis", "I") + captions(HEALTHY, "II")
    assert [c for c in found if "dark-" in c or "medium-" in c or "tan-" in c] == []


def test_healthy_skin_is_never_called_by_a_condition():
    conditions = set(classes()) - {HEALTHY}
    assert [c for c in captions(HEALTHY, "III") if any(name in c for name in conditions)] == []


def test_the_words_of_a_type_are_what_most_captions_name_it_by():
    found = Counter("a dark-skinned" in c for c in captions("psoriasis", "V"))
    assert found[True] > found[False]


def test_the_same_stream_gives_the_same_captions():
    assert captions("psoriasis", "VI") == captions("psoriasis", "VI")


@pytest.mark.parametrize("condition", classes())
def test_every_word_of_a_caption_is_one_token(condition):
    tokenizer = build_tokenizer()
    whole = {token for c in captions(condition, "II", 60) for token in tokenizer.tokenize(c)}
    assert [token for token in whole if not token.endswith("</w>")] == []


def test_a_tokenizer_built_twice_has_the_same_vocabulary():
    assert build_tokenizer().get_vocab() == build_tokenizer().get_vocab()
