"""Every kind of page by axe-core, light and dark, wide and at 400 px: nothing serious or critical is found."""

from dataclasses import replace

import pytest
from answered import LEVELS, board_with_answers
from axe import LOOKS, NEEDS_AXE, findings
from two_entries import board_of, fill_with_photographs

from tonegap.report.pages import across_page
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.pages.templates import render_template
from tonegap.report.write import write_board

pytestmark = NEEDS_AXE

FAULTY = """<!doctype html><html lang="en"><head><title>x</title></head><body><main><h1>x</h1>
<p style="color: #bbb; background: #fff">hardly to be read</p><img src="data:,"></main></body></html>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of two entries with two seeds, kept predictions and pictures of what they miss."""
    source = fill_with_photographs(tmp_path_factory.mktemp("store"))
    out = tmp_path_factory.mktemp("report")
    write_board(board_of(source), out, source)
    return out


@pytest.fixture
def pages(report, make_record, entry, cell, hole, settings):
    """One page of each kind, by name."""
    made = board_with_answers(make_record, entry, cell, settings)(LEVELS)
    (one,) = made.claims
    claims = [
        replace(
            one,
            table=replace(one.table, task=task, question=replace(one.table.question, task=task)),
        )
        for task in ("a/t", "b/t")
    ]
    several = replace(made, tables=tuple(c.table for c in claims), claims=tuple(claims))
    ((_, (across,)),) = across_page.files(several, None)
    bundle = {"file": "a.tonegap.zip", "suite": "a", "title": "A", "records": 2, "complete": True}
    values = {"report": "A board", "bundles": [bundle | {"sha256": "a" * 64}], "version": "0"}

    def text(pattern):
        return sorted(report.glob(pattern))[0].read_text("utf-8")

    return {
        "index": text("index.html"),
        "index of six tones, with tables": render_html(several),
        "entry": text("entries/*.html"),
        "method": text("methods/*mixup*.html"),
        "paper": text("papers/patchalign.html"),
        "compare": text("compare.html"),
        "across": across.decode(),
        "bundles": render_template(settings, "bundles.html.j2", values),
    }


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_serious_is_found_on_any_kind_of_page(pages, tmp_path, look):
    found = findings(pages, tmp_path, look)
    assert {place: of["serious"] for place, of in found.items() if of["serious"]} == {}
    assert {place: of["wide"] for place, of in found.items() if of["wide"]} == {}
    assert {of["dark"] for of in found.values()} == {look == "dark"}


def test_a_faulty_page_is_found(tmp_path):
    found = findings({"faulty": FAULTY}, tmp_path, "light")
    rules = {rule for of in found.values() for _, rule, *_ in of["serious"]}
    assert rules == {"color-contrast", "image-alt"}
