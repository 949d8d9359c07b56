"""Plug-ins that `tonegap new` makes, through the runner on 24 images."""

import csv

import pytest
from quick_entries import assert_same_bytes_twice, left_by

from tonegap.checks.declared import check_declared
from tonegap.declared.plugin import read_plugin
from tonegap.store.store import Store

KINDS = ("method", "baseline", "postprocessor", "extractor")
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_new_plug_in_runs_and_gives_the_same_bytes_twice(own_project, tonegap, kind, tmp_path):
    root = own_project.root
    assert tonegap("new", kind, "my-idea", "--suite-root", root) == 0
    assert tonegap.out.strip() == str(root / f"{kind}s" / "my-idea")
    assert read_plugin(root, kind, "my-idea").file.title == "My idea"
    assert_same_bytes_twice(own_project, tmp_path, **{kind: "my-idea"})


def test_a_new_extractor_measures_sheets_and_fills_banks_with_the_same_bytes_twice(
    own_project, tonegap, tmp_path
):
    root = own_project.root
    assert tonegap("new", "extractor", "my-idea", "--suite-root", root) == 0
    assert 'baselines = ["linear-probe"] and backbones = ["my-idea"]' in tonegap.err
    left = []
    for store in (Store(tmp_path / "one"), Store(tmp_path / "two")):
        plan = own_project.finished(
            store, "grey", "linear-probe", extractor="my-idea", backbones=["my-idea"]
        )
        stages = [s for s in plan.stages.values() if s.stage in {"features", "embed"}]
        assert sorted(stage.stage for stage in stages) == ["embed", "embed", "features"]
        left.append(sorted(left_by(store, stage) for stage in stages))
    assert left[0] == left[1]


@each_kind
def test_it_has_no_problem_and_no_placeholder_left(own_project, tonegap, kind):
    tonegap("new", kind, "my-idea", "--suite-root", own_project.root)
    folder = own_project.root / f"{kind}s" / "my-idea"
    assert "{{" not in "".join(path.read_text() for path in folder.iterdir())
    places = {problem.where for problem in check_declared(own_project.root)}
    assert not any("my-idea" in place for place in places)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_it_can_be_run_beside_a_suite_at_once(own_project, tonegap, kind):
    tonegap("new", kind, "my-idea", "--suite-root", own_project.root)
    own_project.rooms.suite(tasks=["clinic/two"])
    words = ("--suite-root", own_project.root, "--root", own_project.download)
    code = tonegap("run", "tiny", f"--{kind}", "my-idea", *words)
    assert code == 0, tonegap.err
    assert "2 runs finished" in tonegap.err
    (board,) = (own_project.root / "runs/report").glob("tiny-with-*/leaderboard.csv")
    with board.open(encoding="utf-8", newline="") as f:
        ranks = {row["rank"] for row in csv.DictReader(f) if "my-idea" in row[kind]}
    assert ranks & {"1", "2"}


@each_kind
@pytest.mark.parametrize("name", ["My-idea", "my_idea", "-x", "x-", "a b", "../x", ""])
def test_a_name_that_is_no_id_is_refused(own_project, tonegap, kind, name):
    assert tonegap("new", kind, "--suite-root", own_project.root, "--", name) == 2
    assert "wanted lower-case words joined by hyphens" in tonegap.err


@each_kind
def test_a_name_that_is_taken_is_refused(own_project, tonegap, kind):
    tonegap("new", kind, "my-idea", "--suite-root", own_project.root)
    assert tonegap("new", kind, "my-idea", "--suite-root", own_project.root) == 2
    assert "exists already; choose another name" in tonegap.err


@each_kind
def test_a_name_longer_than_a_file_may_have_is_refused(own_project, tonegap, kind):
    assert tonegap("new", kind, "a" * 300, "--suite-root", own_project.root) == 2
    assert "300 letters are no name" in tonegap.err
