"""The command `tonegap score`, as typed."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tonegap.cli.score import command
from tonegap.errors import BadPredictions, BadRequest
from tonegap.scores.tables import METRIC_NAMES

# Image 000004 is malignant and missed; tone V has no malignant image.
TRUTH = """image_id,label,tone
000001,benign,1
000002,malignant,2
000003,benign,5
000004,malignant,
"""
KEYS = ["metric", "tone", "value", "n", "reason", "positive", "threshold"]
EPOCH_1 = {"000001": 0.9, "000002": 0.1, "000003": 0.2, "000004": 0.2}
EPOCH_2 = {"000001": 0.1, "000002": 0.9, "000003": 0.2, "000004": 0.2}


@pytest.fixture
def files(tmp_path):
    rows = ["epoch,image_id,p_benign,p_malignant"]
    for epoch, scores in ((1, EPOCH_1), (2, EPOCH_2)):
        rows += [f"{epoch},{i},{1 - p},{p}" for i, p in scores.items()]
    (tmp_path / "p.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "t.csv").write_text(TRUTH)
    return [str(tmp_path / "p.csv"), "--truth", str(tmp_path / "t.csv")]


def run(*arguments):
    result = CliRunner().invoke(command, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def as_rows(output):
    return {(row["metric"], row["tone"]): row for row in json.loads(output)}


def test_json_is_a_list_of_metric_tone_value_n_reason(files):
    rows = json.loads(run(*files, "--format", "json"))

    assert list(dict.fromkeys(row["metric"] for row in rows)) == list(METRIC_NAMES)
    assert all(list(row) == KEYS for row in rows)
    assert rows[0] == {
        "metric": "accuracy",
        "tone": "I",
        "value": 1.0,
        "n": 1,
        "reason": None,
        "positive": ["malignant"],
        "threshold": "most probable class",
    }
    assert all((row["value"] is None) == bool(row["reason"]) for row in rows)


def test_malignant_is_the_event_and_the_last_epoch_is_scored(files):
    rows = as_rows(run(*files, "--format", "json"))

    assert rows["sensitivity", "all"]["value"] == 0.5
    assert rows["sensitivity", "V"]["value"] is None
    assert rows["sensitivity", "V"]["reason"] == "V has 0 malignant images (min_support 1)"


def test_an_epoch_can_be_named(files):
    rows = as_rows(run(*files, "--format", "json", "--epoch", "1"))

    assert rows["accuracy", "all"]["value"] == 0.25


def test_all_epochs_name_their_epoch(files):
    rows = json.loads(run(*files, "--format", "json", "--epoch", "all"))

    accuracies = [
        (row["epoch"], row["value"])
        for row in rows
        if (row["metric"], row["tone"]) == ("accuracy", "all")
    ]
    assert accuracies == [(1, 0.25), (2, 0.75)]


def test_types_pool_to_groups(files):
    rows = as_rows(run(*files, "--format", "json", "--tones", "groups"))

    assert [tone for metric, tone in rows if metric == "auc"] == [
        "I-II", "V-VI", "all", "worst", "gap",
    ]  # fmt: skip
    assert rows["accuracy", "I-II"]["n"] == 2


def test_options_reach_the_rules(files):
    rows = as_rows(run(*files, "--format", "json", "--positive", "benign", "--threshold", "0.85"))
    supported = as_rows(run(*files, "--format", "json", "--min-support", "2"))

    # Benign from .85 on: only 000001; 000003 has .8.
    assert rows["sensitivity", "all"]["value"] == 0.5
    assert rows["specificity", "all"]["value"] == 1.0
    assert supported["accuracy", "V"]["reason"] == "V has 1 image (min_support 2)"


def test_csv_holds_the_same_and_leaves_undefined_empty(files):
    output = run(*files, "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(output)))
    expected = json.loads(run(*files, "--format", "json"))
    assert [float(row["value"]) if row["value"] else None for row in rows] == [
        row["value"] for row in expected
    ]
    assert [row["reason"] or None for row in rows] == [row["reason"] for row in expected]
    assert "\r" not in output


def test_table_shows_undefined_as_a_dash_with_a_footnote(files):
    lines = run(*files).splitlines()

    assert lines[0] == (
        "4 images, 1 of unknown tone (in all only); positive: malignant, "
        "called by: most probable class"
    )
    assert lines[2].split() == ["I", "II", "V", "all", "worst", "gap"]
    assert lines[3].split() == ["images", "1", "1", "1", "4"]
    assert lines[4].split() == ["accuracy", "1.000", "1.000", "1.000", "0.750", "1.000", "0.000"]
    note = next(line for line in lines if line.endswith("V has 0 malignant images (min_support 1)"))
    sensitivity = next(line for line in lines if line.startswith("sensitivity")).split()
    assert sensitivity[3] == f"–{note.split()[0]}"
    assert (sensitivity[2], sensitivity[4]) == ("1.000", "0.500")


def test_each_reason_has_one_footnote(files):
    notes = [line for line in run(*files).splitlines() if line.startswith("[")]

    assert [note.split()[0] for note in notes] == [f"[{i + 1}]" for i in range(len(notes))]
    assert len({note.split(maxsplit=1)[1] for note in notes}) == len(notes)


@pytest.mark.linux  # a pseudo-terminal
def test_a_narrow_terminal_wraps_lines_but_cuts_no_number(files):
    import pty

    ours, theirs = pty.openpty()
    script = "from tonegap.cli.main import main; main()"
    environment = os.environ | {"COLUMNS": "40", "TERM": "dumb"}
    subprocess.run(
        [sys.executable, "-c", script, "score", *files], stdout=theirs, env=environment, check=True
    )
    os.close(theirs)
    output = os.read(ours, 1 << 16).decode()
    os.close(ours)

    accuracy = next(line for line in output.splitlines() if line.startswith("accuracy"))
    assert accuracy.split() == ["accuracy", "1.000", "1.000", "1.000", "0.750", "1.000", "0.000"]
    assert "…" not in accuracy


def test_table_columns_are_aligned(files):
    grid = [line for line in run(*files).splitlines() if line[:8] in {"accuracy", "specific"}]

    assert len({len(line) for line in grid}) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--positive", "cancer"], "'cancer' is none of the classes"),
        (["--threshold", "2"], "wanted a number from 0 to 1"),
        (["--min-support", "0"], "wanted a whole number of images from 1"),
        (["--epoch", "7"], "the epochs 1 to 2"),
        (["--epoch", "first"], "give one of them, last, or all"),
    ],
)
def test_wrong_requests_are_refused(files, arguments, words):
    with pytest.raises(BadRequest, match=words):
        run(*files, *arguments)


def test_an_epoch_of_predictions_without_epochs_is_refused(files, tmp_path):
    (tmp_path / "p.csv").write_text("image_id,p_a,p_b\nx,0,1\n")
    (tmp_path / "t.csv").write_text("image_id,label,tone\nx,a,1\n")

    with pytest.raises(BadRequest, match="no column epoch"):
        run(*files, "--epoch", "1")


def test_both_files_are_named_when_they_do_not_match(files, tmp_path):
    (tmp_path / "t.csv").write_text(TRUTH + "000005,benign,1\n")

    with pytest.raises(BadPredictions) as e:
        run(*files)

    assert str(e.value) == (
        f"{files[0]} against {files[2]}: images without a prediction (1: 000005)"
    )


def test_truth_is_required(files):
    assert CliRunner().invoke(command, files[:1]).exit_code == 2


# Image a is yes and called so; b and d are no and called so; c is yes and called no.
YES_NO = "image_id,p_yes,p_no\na,0.8,0.2\nb,0.1,0.9\nc,0.3,0.7\nd,0.2,0.8\n"


@pytest.fixture
def yes_no(tmp_path):
    (tmp_path / "yes_no.csv").write_text(YES_NO)
    (tmp_path / "truth.csv").write_text("image_id,label,tone\na,yes,1\nb,no,1\nc,yes,6\nd,no,6\n")
    return [str(tmp_path / "yes_no.csv"), "--truth", str(tmp_path / "truth.csv")]


@pytest.mark.parametrize(
    ("options", "event", "threshold", "sensitivity"),
    [
        ((), "no", "most probable class", 1.0),  # b and d, both called no
        (("--positive", "yes"), "yes", "most probable class", 0.5),  # a of a and c
        (("--positive", "yes", "--threshold", "0.25"), "yes", "0.25", 1.0),  # .8 and .3
    ],
)
def test_every_format_names_event_and_threshold(yes_no, options, event, threshold, sensitivity):
    (found,) = [
        row
        for row in csv.DictReader(io.StringIO(only_stdout(*yes_no, *options, "--format", "csv")))
        if (row["metric"], row["tone"]) == ("sensitivity", "all")
    ]
    assert (found["positive"], found["threshold"]) == (event, threshold)
    assert float(found["value"]) == sensitivity
    row = as_rows(only_stdout(*yes_no, *options, "--format", "json"))["sensitivity", "all"]
    assert (row["positive"], str(row["threshold"])) == ([event], threshold)
    assert row["value"] == sensitivity
    called = threshold if threshold.startswith("most") else f"from {threshold} on"
    assert f"positive: {event}, called by: {called}" in only_stdout(*yes_no, *options)


def only_stdout(*arguments):
    return CliRunner().invoke(command, list(arguments)).stdout


def test_an_event_that_nobody_named_is_said(yes_no, files):
    said = CliRunner().invoke(command, yes_no).stderr
    assert (
        "the event is 'no', the second of the two classes; --positive yes or --positive no" in said
    )
    assert CliRunner().invoke(command, [*yes_no, "--positive", "no"]).stderr == ""
    assert CliRunner().invoke(command, files).stderr == ""


def test_without_an_event_there_is_no_threshold(tmp_path):
    (tmp_path / "p.csv").write_text("image_id,p_a,p_b,p_c\n1,0.8,0.1,0.1\n2,0.1,0.8,0.1\n")
    (tmp_path / "t.csv").write_text("image_id,label,tone\n1,a,1\n2,b,6\n")
    arguments = [str(tmp_path / "p.csv"), "--truth", str(tmp_path / "t.csv")]
    row = as_rows(run(*arguments, "--format", "json"))["accuracy", "all"]
    assert (row["positive"], row["threshold"]) == ([], None)
    (first, *_) = csv.DictReader(io.StringIO(run(*arguments, "--format", "csv")))
    assert (first["positive"], first["threshold"]) == ("", "")


def test_intervals_stand_beside_the_scores_as_in_python(files, tmp_path):
    import tonegap

    rows = as_intervals(run(*files, "--format", "json", "--intervals"))
    p = [[1 - value, value] for value in EPOCH_2.values()]
    scores = tonegap.score(
        ["benign", "malignant", "benign", "malignant"],
        p,
        [1, 2, 5, None],
        classes=["benign", "malignant"],
        ids=list(EPOCH_2),
    )
    assert rows == {
        name: (i.low, i.high) for name, i in scores.intervals.items() if i.low is not None
    }
    assert rows["accuracy", "all"][0] < 0.75 < rows["accuracy", "all"][1]
    low, high = rows["accuracy", "all"]
    assert f"{low:.3f}–{high:.3f}" in run(*files, "--intervals")


def as_intervals(output):
    return {
        (r["metric"], r["tone"]): (r["low"], r["high"])
        for r in json.loads(output)
        if r["low"] is not None
    }


def test_a_table_can_go_to_a_file(files, tmp_path):
    out = tmp_path / "scores.csv"
    assert run(*files, "--format", "csv", "--out", str(out)) == f"{out}\n"
    assert out.read_text() == run(*files, "--format", "csv")


@pytest.mark.parametrize(("tone", "in_tone"), [("II", 1.0), ("", None)])
def test_one_image_is_scored(tmp_path, tone, in_tone):
    (tmp_path / "p.csv").write_text("image_id,p_no,p_yes\na,0.2,0.8\n")
    (tmp_path / "t.csv").write_text(f"image_id,label,tone\na,yes,{tone}\n")
    files = [str(tmp_path / "p.csv"), "--truth", str(tmp_path / "t.csv")]
    output = run(*files, "--positive", "yes", "--min-support", "1", "--format", "json")
    found = as_rows(output)
    assert found["accuracy", "all"]["value"] == 1.0
    assert found["accuracy", "all"]["n"] == 1
    assert found.get(("accuracy", "II"), {"value": None})["value"] == in_tone
    assert found["auc", "all"]["value"] is None
