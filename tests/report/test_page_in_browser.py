"""The page's script in a real browser: what it shows is what the page showed without it."""

import re

import pytest
from browser import NEEDS_BROWSER, dom_of

from tonegap.report.pages.leaderboard_page import render_html
from tonegap.results.leaderboard import leaderboard

pytestmark = NEEDS_BROWSER

CHANGE = """
const select = (name, value) => {
  const box = document.querySelector(".views").elements[name];
  box.value = value;
  box.dispatchEvent(new Event("change"));
};
const press = key => document.querySelector(`[data-key="${key}"] button`).click();
"""


@pytest.fixture
def shown(tmp_path, make_record, entry, cell, hole, settings):
    """The text of each table row after some script ran; sorted, with one entry that failed."""
    cells = [
        cell(make_record(entry(name), seed, {"I": light, "VI": dark}, control="prior" in name))
        for name, light, dark in (
            ("none+erm", 0.9, 0.5),
            ("tone-shift+erm", 0.8, 0.7),
            ("none+class-prior", 0.25, 0.25),
        )
        for seed in (0, 1)
    ]
    cells += [hole(entry("duplicate+erm"), seed, "timeout") for seed in (0, 1)]
    page = render_html(leaderboard(cells, settings))

    def run(script):
        dom = dom_of(page.replace("</body>", f"<script>{CHANGE}{script}</script></body>"), tmp_path)
        table = re.search(r'<table class="board.*?</table>', dom, re.DOTALL).group()
        rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        return [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in rows]

    return run


def test_the_script_shows_what_the_page_showed_before_it(shown):
    before = shown("")
    assert len(before) == 6  # head, three entries, band, control
    assert shown('select("metric", "pqd"); select("metric", "accuracy");') == before


def test_a_header_button_sorts_and_undefined_stays_last(shown):
    names = [row.split(" resnet18")[0] for row in shown('press("gap")')[1:4]]
    assert names == ["1 tone-shift + erm", "2 none + erm", "– 1 duplicate + erm"]
    names = [row.split(" resnet18")[0] for row in shown('press("gap"); press("gap")')[1:4]]
    assert names == ["2 none + erm", "1 tone-shift + erm", "– 1 duplicate + erm"]


def test_only_the_view_that_ranks_has_ranks(shown):
    rows = shown('select("selection", "test-oracle")')
    assert rows[1].startswith("tone-shift + erm")
