"""The number of bins of the calibration error is said in one place: code, pages and docs take it from there."""

import re
from pathlib import Path

from tonegap.scores.tables import N_BINS

ROOT = Path(__file__).parents[2]
_TYPED = re.compile(r"\b(?:15|fifteen)(?: equal)?(?: \w+)? bins|/ ?15\b", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)(?: equal)? bins")


def typed(text: str) -> list[str]:
    """Where a text says the number by hand."""
    return _TYPED.findall(text)


def test_no_code_and_no_template_says_the_number_by_hand():
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "reports" / "templates").iterdir()]
    found = {path.name: typed(path.read_text(encoding="utf-8")) for path in files}
    assert {name: words for name, words in found.items() if words} == {}


def test_a_number_by_hand_would_be_found():
    lines = ("in 15 equal bins", "(right) in 15 bins;", "Fifteen bins", "((m - 1) / 15, m / 15]")
    assert [bool(typed(line)) for line in lines] == [True] * 4
    assert typed("15 images in 2 binsets, 1 / 150") == []


def test_the_page_of_metrics_has_the_number_that_the_code_has():
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert set(_NUMBER.findall(text)) == {str(N_BINS)}
