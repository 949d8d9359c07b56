"""A suite root of one's own, and the one that comes inside a wheel."""

import re
import tomllib
from pathlib import Path

import pytest
from tiny_rooms import rooms, tonegap

from tonegap.checks.declared import check_declared
from tonegap.declared import root as roots
from tonegap.errors import BadRequest, BadSuiteFolder

__all__ = ["rooms", "tonegap"]

PROJECT = Path(__file__).parents[2]


def test_init_makes_a_root_without_problems_whose_templates_fit(tonegap, tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    assert tonegap("init", tmp_path / "mine") == 0, tonegap.err
    made = [Path(line).relative_to(tmp_path / "mine").as_posix() for line in tonegap.out.split()]
    assert "benchmarks/my-images/dataset.toml" in made
    assert "methods/my-method/generate.py" in made
    assert check_declared(tmp_path / "mine") == []
    monkeypatch.chdir(tmp_path / "mine")
    assert tonegap("data", "phantom", "--n", 300, "--size", 32, "--out", tmp_path / "images") == 0
    words = ("split", "my-images/malignant", "--root", tmp_path / "images", "--pin")
    assert tonegap(*words) == 0, tonegap.err
    parts = [line.split(",")[1] for line in tonegap.out.split()[1:]]
    assert {part: parts.count(part) for part in ("train", "validation", "test")} == {
        "train": 204, "validation": 36, "test": 60
    }  # fmt: skip
    assert tonegap("init", tmp_path / "mine") == 2
    assert "holds something already" in tonegap.err


def test_the_commands_of_the_readme_of_a_new_root_go_through_in_their_order(
    tonegap, tmp_path, monkeypatch
):
    """Runs are planned in place of run: a plan refuses what a run would refuse."""
    assert tonegap("init", tmp_path / "mine") == 0, tonegap.err
    monkeypatch.chdir(tmp_path / "mine")
    assert tonegap("data", "phantom", "--n", 1500, "--size", 16, "--out", tmp_path / "images") == 0
    text = Path("README.md").read_text().split("```console\n")[1].split("```")[0]
    lines = [re.sub(r" +[#>].*", "", line.removeprefix("$ tonegap ")) for line in text.splitlines()]
    assert [line.split()[0] for line in lines] == ["check", "data", "split", "run", "run"]
    for line in lines:
        words = line.replace("DIR", str(tmp_path / "images")).split()
        assert tonegap("plan" if words[0] == "run" else words[0], *words[1:]) == 0, tonegap.err
    assert "12 runs, 0 cached" not in tonegap.out  # the last is of the smoke suite


def test_a_root_of_one_s_own_is_not_what_init_copies(tonegap, tmp_path, monkeypatch):
    assert tonegap("init", tmp_path / "mine") == 0
    monkeypatch.chdir(tmp_path / "mine")
    Path("benchmarks/my-images/metadata.csv").write_text("not to be passed on")
    assert tonegap("init", tmp_path / "second") == 0, tonegap.err
    assert not (tmp_path / "second/benchmarks/my-images/metadata.csv").exists()
    assert (tmp_path / "second/methods/my-method/generate.py").is_file()
    assert tonegap("init", tmp_path / "third", "--suite-root", ".") == 2
    assert "has a method my-method already; leave out --suite-root" in tonegap.err
    assert not (tmp_path / "third").exists()


def test_without_a_root_above_the_shipped_one_is_taken_and_results_stay_here(
    rooms, tonegap, tmp_path, monkeypatch
):
    here = tmp_path / "empty"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(roots, "SHIPPED", tmp_path / "nowhere")  # as in a clone
    with pytest.raises(BadSuiteFolder, match="no suite root here or above"):
        roots.find_root()
    monkeypatch.setattr(roots, "SHIPPED", rooms.root)
    assert roots.find_root() == rooms.root
    rooms.drawn()
    rooms.suite()
    assert tonegap("run", "tiny") == 0, tonegap.err
    assert (here / "runs/report/tiny/index.html").is_file()
    assert not (rooms.root / "runs").exists()
    assert tonegap("report", "tiny", "--format", "md") == 0, tonegap.err
    with pytest.raises(BadRequest, match="`tonegap init DIR` makes one"):
        roots.check_own(rooms.root, "new method")


def test_the_wheel_has_every_folder_of_a_suite_root_below_its_own_name():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert all(to == f"tonegap/suite_root/{what}" for what, to in included.items())
    needed = {"pyproject.toml", "benchmarks", "methods", "baselines", "extractors", "reports"}
    needed |= {f"docker/{name}" for name in ("kit", "locks", "templates", "CONTRACT.md")}
    needed |= {p.relative_to(PROJECT).as_posix() for p in (PROJECT / "docker").glob("base-*")}
    assert needed <= set(included)
    assert all((PROJECT / what).exists() for what in included)
