"""Printed numbers beside reproduced ones."""

import csv
import io
import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from tonegap.cli.main import main
from tonegap.cli.paper import command
from tonegap.data.metadata import read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.paper import (
    PaperColumn,
    PaperRow,
    PaperTable,
    check_cell,
    paper_keys,
    parse_reported,
    read_paper,
)
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.report.paper_text import as_csv, as_json, as_markdown, tally
from tonegap.results.papers.compare import Sources, paper_cells
from tonegap.results.papers.runs import Run, answered, differences
from tonegap.results.papers.verdict import PaperCell, Reproduced, judge

ROOT = Path(__file__).parents[3]


def test_a_reported_number_keeps_what_rounding_hides():
    number = parse_reported("82.4±1.5")
    assert number is not None
    assert (number.value, number.spread) == (82.4, 1.5)
    assert number.half == pytest.approx(0.05)
    assert number.spread_half == pytest.approx(0.05)
    coarser = parse_reported("78.18±6.7")
    assert (coarser.half, coarser.spread_half) == pytest.approx((0.005, 0.05))
    assert parse_reported(".9704").half == pytest.approx(0.00005)
    assert parse_reported("about 80") is None


@pytest.mark.parametrize(
    ("reported", "reproduced", "verdict"),
    [
        ("20.2", Reproduced(20.16), "agrees"),
        ("20.2", Reproduced(20.3), "differs"),
        ("20.2", Reproduced(22.0, 20.0, 24.0), "agrees"),
        ("20.2", Reproduced(22.0, 20.3, 24.0), "differs"),
        ("82.4±1.5", Reproduced(80.0), "agrees"),
        ("82.4±1.5", Reproduced(79.0), "differs"),
        ("20.2", Reproduced(20.2, verdict="not comparable", why="another split"), "not comparable"),
        ("?", Reproduced(20.2), "reported value unknown"),
        ("", Reproduced(20.2), ""),
        ("20.2", Reproduced(verdict="not run"), "not run"),
    ],
)
def test_the_verdict_on_a_cell(reported, reproduced, verdict):
    assert judge(reported, reproduced)[0] == verdict


def test_what_no_run_made_is_never_called_reproduced():
    # 21 cells of stored counts, and 8 cells that a run could answer: none has run.
    paper = read_paper(ROOT, "fairdisco")
    cells = paper_cells(paper, Sources())
    said = "29 reported numbers: 0 of 8 reproduced by a run, 21 recomputed from the authors' counts, 8 not run."
    assert said in as_markdown(paper, cells)
    assert json.loads(as_json(paper, cells))["summary"] == said
    rows = list(csv.DictReader(io.StringIO(as_csv(cells))))
    assert {(r["verdict"], r["kind"]) for r in rows if r["reported"]} == {
        ("recomputed from the authors' counts", "stored"),
        ("not run", "scores"),
    }


@pytest.mark.parametrize(
    ("kind", "value", "verdict"),
    [
        ("stored", 20.2, "recomputed from the authors' counts"),
        ("stored", 20.4, "differs from the authors' counts"),
        ("counts", 20.2, "agrees with the metadata"),
        ("counts", 20.4, "differs from the metadata"),
        ("scores", 20.2, "agrees"),
    ],
)
def test_the_verdict_names_what_the_number_was_made_from(kind, value, verdict):
    assert judge("20.2", Reproduced(value), kind)[0] == verdict


def test_only_runs_are_counted_as_reproduced():
    def cell(verdict, kind="scores"):
        return PaperCell("1", "r", "c", "percent", "20.2", Reproduced(20.2), verdict, "", kind)

    cells = [cell("agrees"), cell("differs"), cell("not run"), cell("not comparable")]
    cells += [cell("agrees with the metadata", "counts")] * 2
    assert tally(cells) == (
        "6 reported numbers: 1 of 3 reproduced by a run, 2 agree with the metadata, 1 differs, 1 not run, "
        "1 not comparable."
    )
    assert tally(cells[3:4]) == (
        "1 reported numbers: none that a run here can answer, 1 not comparable."
    )
    assert tally(cells[4:]) == "2 reported numbers: 2 agree with the metadata."


@pytest.mark.parametrize("key", paper_keys(ROOT))
def test_every_paper_is_read_and_shown_in_every_format(key):
    paper = read_paper(ROOT, key)
    cells = paper_cells(paper, Sources())
    assert as_markdown(paper, cells).startswith(f"# {paper.title}\n")
    rows = list(csv.DictReader(io.StringIO(as_csv(cells))))
    assert len(rows) == len(cells)
    assert json.loads(as_json(paper, cells))["schema"] == "tonegap/paper@1"
    assert not [c for c in cells if c.reported and not c.verdict]


def test_stored_results_of_fairdisco_are_reproduced_exactly():
    cells = paper_cells(read_paper(ROOT, "fairdisco"), Sources())
    stored = [cell for cell in cells if cell.table == "stored"]
    assert len(stored) == 21
    assert {cell.verdict for cell in stored} == {"recomputed from the authors' counts"}
    for cell in stored:
        digits = len(cell.reported.partition(".")[2])
        assert round(cell.reproduced.value, digits) == float(cell.reported), cell


def test_table_1_of_groh_is_counted_exactly_from_the_metadata():
    folder = Path(os.environ.get("TONEGAP_DATA", ROOT.parent / "shared/data")) / "fitzpatrick17k"
    if not folder.is_dir():
        pytest.skip("the metadata of Fitzpatrick17k is not here")
    metadata = read_metadata(read_dataset(ROOT, "fitzpatrick17k"), folder)
    cells = paper_cells(read_paper(ROOT, "groh-2021"), Sources({"fitzpatrick17k": metadata}))
    table = [cell for cell in cells if cell.table == "1"]
    assert len(table) == 28
    assert {cell.verdict for cell in table} == {"agrees with the metadata"}


def test_counts_without_metadata_say_how_to_give_it():
    cells = paper_cells(read_paper(ROOT, "groh-2021"), Sources())
    first = cells[0]
    assert first.verdict == "not counted"
    assert first.why == "needs the metadata: --root fitzpatrick17k=DIR"


def test_a_number_that_a_user_entered_takes_the_unknown_one_s_place():
    paper = read_paper(ROOT, "skin-diff-2024")
    cells = paper_cells(paper, Sources(entered={("3", "real", "VGG-16"): "61.2"}))
    assert [c.reported for c in cells] == ["61.2", "?"]
    assert [c.verdict for c in cells] == ["not run", "reported value unknown"]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (("4", "real", "VGG-16"), "here: no table '4'; there are: 3"),
        (
            ("3", "rael", "VGG-16"),
            r"here: no row 'rael' in table '3' \(did you mean 'real'\?\); there are: real, ",
        ),
        (
            ("3", "real", "VGG-19"),
            r"here: no column 'VGG-19' in table '3' \(did you .*\); there are: VGG-16$",
        ),
    ],
)
def test_a_cell_that_is_not_there_names_those_that_are(named, words):
    with pytest.raises(BadRequest, match=words):
        check_cell([read_paper(ROOT, "skin-diff-2024")], named, "here")


@pytest.mark.parametrize("audit", [(), ("--audit",)])
def test_a_file_of_reported_numbers_is_named(tmp_path, audit):
    path = tmp_path / "own.csv"
    path.write_text("table,row,column,reported\n3,real,VGG-16,61.2\n3,real,VGG16,61.2\n")
    said = CliRunner().invoke(command, ["skin-diff-2024", "--reported", str(path), *audit])
    assert str(said.exception).startswith(f"{path}: no column 'VGG16' in table '3'")


def test_an_unknown_paper_names_those_there_are():
    with pytest.raises(BadSuiteFolder, match="no paper 'nobody'; there are: cgddi, daneshjou-2022"):
        read_paper(ROOT, "nobody")


def test_a_row_with_too_few_cells_is_refused(tmp_path):
    folder = tmp_path / "reports/papers/x"
    folder.mkdir(parents=True)
    text = (ROOT / "reports/papers/fairdisco/paper.toml").read_text(encoding="utf-8")
    (folder / "paper.toml").write_text(
        text.replace('"79.55", "78.95",', '"79.55",'), encoding="utf-8"
    )
    with pytest.raises(
        BadSuiteFolder, match=r"row 'S37 \(seed 123\)': printed: 6 numbers for 7 columns"
    ):
        read_paper(tmp_path, "x")


def test_the_command_prints_a_paper_and_refuses_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit) as done:
        main(["paper", "fairdisco", "--suite-root", str(ROOT), "--format", "csv"])
    assert not done.value.code
    assert (
        "stored,S37 (seed 123),PQD,fraction,.8293,0.829268,,,recomputed from the authors' counts,,stored"
        in capsys.readouterr().out
    )
    with pytest.raises(SystemExit) as refused:
        main(["paper", "nobody", "--suite-root", str(ROOT)])
    assert refused.value.code == 2


TABLE = PaperTable(
    id="t",
    title="",
    kind="scores",
    source="",
    unit="percent",
    columns=(
        PaperColumn("Overall", "accuracy"),
        PaperColumn("Dark", "accuracy", "V-VI"),
        PaperColumn("PQD", "pqd", unit="fraction"),
    ),
    rows=(),
)


def test_a_run_without_a_record_is_not_run(record_and_answers):
    cell, answers = record_and_answers
    row = PaperRow("r", ("1", "2", "3"), task="d/t", baseline="erm")
    empty = msgspec.structs.replace(cell, record=None)
    found = answered(TABLE, row, [Run(empty, answers)])
    assert {c.verdict for c in found} == {"not run"}
    assert found[0].why == "no record for seed 0"


def test_a_run_gives_its_scores_with_intervals(record_and_answers):
    cell, answers = record_and_answers
    row = PaperRow("r", ("1", "2", "3"), task="d/t", baseline="erm", parameters={"epochs": 20})
    overall, dark, pqd = answered(TABLE, row, [Run(cell, answers)])
    p = np.array(answers.p).argmax(axis=1) == answers.y
    assert overall.value == pytest.approx(100 * p.mean())
    assert overall.low < overall.value < overall.high
    tones = np.array(answers.tones)
    assert dark.value == pytest.approx(100 * p[np.isin(tones, ["V", "VI"])].mean())
    assert dark.low < dark.value < dark.high
    # Noise alone moves what compares tones: without an interval it neither agrees nor differs.
    assert 0 < pqd.value <= 1
    assert (pqd.low, pqd.high, pqd.verdict) == (None, None, "not comparable")
    assert "see its null" in pqd.why


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"epochs": 30}, "epochs is 20, the paper's is 30"),
        ({"weights": "any file"}, "weights is none; the paper starts from pretrained weights"),
    ],
)
def test_a_run_with_other_parameters_is_not_comparable_whatever_it_scored(
    record_and_answers, parameters, why
):
    cell, answers = record_and_answers
    row = PaperRow("r", ("1", "2", "3"), task="d/t", baseline="erm", parameters=parameters)
    found = answered(TABLE, row, [Run(cell, answers)])
    assert {c.verdict for c in found} == {"not comparable"}
    assert {c.why for c in found} == {why}
    assert found[0].value is not None


def test_drawn_stand_ins_never_agree(record_and_answers):
    cell, _ = record_and_answers
    data = msgspec.structs.replace(cell.record.data, stand_in=True)
    record = msgspec.structs.replace(cell.record, data=data)
    assert differences(PaperRow("r", ()), record) == ["synthetic phantoms stand in for the paper's"]
