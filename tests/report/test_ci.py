"""What a run leaves for CI: JUnit XML, a summary, and the scripts and jobs of integrations/."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from tests.conftest import ANYWHERE, WITH_STORES
from tests.docs.test_names import unknown_part
from tiny_rooms import TRAIN_PY, rooms, tonegap

__all__ = ["rooms", "tonegap"]

ROOT = Path(__file__).parents[2]
INTEGRATIONS = ROOT / "integrations"


@pytest.fixture
def suite(rooms):
    rooms.drawn()
    rooms.method("none")
    rooms.baseline("plain", TRAIN_PY)
    rooms.baseline("broken", "print('<no luck>')\nraise SystemExit(4)\n")
    rooms.baseline("picky", TRAIN_PY, needs=["gpu"])
    rooms.suite(entries=[{"methods": ["none"], "baselines": ["plain", "broken", "picky"]}])
    return rooms


def test_junit_has_a_case_for_each_run(suite, tonegap, tmp_path):
    place = ("--suite-root", suite.root, "--store", tmp_path / "runs")
    files = ("--junit", tmp_path / "j.xml", "--summary", tmp_path / "s.md")
    assert tonegap("run", "tiny", *place, *files) == 1
    found = ET.parse(tmp_path / "j.xml").getroot()
    assert {name: found.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "3", "failures": "1", "skipped": "1", "errors": "0"
    }  # fmt: skip
    cases = {case.get("classname"): case for case in found}
    assert float(cases["none + plain"].get("time")) > 0
    failure = cases["none + broken"].find("failure")
    assert failure.get("type") == "method-error"
    assert "<no luck>" in failure.get("message")
    assert "needs a GPU" in cases["none + picky"].find("skipped").get("message")
    summary = (tmp_path / "s.md").read_text()
    assert summary.startswith("**1 run of 3 failed**\n\n- `none + broken`, sixty/two seed 0: ")
    assert "`exit code 4; last line of its log: <no luck>`" in summary
    assert "# INCOMPLETE" in summary
    (tmp_path / "file").touch()
    assert tonegap("run", "tiny", *place, "--junit", tmp_path / "file/j.xml") == 2
    assert "choose another --junit" in tonegap.err


@pytest.fixture
def program(tmp_path):
    """A folder for PATH in which `tonegap` is what is tested."""
    path = tmp_path / "bin/tonegap"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m tonegap "$@"\n')
    path.chmod(0o755)
    return path.parent


def test_the_script_leaves_report_bundle_and_summary_whatever_fails(suite, program):
    ended = subprocess.run(
        [INTEGRATIONS / "smoke.sh", "tiny"],
        cwd=suite.root,
        env={**os.environ, "PATH": f"{program}:{os.environ['PATH']}", "TONEGAP_OUT": "out"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    left = {p.name for p in (suite.root / "out").iterdir()}
    assert left >= {"junit.xml", "summary.md", "report", "tiny.tonegap.zip"}
    assert (suite.root / "out/report/index.html").is_file()


@pytest.mark.parametrize("options", ["", "--subset 40"])
def test_the_script_of_the_gitlab_job_leaves_a_bundle_of_what_ran(suite, program, options):
    job = yaml.safe_load((INTEGRATIONS / "gitlab/tonegap.yml").read_text())[".tonegap"]
    asked = {"TONEGAP_SUITE": "tiny", "TONEGAP_OPTIONS": options}
    ended = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
        cwd=suite.root,
        env={**os.environ, "PATH": f"{program}:{os.environ['PATH']}", **job["variables"], **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr  # one baseline is broken
    out = suite.root / job["variables"]["TONEGAP_OUT"]
    (bundle,) = out.glob("*.tonegap.zip")
    assert bundle.name.startswith("tiny-subset-40." if options else "tiny.")
    assert {"junit.xml", "summary.md"} <= {p.name for p in out.iterdir()}


@pytest.mark.parametrize("name", ["github/action.yml", "gitlab/tonegap.yml"])
def test_jobs_for_other_hosts_call_what_there_is(name):
    text = (INTEGRATIONS / name).read_text()
    assert isinstance(yaml.safe_load(text), dict)
    calls = [
        words.split() for words in re.findall(r"\btonegap ((?:run|bundle|verify) [^\n]*)", text)
    ]
    assert all(unknown_part(words) is None for words in calls)
    if name.startswith("github"):
        steps = yaml.safe_load(text)["runs"]["steps"]
        assert all("shell" in step for step in steps if "run" in step)
        assert not any("inputs." in step.get("run", "") for step in steps)  # never code


@pytest.mark.parametrize(
    "path",
    [
        INTEGRATIONS / "github/action.yml",
        INTEGRATIONS / "gitlab/tonegap.yml",
        ROOT / "docker/templates/root/.github/workflows/tonegap.yml",
    ],
)
def test_no_job_takes_what_an_index_has_under_our_name(path):
    installs = re.findall(r"pip install ([^\n]*)", path.read_text())
    assert any("PACKAGE" in words or "TONEGAP" in words for words in installs)
    assert not any(re.search(r"[\"' ]tonegap", words) for words in installs)


def test_the_job_for_other_systems_runs_what_is_not_skipped_there():
    text = (ROOT / ".github/workflows/other-systems.yml").read_text()
    (job,) = yaml.safe_load(text)["jobs"].values()
    words = " ".join(step.get("run", "") for step in job["steps"]).split()
    named = {word.removeprefix("tests/") for word in words if word.startswith("tests/")}
    assert named == {*ANYWHERE, *WITH_STORES}


def test_the_workflow_of_the_page_is_yaml_with_inputs_that_exist():
    page = (INTEGRATIONS / "README.md").read_text()
    workflow = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    given = workflow["jobs"]["tonegap"]["steps"][1]["with"]
    action = yaml.safe_load((INTEGRATIONS / "github/action.yml").read_text())
    assert set(given) <= set(action["inputs"])
