"""Every format from the same board: complete, deterministic, honest about holes."""

import csv
import io
import json
import re
import sys
import types
from dataclasses import replace
from html.parser import HTMLParser

import click
import msgspec
import pytest
from report_files import render_csv, render_json

from tonegap.errors import BadSuiteFolder
from tonegap.formats.record import EntryId, SyntheticId
from tonegap.report.exports import FORMATS
from tonegap.report.exports.csv_ import COLUMNS, tidy_batches
from tonegap.report.exports.latex import render_latex
from tonegap.report.exports.markdown import render_markdown
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.pages.record_summary import synthetic_text
from tonegap.report.pages.templates import render_template
from tonegap.report.write import document, write_board
from tonegap.results.leaderboard import leaderboard
from tonegap.spreadsheet import safe_cell

TEXTS = tuple(name for name in FORMATS if name != "parquet")
VOID = {"meta", "br", "link", "input", "line", "path", "img"}


@pytest.fixture
def cells(make_record, entry, cell, hole):
    """Two entries and a control over two seeds; a third entry that failed."""
    scores = {
        "none+erm": ({"I": 0.9, "VI": 0.5}, {"I": 0.8, "VI": 0.6}),
        "tone-shift+erm": ({"I": 0.9, "VI": 0.7}, {"I": 0.8, "VI": 0.6}),
        "none+class-prior": ({"I": 0.25, "VI": 0.25}, {"I": 0.25, "VI": "VI has 2 images"}),
    }
    made = [
        cell(make_record(entry(name), seed, tones, control="prior" in name))
        for name, seeds in scores.items()
        for seed, tones in enumerate(seeds)
    ]
    return [*made, hole(entry("duplicate+erm"), 0, "method-error"), hole(entry("duplicate+erm"), 1)]


@pytest.fixture
def board(cells, settings):
    return leaderboard(cells, settings)


def text_of(name, board):
    return document(board, name).decode()


def test_a_new_format_is_a_module_and_a_line(board, monkeypatch, tmp_path):
    monkeypatch.setitem(FORMATS, "count", "exports.counted")
    module = types.ModuleType("tonegap.report.exports.counted")
    module.files = lambda b, _source: [("leaderboard.count", [str(len(b.tables)).encode()])]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert document(board, "count") == b"1"
    assert click.Choice(list(FORMATS)).convert("count", None, None) == "count"


@pytest.mark.parametrize("name", TEXTS)
def test_the_same_cells_give_the_same_bytes(name, cells, settings):
    first = text_of(name, leaderboard(cells, settings))
    again = text_of(name, leaderboard(list(cells), settings))
    assert first == again
    assert "2025-01-01" not in first  # no date of the run


@pytest.mark.parametrize("name", TEXTS)
def test_every_format_says_that_the_matrix_is_incomplete(name, board):
    text = text_of(name, board)
    if name == "csv":
        assert "2 of 2 seeds missing (1 method-error, 1 never ran)" in text
    else:
        assert "2 of 8 runs missing (1 method-error, 1 never ran)" in text


def test_markdown_shows_scores_n_gap_and_change(board):
    text = render_markdown(board)
    assert (
        "| # | entry | worst | gap | gap over seeds | accuracy, all | I (n 40) | VI (n 40) |"
        in text
    )
    # worst (0.7 + 0.6) / 2, gap (0.2 + 0.2) / 2, both seeds 0.2; change of the gap -(0.4 - 0.2) / 2
    assert (
        "| 1 | tone-shift + erm (resnet18) | 65.0 VI | 20.0 | 20.0–20.0 | 50.0 | 85.0 | 65.0 "
        "| +10.0 | −10.0 | 0.0 | 0.0 | 2 |"
    ) in text


def test_an_undefined_score_is_a_dash_with_a_footnote(board):
    text = render_markdown(board)
    number = re.search(r"^(\d+)\. seed 1: VI has 2 images$", text, re.MULTILINE).group(1)
    assert f"| – ({number}) |" in text


def test_controls_stand_apart_in_markdown(board):
    entries, controls = render_markdown(board).split("### Controls: to read the others against")
    assert "class-prior" not in entries
    assert "class-prior" in controls


def test_latex_escapes_what_latex_would_read(settings, make_record, entry, cell):
    settings = msgspec.structs.replace(settings, title="50 % of a_b & c")
    record = make_record(entry("a_b+erm"), 0, {"I": 0.5, "VI": 0.5})
    text = render_latex(leaderboard([cell(record)], settings))
    assert r"a\_b + erm" in text
    assert "–" not in text


def test_csv_has_a_line_per_score_and_the_rank_once_per_entry(board):
    rows = list(csv.DictReader(io.StringIO(render_csv(board))))
    # 3 selections x (accuracy: all, I, VI, worst, gap; pqd: all) for 3 rows, 1 for the failed entry
    assert len(rows) == 3 * 6 * 3 + 1
    ranked = [(r["rank"], r["method"], r["selection"], r["tone"]) for r in rows if r["rank"]]
    assert ranked == [
        ("1", "tone-shift", "validation", "worst"),
        ("2", "none", "validation", "worst"),
    ]
    undefined = [r for r in rows if r["baseline"] == "class-prior" and r["tone"] == "VI"]
    assert {(r["mean"], r["reason"]) for r in undefined} == {("", "seed 1: VI has 2 images")}


def test_the_csv_is_what_a_csv_writer_makes_of_its_safe_cells(board):
    names = {"none": '=SUM(A1),"x"', "tone-shift": "two\nlines", "erm": "", "class-prior": "-0.5"}
    rows = tuple(
        replace(
            row,
            entry=EntryId(names.get(row.entry.method, ""), names.get(row.entry.baseline, ""), "b"),
        )
        for row in board.tables[0].rows
    )
    odd = replace(board, tables=(replace(board.tables[0], rows=rows),))
    wanted = io.StringIO()
    writer = csv.writer(wanted, lineterminator="\n")
    writer.writerow(COLUMNS)
    for batch in tidy_batches(odd):
        writer.writerows([safe_cell(cell) for cell in line] for line in batch)
    assert render_csv(odd) == wanted.getvalue()
    assert '"\'=SUM(A1),""x""",,b' in wanted.getvalue()


def test_json_has_scores_by_seed_and_the_evidence(board):
    document = json.loads(render_json(board))
    first = document["tables"][0]["rows"][0]
    assert first["label"] == "tone-shift + erm (resnet18)"
    assert first["scores"][0]["worst"]["by_seed"] == [0.7, 0.6]
    assert first["seeds"][0]["evidence"]["predictions_sha256"] == "e" * 64
    assert document["complete"] is False
    assert "templates" not in document["settings"]


def test_the_page_loads_nothing_from_anywhere(board):
    page = render_html(board)
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"<(link|img|iframe|object|script)[^>]+(src|href)=", page)
    assert not re.search(r"@import|url\(", page)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.problems, self.texts = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)


def test_the_page_is_well_formed_and_its_ids_are_unique(board):
    page = _Page()
    page.feed(render_html(board))
    assert (page.problems, page.open) == ([], [])
    assert len(page.ids) == len(set(page.ids))


def test_the_page_shows_every_tone_beside_the_gap_without_its_script(board):
    page = re.sub(r"<script.*?</script>", "", render_html(board), flags=re.DOTALL)
    row = re.search(r'<tr class="first">.*?</tr>', page, re.DOTALL).group()
    cells = [re.sub("<[^>]+>", " ", c).split() for c in re.findall(r"<td[^>]*>(.*?)</td>", row)]
    # rank, worst, gap, strip, all, I, VI, change of worst, of gap, under test-oracle, selection gain
    assert [c[0] if c else "" for c in cells] == [
        "1", "65.0", "20.0", "I", "50.0", "85.0", "65.0", "+10.0", "−10.0", "0.0", "0.0",  # the strip says "I 85.0 …"
    ]  # fmt: skip
    assert "n 40" in page


def test_hostile_text_stays_text_in_the_page(make_record, entry, cell, hole, settings):
    nasty = "</script><img src=x onerror=alert(1)>"
    cells = [
        cell(make_record(entry("none+erm"), 0, {"I": 0.5, "VI": nasty})),
        hole(entry(f"{nasty}+erm"), 0, "method-error"),
    ]
    page = render_html(leaderboard(cells, settings))
    assert "<img" not in page
    assert page.count("</script>") == 3  # the payload's, that of all pages and the page's own


def test_stand_ins_are_marked_in_every_format(make_record, entry, cell, settings):
    record = make_record(entry("none+erm"), 0, {"I": 0.5, "VI": 0.5})
    data = msgspec.structs.replace(record.data, stand_in=True, drawn=False)
    board = leaderboard([cell(record, data=data)], settings)
    for name in TEXTS:
        assert re.search(r"stand.in", text_of(name, board), re.IGNORECASE), name
    assert json.loads(render_json(board))["tables"][0]["question"]["stand_in"] is True


def test_the_tone_labels_error_is_said_once(board):
    assert render_html(board).count(board.settings.tone_note) == 1
    assert render_markdown(board).count(board.settings.tone_note) == 1


def test_a_template_with_an_unknown_name_is_a_clear_error(cells, settings):
    broken = {**settings.templates, "report.html.j2": "{{ nothing_of_that_name }}"}
    board = leaderboard(cells, msgspec.structs.replace(settings, templates=broken))
    with pytest.raises(BadSuiteFolder, match="nothing_of_that_name"):
        render_html(board)


def test_a_task_without_any_record_has_a_page(entry, hole, settings):
    board = leaderboard([hole(entry("none+erm"), 0, "oom")], settings)
    for name in FORMATS:
        assert document(board, name)
    assert "No run of this task has a result yet" in render_html(board)


def test_a_primary_metric_between_tones_ranks_by_its_one_value(cells, settings):
    pqd = [
        c
        if c.record is None
        else msgspec.structs.replace(
            c, record=msgspec.structs.replace(c.record, primary_metric="pqd")
        )
        for c in cells
    ]
    board = leaderboard(pqd, settings)
    assert [r.rank for r in board.tables[0].rows] == [1, 1, None]
    for name in FORMATS:
        assert document(board, name)


def test_a_report_of_records_alone_is_six_files(cells, settings, tmp_path):
    page = write_board(leaderboard(cells, settings), tmp_path / "report")
    assert page == tmp_path / "report" / "index.html"
    names = sorted(p.name for p in page.parent.iterdir())
    assert names == [
        "index.html",
        *(f"leaderboard.{e}" for e in ("csv", "json", "md", "parquet", "tex")),
    ]


def test_withheld_images_are_said_by_the_rule_that_withheld_them():
    synthetic = SyntheticId(
        n=9,
        n_by_tone={"I": 9},
        sha256="f" * 64,
        withheld={"same patient": 2, "near-duplicate": 10},
        shown={"same lesion": 4},
        n_allowed=1,
    )
    assert synthetic_text(synthetic).split("; ")[1:] == [
        "1 descend from training images that are shown beside held-out ones (same lesion 4)",
        "12 training images withheld, for images that are held out (near-duplicate 10, same patient 2)",
    ]


@pytest.mark.parametrize("unknown", [{"n_unnamed": 3}, {"n_unknown": 3}])
def test_images_of_unknown_origin_are_marked_in_every_format(
    make_record, entry, cell, settings, unknown
):
    synthetic = SyntheticId(n=9, n_by_tone={"I": 9}, sha256="f" * 64, **unknown)
    tones = {"I": 0.5, "VI": 0.5}
    known = cell(make_record(entry("none+erm"), 0, tones))
    made = cell(make_record(entry("copier+erm"), 0, tones), synthetic=synthetic)
    board = leaderboard([known, made], settings)
    for name in TEXTS:
        assert "origin unknown" in text_of(name, board), name
    assert [r.entry.method for r in board.tables[0].rows if "origin unknown" in r.marks] == [
        "copier"
    ]
    assert "does not say what its images were made from" in render_html(board)


@pytest.fixture
def two_class_board(make_record, entry, cell, settings):
    """Two seeds whose thresholds are 0.41 and 0.52; event `nevus`."""
    chosen = msgspec.structs.replace(settings, metrics=("accuracy", "auc", "sensitivity"))
    cells = []
    for seed, threshold in enumerate((0.41, 0.52)):
        record = make_record(entry("none+erm"), seed, {"I": 0.5, "VI": 0.5})
        scores = {
            rule: msgspec.structs.replace(selected, threshold=threshold)
            for rule, selected in record.scores.items()
        }
        cells.append(cell(record, positive=("nevus",), classes=("acne", "nevus"), scores=scores))
    return leaderboard(cells, chosen)


@pytest.mark.parametrize("render", [render_markdown, render_latex, render_html])
def test_every_page_names_the_event_and_its_threshold(two_class_board, render):
    assert (
        "Positive: nevus; an image is predicted positive where its probability reaches a threshold, which is picked "
        "with the epoch (0.410 to 0.520 over entries and seeds)."
    ) in render(two_class_board)


def test_the_lines_name_the_event_and_each_threshold_where_a_metric_rests_on_them(two_class_board):
    rows = list(csv.DictReader(io.StringIO(render_csv(two_class_board))))
    found = {(r["metric"], r["positive"], r["threshold"]) for r in rows}
    assert found == {
        ("accuracy", "", ""),
        ("auc", "nevus", ""),
        ("sensitivity", "nevus", "0.41;0.52"),
    }


def test_the_json_names_the_event_and_each_threshold(two_class_board):
    table = json.loads(render_json(two_class_board))["tables"][0]
    assert table["question"]["positive"] == ["nevus"]
    seeds = table["rows"][0]["seeds"]
    assert [s["evidence"]["thresholds"]["validation"] for s in seeds] == [0.41, 0.52]


def test_without_an_event_that_is_said(board):
    assert "No class is declared positive" in render_markdown(board)
    assert "No class is declared positive" in render_latex(board)
    assert "No class is declared positive" in render_html(board)


def test_a_title_cannot_steer_whoever_shows_the_markdown(board):
    settings = msgspec.structs.replace(board.settings, title="\x1b[31mA\u202eB")
    text = render_markdown(replace(board, settings=settings))
    assert r"\\x1b\[31mA\\u202eB" in text
    assert not {"\x1b", "\u202e"} & {*text}


def test_what_nobody_would_see_of_a_name_is_spelled(settings):
    settings = msgspec.structs.replace(
        settings, templates={"x.html.j2": "<title>{{ title }}</title>\n\t"}
    )
    page = render_template(settings, "x.html.j2", {"title": "a\x1b[2J\u202eb\x85<c>"})
    assert page == "<title>a\\u001b[2J\\u202eb\\u0085&lt;c&gt;</title>\n\t\n"
