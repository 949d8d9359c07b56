"""Small phrases that messages share."""

import pytest

from tonegap.lines import first_few


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        (list("abcdefg"), "a, b, c and 4 more"),
    ],
)
def test_the_first_three_are_named_and_the_rest_counted(texts: list[str], said: str) -> None:
    assert first_few(texts) == said


def test_what_is_counted_may_be_named_and_stand_apart_otherwise() -> None:
    assert first_few(["a", "b", "c"], "; ", most=2, noun=" scores") == "a; b and 1 more scores"
