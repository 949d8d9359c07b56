"""Following a page does what the page says: its files are written, its commands run, their output compared.

Commands run in a copy of the suite root, one after the other. "…" in a page's output stands for
whatever varies, and a line that is nothing else for any number of lines.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, Command, Page, commands_of

_ROOMS = ("benchmarks", "methods", "baselines", "extractors", "postprocessors", "docker", "reports")
_TIME_LIMIT_S = 300


@pytest.fixture(scope="session")
def drawn_root(tmp_path_factory):
    """A suite root whose drawn images are there already, as drawing them once is enough."""
    root = tmp_path_factory.mktemp("suite")
    for room in _ROOMS:
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    result = run_in(root, "tonegap data check phantom")
    assert result.returncode == 0, result.stdout
    return root


@pytest.fixture
def suite_root(drawn_root, tmp_path):
    return Path(shutil.copytree(drawn_root, tmp_path / "suite"))


def run_in(root: Path, text: str) -> subprocess.CompletedProcess[str]:
    programs = Path(sys.executable).parent
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", text],
        cwd=root,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=_TIME_LIMIT_S,
        check=False,
    )


def follow(page: Page, root: Path) -> list[str]:
    """Does what a page says; every difference from what it says, in order."""
    differences: list[str] = []
    for block in page.blocks:
        if block.note.startswith("file: "):
            target = root / block.note.removeprefix("file: ")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "console" and not block.note.startswith("not run: "):
            for command in commands_of(block):
                differences += differences_of(command, run_in(root, command.text))
    return differences


def differences_of(command: Command, result: subprocess.CompletedProcess[str]) -> list[str]:
    found = []
    if result.returncode != 0:
        found.append(f"{command.text}: exit code {result.returncode}\n{result.stdout}")
    if not as_pattern(command.output).search(result.stdout):
        wanted = "\n".join(command.output)
        found.append(f"{command.text}: the page has\n{wanted}\nfound\n{result.stdout}")
    return found


def as_pattern(lines: tuple[str, ...]) -> re.Pattern[str]:
    """Matches an output that has these lines one after the other, whatever stands before and after."""
    parts = []
    for line in lines:
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            shown = ".*".join(re.escape(part) for part in line.split("…"))
            parts.append(re.sub(r"(?:\\ )+", " +", shown) + r" *\n")
    return re.compile("^" + "".join(parts), re.M)


@pytest.mark.parametrize(
    "name",
    [
        "docs/tutorial.md",
        "docs/seeds.md",
        "docs/own-data.md",
        "docs/method-guide.md",
        "docs/submitting.md",
        "docs/standards.md",
        "docs/claims.md",
        "docs/python.md",
        "docs/terminal.md",
        "docs/cluster.md",
    ],
)
def test_following_the_page_does_what_it_says(name, suite_root):
    differences = follow(Page(name), suite_root)
    assert not differences, "\n\n".join(differences)


def test_a_page_that_is_wrong_is_noticed():
    page = Command("echo two", ("one",))
    assert differences_of(page, run_in(ROOT, page.text)) != []


def test_dots_stand_for_what_varies():
    output = "a  1.5 s\nb\nc\nd 2 d\n"
    assert as_pattern(("a …", "…", "d … d")).search(output)
    assert not as_pattern(("a …", "d … d")).search(output)
