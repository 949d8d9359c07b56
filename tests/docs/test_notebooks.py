"""The notebooks run, and show what they are said to show."""

import json
import re

import pytest
from notebooks import cells_of, run
from pages import ROOT, Page

from tonegap.report.exports.csv_ import COLUMNS


@pytest.mark.parametrize("name", ["predictions", "photographs"])
def test_a_notebook_shows_what_it_says(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    notebook = json.loads((ROOT / "docs/notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    said = ["".join(o["data"]["text/plain"]) for c in cells_of(notebook) for o in c["outputs"]]
    found = [shown["text/plain"] for shown in run(notebook) if shown]
    assert len(found) > 3
    assert [shape(text) for text in found] == [shape(text) for text in said]


def shape(text: str) -> str:
    """A text without what another processor may write in the last digit."""
    return re.sub(r"-?\d+\.\d*", "#", " ".join(text.split()))


def test_every_column_of_the_long_table_is_described():
    assert [name for name in COLUMNS if f"`{name}`" not in Page("docs/python.md").text] == []
