"""What the script of all pages does in a browser: percent or fractions, CSV of tables, buttons that copy."""

import csv
import html
import io
import json
import re

import pytest
from browser import NEEDS_BROWSER, asked, dom_of
from report_files import contents
from two_entries import board_of, fill_two_entries

from tonegap.report.pages import entry_page
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.references import bibtex, linked
from tonegap.results.leaderboard import leaderboard

SWITCH = """
const put = (select, value) => { select.value = value; select.dispatchEvent(new Event("change", { bubbles: true })); };
const scores = document.querySelector(".site select");
const row = name => [...document.querySelectorAll(".board tbody tr")].find(r => r.textContent.includes(name));
const cells = name => [...row(name).cells].map(c => c.textContent);
"""


@pytest.fixture
def page(make_record, entry, cell, settings):
    """Two entries of two seeds: worst tone 55.0 and 40.0 %; one has a decimal number in its name."""
    cells = [
        cell(make_record(entry(name, variant=variant), seed, {"I": 0.9, "VI": dark + 0.1 * seed}))
        for name, variant, dark in (("none+erm", "", 0.5), ("shift+erm", "by 12.5", 0.35))
        for seed in (0, 1)
    ]
    return render_html(leaderboard(cells, settings))


class TestInABrowser:
    pytestmark = NEEDS_BROWSER

    def test_scores_are_percent_until_fractions_are_chosen_and_percent_again_after(
        self, page, tmp_path
    ):
        found = asked(
            page,
            SWITCH
            + """
            const before = [document.body.innerText, cells("none + erm")[2]];
            put(scores, "fraction");
            const after = [cells("none + erm")[2],
              [...document.querySelectorAll(".answer")].map(p => p.textContent).join(" "),
              row("shift").querySelector("small").textContent,
              document.querySelector(".strip title").textContent,
              document.querySelector(".chart circle title").textContent,
              document.querySelector(".board th small[data-percent]").textContent, location.search,
              document.querySelector(".chart text[data-percent]").textContent,
              cells("shift")[1]];
            put(scores, "percent");
            return [before, after, document.body.innerText === before[0]];
            """,
            tmp_path,
        )
        (_, percent), after, same = found
        assert percent == "55.0VI · 50.0–60.0"
        worst, prose, _, strip, dot, scale, address, tick, name = after
        assert worst == "0.550VI · 0.500–0.600"
        assert "has the best worst-tone accuracy: 0.550" in prose
        assert "differs by 0.350 between tones" in prose
        assert not re.search(r"\d\.\d (points|%)", prose)
        assert strip.startswith("I 0.900 (0.900 to 0.900), VI 0.550 (0.500 to 0.600)")
        assert dot == "I 0.900 (0.900 to 0.900)"
        assert (scale, tick) == ("0.40 to 0.90", "0.40")
        assert address == "?scores=fraction"
        assert "by 12.5" in name
        assert same

    def test_a_chart_that_has_the_focus_says_its_values(self, page, tmp_path):
        found = asked(
            page,
            SWITCH
            + """
            document.querySelectorAll("details").forEach(d => { d.open = true; });
            const chart = document.querySelector("svg.chart"), values = chart.nextElementSibling;
            const told = () => [values.hidden, values.textContent];
            const before = told();
            chart.focus();
            const on = told();
            chart.blur();
            const off = values.hidden;
            put(scores, "fraction");
            chart.focus();
            return [before, on, off, told()];
            """,
            tmp_path,
        )
        before, on, off, fractions = found
        assert before == [True, ""]
        assert not on[0]
        assert "I 90.0" in on[1]
        assert off
        assert "I 0.900" in fractions[1]

    def test_what_the_page_draws_later_has_the_unit_of_the_rest(self, page, tmp_path):
        script = (
            SWITCH
            + """
            put(scores, "fraction");
            put(document.querySelector(".views").elements.metric, "pqd");
            const line = document.querySelector(".unranked"), other = [line.hidden, line.textContent];
            put(document.querySelector(".views").elements.metric, "accuracy");
            // After what the page does when something was drawn.
            queueMicrotask(() => { document.title = JSON.stringify([cells("none + erm")[2], other, line.hidden]); });
            """
        )
        dom = dom_of(page.replace("</body>", f"<script>{script}</script></body>"), tmp_path)
        title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL).group(1)
        worst, (hidden, why), back = json.loads(html.unescape(title))
        assert worst == "0.550VI · 0.500–0.600"
        assert not hidden
        assert why.startswith("No ranks here: entries are ranked by accuracy, epoch picked on")
        assert back

    def test_sentences_lists_and_names_of_classes_are_read_right(self, page, tmp_path):
        said = [
            "The minimum detectable difference is 36.9. Percent; III-IV 19.2.",
            "One tone must lie 34 to 35 points below; it reaches ±17 points, 1 point. 95 % interval.",
            "At an accuracy of 72 %, Positive: by 12.5; version 1.2.3 of 5 images",
            "+3.2 points, −49.6 to +56.0",
            "47 to 53 %",
            "share one scale (0 to 100 %)",
        ]
        found = asked(
            page, f"return {json.dumps(said)}.map(t => tonegapPage.fractions(t));", tmp_path
        )
        assert found == [
            "The minimum detectable difference is 0.369. Fractions; III-IV 0.192.",
            "One tone must lie 0.34 to 0.35 below; it reaches ±0.17, 0.01. 95 % interval.",
            "At an accuracy of 0.72, Positive: by 12.5; version 1.2.3 of 5 images",
            "+0.032, −0.496 to +0.560",
            "0.47 to 0.53",
            "share one scale (0.00 to 1.00)",
        ]

    def test_a_change_with_its_interval_is_no_formula_in_csv(self, page, tmp_path):
        table = (
            '<div class="scroll" aria-label="x"><table id="odd"><tr><th>a</th><th>strip</th></tr>'
            "<tr><td>−0.3 (−3 to +2)</td><td></td></tr><tr><td>＝1+118</td><td></td></tr></table></div>"
        )
        text = asked(
            page.replace("</main>", f"{table}</main>"),
            'return tonegapPage.csv(document.querySelector("#odd"));',
            tmp_path,
        )
        assert text == "a\n−0.3 (−3 to +2)\n'＝1+118\n"

    def test_a_table_as_csv_has_its_numbers_and_its_small_print_in_columns(self, page, tmp_path):
        text = asked(
            page,
            'return tonegapPage.csv(document.querySelector(".board"));',
            tmp_path,
        )
        head, first, *_ = csv.reader(io.StringIO(text))
        assert head[:5] == ["#", "Entry", "Entry (in small)", "Worst tone", "Worst tone (in small)"]
        assert first[1:5] == [
            "none + erm",
            "resnet18, 2 seeds; reference",
            "55.0",
            "VI · 50.0–60.0",
        ]
        assert len({len(line) for line in csv.reader(io.StringIO(text))}) == 1

    def test_a_cell_is_no_formula_and_no_list(self, page, tmp_path):
        table = (
            '<div class="scroll" aria-label="x"><table id="odd"><tr><th>a</th><th>b, c</th></tr>'
            '<tr><td>=SUM(A1)</td><td>1,234</td></tr><tr><td>−2.5</td><td>say "x"</td></tr></table></div>'
        )
        text = asked(
            page.replace("</main>", f"{table}</main>"),
            'return tonegapPage.csv(document.querySelector("#odd"));',
            tmp_path,
        )
        assert text == 'a,"b, c"\n\'=SUM(A1),1234\n-2.5,"say ""x"""\n'

    def test_every_text_to_be_run_or_cited_has_a_button_and_every_table_one(self, tmp_path):
        source = fill_two_entries(tmp_path / "store")
        files = contents(entry_page.files(board_of(source), source))
        page = next(c for path, c in files.items() if "mixup" in path and path.endswith(".html"))
        free = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", page.decode())
        found = asked(
            free,
            """
            const label = b => b.getAttribute("aria-label");
            const copies = [...document.querySelectorAll(".tools button")].map(label);
            const tables = document.querySelectorAll(".scroll > table").length;
            const pre = [...document.querySelectorAll("pre")].find(p => p.textContent.startsWith("tonegap run"));
            return [copies, tables, pre.textContent];
            """,
            tmp_path,
        )
        buttons, n_tables, command = found
        assert [b for b in buttons if b.startswith("Copy")] == [
            "Copy the command",
            "Copy the suite file",
            "Copy the BibTeX of this entry",
        ]
        assert sum(b.startswith("CSV of the table") for b in buttons) == n_tables
        assert command.startswith("tonegap run none-mixup-cnn4-d-t-")

    def test_a_text_that_cannot_be_copied_is_selected_for_the_reader(self, page, tmp_path):
        # A click by a script is no reader's, so the browser refuses both ways to its clipboard.
        script = """
            const pre = document.querySelector("pre"), button = pre.previousElementSibling.querySelector("button");
            button.click();
            setTimeout(() => { document.title = JSON.stringify([button.textContent, String(getSelection())]); }, 500);
        """
        text = '<pre data-copy="the command">tonegap run one.toml</pre></main>'
        page = page.replace("</main>", text).replace("</body>", f"<script>{script}</script></body>")
        dom = dom_of(page, tmp_path, "", "--virtual-time-budget=3000")
        title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL).group(1)
        said = json.loads(html.unescape(title))
        assert said in (["Selected: press Ctrl+C", "tonegap run one.toml"], ["Copied", ""])


def test_arxiv_numbers_and_dois_are_links():
    cite = (
        "A et al. 2020, T, arXiv 2001.00001, and doi 10.1109/ICDM.2012.45; https://doi.org/10.1/x."
    )
    assert [(t, h) for t, h in linked(cite) if h] == [
        ("arXiv 2001.00001", "https://arxiv.org/abs/2001.00001"),
        ("doi 10.1109/ICDM.2012.45", "https://doi.org/10.1109/ICDM.2012.45"),
        ("https://doi.org/10.1/x", "https://doi.org/10.1/x"),
    ]
    assert "".join(text for text, _ in linked(cite)) == cite


def test_two_mentions_of_a_paper_are_one_entry_of_bibtex():
    works = [
        "Du et al. 2022, FairDisCo, arXiv 2208.10013",
        "Du et al. 2022, FairDisCo, arXiv 2208.10013, ATRB",
    ]
    (entry,) = bibtex(works)
    assert "author = {Du and others}" in entry
    assert "eprint = {2208.10013}" in entry
