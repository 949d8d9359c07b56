"""Records in an experiment tracker: what goes in, once, and what must not look like a number."""

import json
import os
import subprocess
import sys

import pytest
from tests.results.bundle.conftest import KEY, change_record, root, store

from tonegap.formats.record import ScoreColumns, Selected
from tonegap.report.exports.tracked_runs import KEY_TAG, tracked_runs
from tonegap.store.read import read_suites

__all__ = ["root", "store"]

TABLE = ScoreColumns(
    metric=("accuracy", "accuracy", "accuracy", "accuracy", "auc"),
    tone=("I-II", "V-VI", "all", "gap", "all"),
    value=(0.75, None, 0.5, None, 0.9),
    n=(4, 0, 4, 4, 4),
    reason=(None, "no image", None, "V-VI has no image", None),
)
# Logs, logs again, cuts the run off and logs once more. In a process of its own: MLflow warns as it is
# imported, and that takes seconds.
THRICE = """
import json, sys
from mlflow import MlflowClient
from tonegap.cli.main import main

uri = sys.argv[sys.argv.index("--uri") + 1]
client = MlflowClient(tracking_uri=uri)

def track():
    try:
        main(sys.argv[1:])
    except SystemExit as e:
        assert not e.code, e.code
    place = client.get_experiment_by_name("tonegap/tiny").experiment_id
    (run,) = client.search_runs([place])
    return run

first = track()
second = track()
client.set_terminated(first.info.run_id, "RUNNING")
third = track()
print(json.dumps({
    "ids": [run.info.run_id for run in (first, second, third)],
    "status": third.info.status, "name": first.info.run_name,
    "params": first.data.params, "metrics": first.data.metrics, "tags": first.data.tags,
}))
"""
WITHOUT = """
import sys
sys.modules["mlflow"] = None
from tonegap.cli.main import main
main(sys.argv[1:])
"""


@pytest.fixture
def runs(store):
    """The runs of the only suite, whose record has one defined and one undefined tone."""
    change_record(store, scores={"validation": Selected(2, None, {"groups": TABLE})})

    def read(metrics=("accuracy",), rule="validation"):
        (suite,) = read_suites(store.folder)
        return tracked_runs(suite, metrics, rule)

    return read


def test_only_cells_with_a_record_are_runs(runs):
    assert [run.key for run in runs()] == [KEY]


def test_scores_are_named_by_metric_axis_and_tone(runs):
    (run,) = runs()
    assert run.metrics == {"accuracy/groups/I-II": 0.75, "accuracy/overall": 0.5}
    (run,) = runs(("auc",))
    assert run.metrics == {"auc/overall": 0.9}


def test_an_undefined_score_is_a_tag_with_its_reason(runs):
    (run,) = runs()
    assert {n: t for n, t in run.tags.items() if n.startswith("undefined/")} == {
        "undefined/accuracy/groups/V-VI": "no image",
        "undefined/accuracy/groups/gap": "V-VI has no image",
    }


def test_entry_task_seed_and_parameters_are_parameters(runs, store):
    change_record(
        store, method_parameters={"n": 3}, baseline_parameters={"rate": 0.1, "fast": True}
    )
    (run,) = runs()
    assert run.params == {
        "method": "none",
        "baseline": "erm",
        "backbone": "cnn4",
        "variant": "",
        "task": "d/t",
        "seed": "0",
        "selection": "validation",
        "method.n": "3",
        "baseline.fast": "true",
        "baseline.rate": "0.1",
    }


def test_a_parameter_too_long_for_a_tracker_is_named_by_its_digest(runs, store):
    change_record(store, method_parameters={"prompt": "x" * 6001})
    (run,) = runs()
    assert run.params["method.prompt"].startswith("6,001 characters, sha256 ")


def test_digests_are_tags(runs):
    (run,) = runs()
    assert run.tags[KEY_TAG] == KEY
    assert run.tags["tonegap.images_sha256"] == "b" * 64
    assert run.tags["tonegap.train_ids_sha256"] == "c" * 64
    assert run.tags["tonegap.control"] == "false"
    assert "tonegap.subset" not in run.tags


def test_a_rule_that_a_record_has_no_scores_for_gives_no_metric(runs):
    (run,) = runs(rule="last")
    assert run.metrics == {}


def python(code, *arguments):
    environment = os.environ | {"MLFLOW_ALLOW_FILE_STORE": "true"}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def settled(root):
    (root / "reports/templates").mkdir(parents=True)
    (root / "reports/templates/a.j2").write_text("")
    (root / "reports/leaderboard.toml").write_text(
        'title = "T"\nselection = "validation"\nrank_by = "worst"\nmetrics = ["accuracy"]\n'
        'reference = { method = "none", baseline = "erm" }\ntone_note = ""\n'
    )
    return root


def track(
    store, root, uri, code="import sys; from tonegap.cli.main import main; main(sys.argv[1:])"
):
    return python(
        code, "track", "tiny", "--uri", uri, "--store", store.folder, "--suite-root", root
    )


def test_a_second_time_nothing_is_logged_twice_and_a_run_cut_off_is_logged_anew(
    runs, store, settled, tmp_path
):
    done = track(store, settled, f"file:{tmp_path / 'tracked'}", THRICE)
    *said, found = done.stdout.splitlines()
    assert said == [
        "tonegap/tiny: 1 runs logged, 0 were there",
        "tonegap/tiny: 0 runs logged, 1 were there",
        "tonegap/tiny: 1 runs logged, 0 were there",
    ]
    run = json.loads(found)
    first, second, third = run["ids"]
    assert first == second != third
    assert run["status"] == "FINISHED"
    assert run["name"] == "none + erm (cnn4), d/t, seed 0"
    assert run["metrics"] == runs()[0].metrics
    assert run["params"] == runs()[0].params
    assert runs()[0].tags.items() <= run["tags"].items()


def test_without_mlflow_one_sentence_says_what_to_install(store, settled, tmp_path):
    done = track(store, settled, f"file:{tmp_path / 'tracked'}", WITHOUT)
    assert done.returncode == 2
    assert done.stderr == (
        "error: tonegap track: MLflow is not installed here; pip install 'mlflow-skinny>=3'\n"
    )


def test_a_refusal_is_one_line_and_names_the_uri(store, settled):
    done = track(store, settled, "nonsense://x")
    assert done.returncode == 2
    assert done.stderr.startswith("error: nonsense://x: MLflow refuses: ")
    assert done.stderr.count("\n") == 1
