"""Names that pages use are there: commands and their options, files, tasks, plug-ins, metrics."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pages import ROOT, Page, all_pages

from tonegap.cli.main import cli
from tonegap.declared.task import task_ids
from tonegap.scores.tables import METRICS

PAGES = all_pages()
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

_ROOMS = (
    "benchmarks",
    "methods",
    "baselines",
    "extractors",
    "postprocessors",
    "docker",
    "reports",
    "src",
    "tests",
    "docs",
)
_ROOMS += ("requirements", ".ci")
# What the reader of a page makes, and placeholders.
_MADE_BY_READERS = re.compile(r"clinic|mirrored|plain|NAME|DATA_?SET|TASK|KEY|…|<|\*|\{")


def tonegap_calls(page: Page) -> Iterator[list[str]]:
    """The words after `tonegap` wherever a page shows a call of it."""
    shown = [command.text for command in page.commands] + page.words_of_code
    for text in shown:
        for part in re.split(r"&&|\||>", text):
            words = shlex.split(part, comments=True) if part.count("'") % 2 == 0 else part.split()
            if words and Path(words[0]).name == "tonegap":
                yield words[1:]


def unknown_part(words: list[str]) -> str | None:
    """The first command or option of a call that the command line does not have."""
    command: click.Command = cli
    context = click.Context(cli)
    rest = list(words)
    while rest and isinstance(command, click.Group) and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return name
        command = found
    known = {option for parameter in command.get_params(context) for option in parameter.opts}
    options = [word.split("=")[0] for word in rest if word.startswith("--")]
    return next((option for option in options if option not in {*known, "--help"}), None)


@by_page
def test_every_command_and_option_exists(page):
    unknown = {" ".join(words): unknown_part(words) for words in tonegap_calls(page)}
    assert {call: part for call, part in unknown.items() if part} == {}


@by_page
def test_every_file_that_is_named_is_there(page):
    words = [word.partition("::")[0] for word in page.words_of_code]
    paths = [word for word in words if word.split("/")[0] in _ROOMS and "/" in word]
    missing = [path for path in paths if not is_there(page, path)]
    assert missing == []


@by_page
def test_every_test_that_is_named_is_there(page):
    named = [word.partition("::") for word in page.words_of_code if word.startswith("tests/")]
    missing = [f"{path}::{test}" for path, sign, test in named if sign and not has_test(path, test)]
    assert missing == []


def has_test(path: str, test: str) -> bool:
    code = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == test for node in code.body)


def test_a_test_that_is_not_there_is_seen():
    assert has_test("tests/docs/test_names.py", "test_a_test_that_is_not_there_is_seen")
    assert not has_test("tests/docs/test_names.py", "test_a_test_that_is_not_there")


def test_what_is_said_to_equal_released_code_has_a_test_in_each_row():
    text = Page("docs/diffusion-methods.md").text
    section = text.split("## Equal to the released scripts")[1].split("\n## ")[0]
    rows = [line.split("|")[3] for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row or "::test_" not in row] == []


def is_there(page: Page, path: str) -> bool:
    if _MADE_BY_READERS.search(path) or " " in path:
        return True
    return (ROOT / path).exists() or (page.path.parent / path).exists() or is_made_by_tonegap(path)


def is_made_by_tonegap(path: str) -> bool:
    """Whether git is told to ignore it."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    return path.strip("/") in {line.strip("/") for line in lines}


@by_page
def test_every_task_that_is_named_is_there(page):
    data_sets = {task.split("/")[0] for task in task_ids(ROOT)}
    shown = page.words_of_code + [
        word for command in page.commands for word in command.text.split()
    ]
    named = {word for word in shown if re.fullmatch(r"[a-z0-9]+/[a-z0-9-]+", word)}
    asked = {word for word in named if word.split("/")[0] in data_sets}
    assert asked - set(task_ids(ROOT)) == set()


def test_every_page_that_code_points_to_is_there():
    sources = [
        *ROOT.glob("src/**/*.py"),
        *ROOT.glob("docker/kit/**/*.py"),
        *ROOT.glob("tests/**/*.py"),
    ]
    pattern = re.compile(r"\b((?:docs|docker|benchmarks|reports)/[\w./-]+\.md|CONTRIBUTING\.md)\b")
    named = {name for path in sources for name in pattern.findall(path.read_text(encoding="utf-8"))}
    assert {name for name in named if not (ROOT / name).exists()} == set()


def metric_row(metric) -> str:
    better = "larger" if metric.larger_is_better else "smaller"
    per_tone = "yes" if metric.per_tone else "no"
    return f"| `{metric.name}` | {better} | {per_tone} | {metric.meaning} | {metric.source} |"


def test_the_page_of_metrics_is_what_the_code_says():
    table = (
        Page("docs/metrics.md").text.split("<!-- metrics -->\n")[1].split("\n<!-- /metrics -->")[0]
    )
    header, rule = (
        "| metric | better | per tone | what it is | source |",
        "| --- | --- | --- | --- | --- |",
    )
    assert table.split("\n") == [header, rule, *(metric_row(metric) for metric in METRICS)]
