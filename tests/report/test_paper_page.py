"""A paper's page: reported beside reproduced, cell by cell, and counted on the leaderboard."""

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from report_files import contents

from tonegap.declared.paper import paper_keys, read_paper
from tonegap.report.pages import paper_page
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.pages.paper_page import ComparedPaper
from tonegap.results.leaderboard import leaderboard
from tonegap.results.papers.compare import Sources, compared_papers, paper_cells
from tonegap.results.papers.runs import Run
from tonegap.store.source import ResultSource

ROOT = Path(__file__).parents[2]


@pytest.fixture
def board(make_record, entry, cell, settings, tmp_path):
    cells = [cell(make_record(entry("none+erm"), 0, {"I": 0.9, "VI": 0.5}))]
    papers = compared_papers(ResultSource(ROOT, tmp_path, ()))
    return replace(leaderboard(cells, settings), papers=papers)


def test_every_paper_of_the_suite_has_a_page(board):
    files = contents(paper_page.files(board, None))
    assert sorted(files) == [f"papers/{key}.html" for key in paper_keys(ROOT)]


def test_a_cell_shows_reported_reproduced_and_verdict(board):
    page = contents(paper_page.files(board, None))["papers/fairdisco.html"].decode()
    page = re.sub(r'<span class="mark.*?</span>', "", page)
    cell = re.search(r"S37 .seed 123.</th><td(.*?)</td>", page).group(1)
    # 38 images of I-II, 47 of III-IV, 47 of V-VI; right are 30, 34 and 41, 105 of 132: 79.545 %.
    assert cell == (
        ' class="recomputed-from-the-authors-counts">79.55<span class="ours">79.55</span>'
        "<small>recomputed from the authors&#39; counts</small>"
    )
    assert "no run stands behind it, so it is not a reproduction" in page
    assert "commit 3734e05e55b5" in page
    assert 'href="https://arxiv.org/abs/2208.10013"' in page
    assert "With seed 64 none of 5 malignant images" in page


def test_a_cell_without_an_answer_says_why_below(board):
    page = contents(paper_page.files(board, None))["papers/fairdisco.html"].decode()
    number = re.search(r'not run<sup><a href="#table-ddi-note-(\d)">', page).group(1)
    reason = re.search(rf'<li id="table-ddi-note-{number}">(.*?)</li>', page).group(1)
    assert reason == "not run: no run of ddi/fairdisco in this store"


def test_an_audits_verdict_marks_its_cell_and_its_sentence_stands_below(board):
    page = contents(paper_page.files(board, None))["papers/patchalign.html"].decode()
    part = page.partition('id="table-ddi"')[2].partition("</section>")[0]
    cell = re.search(r"<td[^>]*>77\.0±1\.9(.*?)</td>", part).group(1)
    marked = re.search(
        r'<span class="mark warn">impossible<sup><a href="#(table-ddi-audit-note-\d+)"', cell
    )
    sentence = re.search(rf'<li id="{marked.group(1)}">(.*?)</li>', part).group(1)
    assert sentence.startswith("impossible under named assumptions (PQD from means and spreads): ")
    assert "Assumed: each cell is the mean of five random fifths of DDI" in sentence
    assert '<span class="mark">beyond equal tones<sup>' in cell  # the null of PQD stands at the PQD
    row = re.search(r'<th scope="row">ResNet-18(.*?)</th>', part).group(1)
    assert '<span class="mark">gap beyond equal tones<sup>' in row
    assert "1 impossible under named assumptions" in page.partition("<main>")[0]
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(re.findall(r'id="([^"]+)"', page))


def test_a_paper_without_findings_has_no_line_on_them(board):
    bare = replace(board, papers=tuple(replace(p, findings=()) for p in board.papers))
    page = contents(paper_page.files(bare, None))["papers/patchalign.html"].decode()
    assert "by arithmetic alone" not in page
    assert '<details class="audit"' not in page


def test_a_number_that_nobody_could_read_is_said_to_be_unknown(board):
    page = contents(paper_page.files(board, None))["papers/skin-diff-2024.html"].decode()
    assert 'class="reported-value-unknown">?' in page


def test_the_leaderboard_counts_the_verdicts_and_links_the_pages(board):
    page = render_html(board)
    line = re.search(r'<a href="papers/fairdisco.html">.*?</dd>', page, re.DOTALL).group()
    assert (
        "0 of 8 reproduced by a run, 21 recomputed from the authors&#39; counts, 8 not run." in line
    )


def test_a_run_with_other_parameters_is_not_comparable_on_the_page_either(
    make_record, entry, cell, board
):
    parameters = {"weights": "imagenet.pth", "epochs": 8}
    record = make_record(entry("none+fairdisco"), 0, {"I-II": 0.8, "III-IV": 0.8, "V-VI": 0.8})
    record = msgspec.structs.replace(record, task="ddi/fairdisco")
    run = Run(cell(record, baseline_parameters=parameters), None)
    paper = read_paper(ROOT, "fairdisco")
    cells = paper_cells(paper, Sources(runs={"test-oracle": [run]}))
    told = replace(board, papers=(ComparedPaper("fairdisco", paper, cells),))
    part = (
        contents(paper_page.files(told, None))["papers/fairdisco.html"]
        .decode()
        .partition('id="table-ddi"')[2]
    )
    assert 'class="not-comparable"' in part
    assert "epochs is 8, the paper&#39;s is 15" in part


def test_pages_load_nothing(board):
    for path, content in contents(paper_page.files(board, None)).items():
        page = content.decode()
        assert not re.search(r"<(link|img|iframe|object|script)[^>]+(src|href)=", page), path
        assert page.count("<h1>") == 1
