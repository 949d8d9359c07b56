"""`tonegap search` from a suite root to a suite file with chosen parameters."""

import re

from tiny_rooms import TRAIN_PY

from tonegap.declared.suite import read_suite

CRASH = 'if job["parameters"]["way"] == "b":\n    raise SystemExit("no such way")\n'


def chosen(clinic):
    """The chosen draw of each baseline, and the cost it says."""
    lines = re.findall(r"^(\w+): (draw-\d+) of (\d+)", clinic.tonegap.out, re.M)
    return {name: (draw, int(n)) for name, draw, n in lines}


def test_a_search_prints_choice_and_cost_and_writes_a_suite_that_runs(clinic, tmp_path):
    out = tmp_path / "tuned.toml"
    assert clinic.search("--draws", 4, "--out", out) == 0, clinic.tonegap.err
    found = chosen(clinic)
    assert {name: n for name, (_, n) in found.items()} == {"first": 4, "second": 4}
    assert re.search(r"cost: 4 draws finished, 4 stages, \d+ CPU seconds", clinic.tonegap.out)
    tuned = read_suite(clinic.rooms.root, str(out)).file
    assert [row.baselines for row in tuned.entries] == [("first",), ("second",), ("chance",)]
    drawn = {"rate", "layers", "way"}
    for row in tuned.entries[:2]:
        draw = found[row.baselines[0]][0]
        assert set(row.baseline_parameters) == (set() if draw == "draw-0" else drawn)
    assert clinic.tonegap("run", out, *clinic.where) == 0, clinic.tonegap.err
    assert "1 stage run" in clinic.tonegap.err  # the control's; those of the draws are there


def test_the_same_search_again_runs_nothing_and_says_the_same(clinic):
    assert clinic.search("--draws", 3) == 0
    before = clinic.tonegap.out
    assert clinic.search("--draws", 3) == 0
    assert clinic.tonegap.err.startswith("0 stages run")
    assert clinic.tonegap.out == before


def test_more_draws_run_only_those(clinic):
    assert clinic.search("--draws", 2) == 0
    assert clinic.search("--draws", 3) == 0
    assert "2 stages run" in clinic.tonegap.err


def test_no_test_label_has_a_say(clinic):
    assert clinic.search("--draws", 4, "--rule", "trade-off") == 0
    before = clinic.tonegap.out
    path = clinic.download / "rows.csv"
    other = {"basal cell carcinoma": "folliculitis", "folliculitis": "basal cell carcinoma"}
    lines = []
    for line in path.read_text().splitlines():
        image_id, label, *rest = line.split(",")
        lines.append(",".join([image_id, other[label] if rest[-1] == "probe" else label, *rest]))
    path.write_text("\n".join(lines) + "\n")
    assert clinic.search("--draws", 4, "--rule", "trade-off") == 0
    assert clinic.tonegap.err.startswith("0 stages run")
    assert clinic.tonegap.out == before


def test_a_rule_on_test_images_is_refused(clinic):
    assert clinic.search("--rule", "test") == 2
    assert clinic.tonegap.err.startswith("error: ")


def test_a_draw_that_crashes_is_left_out_and_said(clinic):
    code = TRAIN_PY.replace(
        'with (out / "predictions.csv")', CRASH + 'with (out / "predictions.csv")'
    )
    clinic.rooms.baseline(
        "first", code, parameters=clinic.parameters, search={"way": {"choices": ["b"]}}
    )
    clinic.suite(entries=[{"methods": ["none"], "baselines": ["first"]}])
    assert clinic.search("--draws", 3) == 1
    assert chosen(clinic) == {"first": ("draw-0", 3)}
    assert "1 draws finished" in clinic.tonegap.out
    assert "failed (method-error): baselines/first train" in clinic.tonegap.err


def test_draws_are_in_no_report(clinic):
    assert clinic.search("--draws", 2) == 0
    assert clinic.tonegap("report", "--suite-root", clinic.rooms.root) == 2
    assert "no suite has run here" in clinic.tonegap.err


def test_one_draw_is_no_search(clinic):
    assert clinic.search("--draws", 1) == 2
    assert clinic.tonegap.err.startswith("error: ")
    assert clinic.tonegap.err.count("\n") == 1
