"""A method's card: what its folder says, what it did here, and what is said when the folder is gone."""

import re
from pathlib import Path

import msgspec
import pytest
from report_files import contents

from tonegap.declared.paper import PaperColumn, PaperFile, PaperRow, PaperTable
from tonegap.declared.parity import Compared, ParityCertificate, read_parity
from tonegap.declared.plugin import ParameterSpec, PluginFile
from tonegap.formats.record import StageCost, StageId
from tonegap.report.pages import plugin_page
from tonegap.report.pages.plugin_page import card_values, cards_of
from tonegap.report.pages.templates import render_template
from tonegap.results.leaderboard import leaderboard
from tonegap.store.source import ResultSource

ROOT = Path(__file__).parents[2]
TONES = {"I": 0.9, "VI": 0.5}

SHIFT = PluginFile(
    title="Tone shift",
    about="Recolours.",
    stages=("generate",),
    paper="Someone 2020",
    needs=("tone_in_training", "masks"),
    parameters={
        "ratio": ParameterSpec(0.5, "how many", "the paper: 0.5"),
        "order": ParameterSpec("rgb", "of the channels", "", ("rgb", "bgr")),
        "swapped": ParameterSpec(False, "what published code does, by mistake"),
    },
)


def with_stage(record, key, seconds):
    """The record with a generate stage of its method before what it has."""
    stage = StageId("generate", "methods/tone-shift", key, "f" * 64)
    cost = StageCost("generate", seconds, None, 100.0)
    where = record.circumstances
    return msgspec.structs.replace(
        record,
        stages=(stage, *record.stages),
        circumstances=msgspec.structs.replace(where, costs=(cost, *where.costs)),
        method_parameters={"ratio": 0.75, "order": "rgb"},
    )


@pytest.fixture
def board(make_record, entry, cell, settings):
    """tone-shift with two baselines that share its set at seed 0, and none + erm."""
    cells = [cell(make_record(entry("none+erm"), seed, TONES)) for seed in (0, 1)]
    for name, keys in (("tone-shift+erm", "ab"), ("tone-shift+mixup", "ac")):
        for seed, key in enumerate(keys):
            record = make_record(entry(name), seed, {"I": 0.9, "VI": 0.7})
            cells.append(cell(with_stage(record, key * 63 + "0", 10.0 + 2 * "abc".index(key))))
    return leaderboard(cells, settings)


def card_of(board, file=SHIFT, papers=None, kind="method", plugin="tone-shift"):
    return card_values(board, kind, plugin, file, papers or {})


def rows_of(board, values, title):
    """The cells of each row of a card's table below a heading."""
    page = render_template(
        board.settings, "method.html.j2", {"missing": "", "parity": None} | values
    )
    table = page.partition(f">{title}</h2>")[2].partition("<tbody>")[2].partition("</tbody>")[0]
    texts = re.sub(r"</?(code|a)[^>]*>", "", table)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in texts.split("<tr>")[1:]]


def test_every_method_and_baseline_of_a_report_has_a_card(board):
    assert cards_of(board) == (
        ("method", "none"),
        ("method", "tone-shift"),
        ("baseline", "erm"),
        ("baseline", "mixup"),
    )


def test_what_the_folder_says_is_on_the_card(board):
    card = card_of(board)
    assert (card["title"], card["about"]) == ("Tone shift", "Recolours.")
    facts = {name: "".join(text for text, _ in pieces) for name, pieces in card["facts"]}
    assert facts["Folder"] == "methods/tone-shift"
    assert facts["Needs"] == "the tones of training images, lesion masks"
    assert facts["Paper"] == "Someone 2020"


def test_a_parameter_shows_its_default_and_other_values_that_ran(board):
    ratio, order = rows_of(board, card_of(board), "Parameters")
    assert ratio == ["ratio", "0.5", "0.75", "how many", "the paper: 0.5"]
    assert order == ["order", "rgb", "", "of the channels (rgb, bgr)", ""]


def test_what_published_code_does_stands_apart(board):
    assert [name for name, _, _ in card_of(board)["as_published"]] == ["swapped"]


def test_a_stage_that_entries_share_is_counted_once(board):
    # Keys a, b and c took 10, 12 and 14 s; a was used twice.
    assert rows_of(board, card_of(board), "Cost") == [["generate", "3", "12", "100"]]


def test_entries_stand_with_their_rank_and_the_score_that_ranks(board):
    card = card_of(board)
    task = "phantom/smoke"
    assert rows_of(board, card, "In this report") == [
        ["tone-shift + erm (resnet18)", task, "1", "70.0 (accuracy)"],
        ["tone-shift + mixup (resnet18)", task, "1", "70.0 (accuracy)"],
    ]
    assert all(href.startswith("../entries/tone-shift-") for _, _, href in card["entries"])


def test_reported_numbers_are_those_of_rows_that_name_the_method(board):
    columns = (PaperColumn("Accuracy", "accuracy"), PaperColumn("Dark", "accuracy", "VI"))
    rows = (
        PaperRow("ours", ("81.0", "?"), task="d/t", method="tone-shift", baseline="erm"),
        PaperRow("base", ("70.0", "60.0"), task="d/t", baseline="erm"),
        PaperRow("other", ("1.0", ""), not_comparable="no such method here"),
    )
    table = PaperTable("one", "Table 1", "scores", "p. 3", "percent", columns, rows)
    papers = {"someone-2020": PaperFile("Someone", "cite", "about", (table,))}
    (line,) = card_of(board, papers=papers)["reported"]
    assert line == (
        "../papers/someone-2020.html",
        "Someone",
        "Table 1",
        "ours",
        [("Accuracy", "81.0"), ("Dark", "not known")],
    )
    (line,) = card_of(board, papers=papers, kind="baseline", plugin="erm")["reported"]
    assert line[3] == "base"


def test_a_plug_in_that_is_gone_keeps_what_it_did(board):
    card = card_of(board, file=None)
    assert (card["title"], card["parameters"]) == ("tone-shift", [])
    assert len(card["entries"]) == 2


def test_the_card_of_a_plug_in_without_a_folder_says_so(board, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.tonegap]\n")
    folder = tmp_path / "methods" / "none"
    folder.mkdir(parents=True)
    (folder / "method.toml").write_text("title = 1\n")
    files = contents(plugin_page.files(board, ResultSource(tmp_path, tmp_path, ())))
    assert (
        b"methods/tone-shift is not in this suite: removed, or part of an external submission."
        in files["methods/tone-shift.html"]
    )
    broken = files["methods/none.html"].decode()
    assert "What its folder says of it cannot be read" in broken
    assert str(tmp_path) not in broken


def test_a_method_and_a_baseline_of_one_name_have_a_card_each(make_record, entry, cell, settings):
    cells = [cell(make_record(entry("mixup+mixup"), 0, TONES))]
    files = contents(plugin_page.files(leaderboard(cells, settings), ResultSource(ROOT, ROOT, ())))
    assert set(files) == {"methods/mixup.html", "methods/mixup.baseline.html"}


def test_the_same_board_gives_the_same_bytes(board):
    first, again = (
        contents(plugin_page.files(board, ResultSource(ROOT, ROOT, ()))) for _ in range(2)
    )
    assert first == again


def test_a_card_shows_what_was_compared_with_published_code(board):
    parity = ParityCertificate(
        "compared",
        "https://github.com/a/b",
        "0123456789abcdef",
        ("theirs counts test images",),
        (Compared("loss", 0.25, "differs", "the sign"),),
    )
    values = card_of(board) | {"missing": "", "parity": parity}
    page = render_template(board.settings, "method.html.j2", values)
    assert ">github.com/a/b</a> at commit <code>0123456789ab</code>: computed by both" in page
    assert rows_of(board, values, "Beside published code") == [
        ["loss", "differs", "0.25", "the sign"]
    ]
    assert "Theirs counts test images." in page
    without = render_template(board.settings, "method.html.j2", values | {"parity": None})
    assert "Beside published code" not in without


def test_the_certificate_of_a_baseline_is_read_where_there_is_one():
    assert read_parity(ROOT, "scp").compared
    assert read_parity(ROOT, "lnl").state == "not compared"
    assert read_parity(ROOT, "erm") is None
