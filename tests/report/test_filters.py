"""Filters and the comparison in a real browser: what is shown, said aloud, and kept in the address."""

import re
from dataclasses import replace

import msgspec
import pytest
from answered import LEVELS, board_with_answers
from browser import NEEDS_BROWSER, asked
from report_files import contents

from tonegap.report.pages.compare_page import files as compare_files
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.results.leaderboard import leaderboard

pytestmark = NEEDS_BROWSER

DO = """
const filters = document.querySelector(".filters"), views = document.querySelector(".views");
const put = (form, name, value, event) => {
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(new Event(event, { bubbles: true }));
};
const all = selector => [...document.querySelectorAll(selector)];
const names = () => all(".board tbody:not(.controls) th").map(th => th.firstChild.textContent);
const heads = () => all(".board thead th").map(th => (th.querySelector("button") || th).firstChild.textContent);
const said = () => document.querySelector(".said").textContent;
const state = () => decodeURIComponent(location.hash);
"""


@pytest.fixture
def page(make_record, entry, cell, settings):
    """Three entries on two networks and a control; all right for 90 % of I and less of VI."""
    rows = (
        ("none+erm", "resnet18", 0.5),
        ("shift+erm", "resnet18", 0.7),
        ("shift+resample", "vgg16", 0.6),
    )
    cells = [
        cell(make_record(entry(name, net), seed, {"I": 0.9, "VI": dark}))
        for name, net, dark in rows
        for seed in (0, 1)
    ]
    cells.append(
        cell(make_record(entry("none+prior", ""), 0, {"I": 0.25, "VI": 0.25}, control=True))
    )
    return render_html(leaderboard(cells, settings))


def test_what_is_asked_for_is_shown_counted_and_kept_in_the_address(page, tmp_path):
    found = asked(
        page,
        DO
        + """
        const before = [said(), names(), state()];
        put(filters, "method", "shift", "input");
        const method = [said(), names(), state()];
        put(filters, "find", "vgg", "input");
        const both = [said(), names(), state()];
        put(filters, "find", "nothing like it", "input");
        const none = [said(), all(".board tbody")[0].textContent, all(".controls tr").length];
        return { before, method, both, none };
        """,
        tmp_path,
    )
    assert found["before"] == ["3 rows", ["shift + erm", "shift + resample", "none + erm"], ""]
    assert found["method"] == ["2 of 3 rows", ["shift + erm", "shift + resample"], "#method=shift"]
    assert found["both"] == ["1 of 3 rows", ["shift + resample"], "#method=shift&find=vgg"]
    # Controls stay: they are what the others are read against.
    assert found["none"] == ["0 of 3 rows", "No entry is like that.", 2]


def test_an_address_brings_filters_sorting_and_hidden_tones_back(page, tmp_path):
    address = "#backbone=resnet18&t1.sort=worst&t1.without=VI"
    script = """
    const boxes = all(".tonekey input").map(box => box.checked);
    return [said(), names(), heads(), filters.elements.backbone.value, boxes];
    """
    said, names, heads, backbone, boxes = asked(page, DO + script, tmp_path, address)
    assert said == "2 of 3 rows"
    assert names == ["none + erm", "shift + erm"]  # the lowest worst tone first
    assert "I" in heads
    assert "VI" not in heads
    assert (backbone, boxes) == ("resnet18", [True, False])


def test_a_hidden_tone_is_one_column_less_and_the_gap_stays(page, tmp_path):
    found = asked(
        page,
        DO
        + """
        const text = td => td.firstChild ? td.firstChild.textContent : "";
        const row = () => [...all(".board tbody tr")[0].cells].map(text);
        const before = row();
        const box = document.querySelector('.tonekey input[value="I"]');
        box.click();
        return { before, after: row(), state: state() };
        """,
        tmp_path,
    )
    assert len(found["after"]) == len(found["before"]) - 1
    assert found["before"][3] == found["after"][3] == "20.0"  # 90 - 70
    assert found["state"] == "#t1.without=I"


def test_every_field_has_a_name_and_the_count_is_read_out(page, tmp_path):
    script = """
    const named = e => (e.labels && e.labels.length) || e.textContent.trim();
    const unnamed = [...document.querySelectorAll("select, input, button")].filter(e => !named(e));
    return [unnamed.map(e => e.outerHTML), document.querySelector(".said").getAttribute("aria-live")];
    """
    assert asked(page, script, tmp_path) == [[], "polite"]


def test_a_task_that_is_chosen_is_the_only_one_shown_and_counted(
    make_record, entry, cell, settings, tmp_path
):
    cells = []
    for task in ("phantom/one", "phantom/two"):
        record = make_record(entry("none+erm"), 0, {"I": 0.9, "VI": 0.5})
        cells.append(cell(msgspec.structs.replace(record, task=task)))
    page = render_html(leaderboard(cells, settings))
    found = asked(
        page,
        DO
        + """
        const hidden = () => all("section.task").map(section => section.hidden);
        put(filters, "task", "t2", "input");
        return [hidden(), said(), state()];
        """,
        tmp_path,
    )
    assert found == [[True, False], "1 row", "#task=t2"]


def test_a_long_table_shows_its_first_rows_and_sorts_all_of_them(
    make_record, entry, cell, settings, tmp_path
):
    settings = msgspec.structs.replace(settings, n_rows=2)
    cells = [
        cell(make_record(entry(f"m{i}+erm"), 0, {"I": 0.9, "VI": 0.5 + i / 100})) for i in range(5)
    ]
    page = render_html(leaderboard(cells, settings))
    found = asked(
        page,
        DO
        + """
        const before = [names(), document.querySelector(".more").textContent.trim()];
        document.querySelector('[data-key="rank"] button').click();
        const turned = names();
        document.querySelector(".more button").click();
        return { before, turned, all: names() };
        """,
        tmp_path,
    )
    assert found["before"] == [["m4 + erm", "m3 + erm"], "The first 2 of 5. Show all 5"]
    assert found["turned"] == ["m0 + erm", "m1 + erm"]
    assert found["all"] == [f"m{i} + erm" for i in range(5)]


@pytest.fixture
def compare_page(make_record, entry, cell, settings):
    board = board_with_answers(make_record, entry, cell, settings)(LEVELS)
    return contents(compare_files(board, None))["compare.html"].decode()


def test_the_address_of_a_comparison_names_its_entries_and_swapping_turns_the_sign(
    compare_page, tmp_path
):
    script = """
    const cell = () => document.querySelector(".pair tbody tr").cells[3].textContent;
    const answer = () => document.querySelector(".verdict .answer").textContent;
    const before = [document.querySelector(".verdict h2").textContent, cell(), answer()];
    document.querySelector("[name=swap]").click();
    return { before, after: [cell(), answer(), location.hash] };
    """
    address = "#phantom-smoke/none-erm-resnet18/good-erm-resnet18"
    found = asked(compare_page, script, tmp_path, address)
    title, difference, said = found["before"]
    assert title == "none + erm (resnet18) against good + erm (resnet18)"
    assert difference.startswith("−")
    assert said.startswith("Accuracy of the worst tone: good + erm (resnet18) is better by ")
    turned, again, kept = found["after"]
    assert turned == difference.replace("−", "+")
    assert again.startswith("Accuracy of the worst tone: good + erm (resnet18) is better by ")
    assert kept == "#phantom-smoke/good-erm-resnet18/none-erm-resnet18"


def test_a_pairs_chart_reaches_as_far_as_its_intervals(compare_page, tmp_path):
    """The scale is that of the largest end below 100 points, and a line ends where its numbers say."""
    found = asked(
        compare_page,
        """
        const table = document.querySelector("table.pair"), rows = [...table.tBodies[0].rows];
        return [table.tHead.textContent, rows.map(row => {
          const line = row.querySelector("line.interval");
          return [row.cells[4].textContent, line && [line, row.querySelector(".dot")].map(
            part => ["x1", "x2", "cx"].map(name => part.getAttribute(name)).filter(Boolean).map(Number))];
        })];
        """,
        tmp_path,
    )
    head, rows = found
    told = [re.fullmatch(r"([−+\d.]+) to ([−+\d.]+)", text) for text, _ in rows]
    ends = [[float(one.replace("−", "-")) for one in match.groups()] for match in told if match]
    assert ends
    reach = min(100, max(10 / 10, *(abs(end) for pair in ends for end in pair)))
    assert f"−{reach:.1f} to +{reach:.1f} points" in head
    drawn = [line[0] for _, line in rows if line]
    for (low, high), (x1, x2) in zip(ends, drawn, strict=True):
        assert (x1, x2) == pytest.approx((100 + 96 * low / reach, 100 + 96 * high / reach), abs=0.2)


def test_entries_that_cannot_be_told_apart_are_said_to_be_so(compare_page, tmp_path):
    script = 'return document.querySelector(".verdict").innerText;'
    address = "#phantom-smoke/good-erm-resnet18/same-erm-resnet18"
    text = asked(compare_page, script, tmp_path, address)
    assert "Accuracy of the worst tone: they are not significantly different" in text
    assert "Both are in tie group 1" in text


def test_another_task_has_its_own_entries_and_matrix(make_record, entry, cell, settings, tmp_path):
    board = board_with_answers(make_record, entry, cell, settings)(LEVELS)
    (claims,) = board.claims
    other = replace(claims, table=replace(claims.table, task="phantom/other"))
    both = replace(board, tables=(claims.table, other.table), claims=(claims, other))
    page = contents(compare_files(both, None))["compare.html"].decode()
    script = """
    const form = document.querySelector(".choose");
    form.elements.task.value = "phantom-other";
    form.elements.task.dispatchEvent(new Event("change", { bubbles: true }));
    const hidden = [...document.querySelectorAll("section.table")].map(section => section.hidden);
    return [hidden, location.hash.split("/")[0], form.elements.a.options.length];
    """
    assert asked(page, script, tmp_path) == [[True, False], "#phantom-other", 3]
