"""The folders of the engine are a list, bottom to top, and no import looks up it.

Computed from the syntax tree: imports within functions and for type checkers count as well. Modules of one folder may
import each other; those at the bottom, which lie in no folder, are a list of their own.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "src" / "tonegap"

# Bottom to top.
MODULES = (
    *(
        "errors",
        "lines",
        "arguments",
        "files",
        "texts",
        "spreadsheet",
        "caches",
        "closure",
        "tones",
        "arrays",
        "colour",
    ),
    *("untrusted", "numerics", "workers"),
)
FOLDERS = (
    *("formats", "scores", "declared", "store", "data", "split", "checks", "synthetic"),
    *("engines", "plan", "run", "results", "report", "api", "metrics", "cli"),
)
ORDER = (*MODULES, *FOLDERS, "__main__")
RANK = {name: rank for rank, name in enumerate(ORDER)}


def imported(path: Path, own: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and first name below `tonegap` of each import of the engine's own; `own`: the module's own dotted name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = ".".join([*own[: len(own) - node.level], *filter(None, [module])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(_BY_NAME):
            names = [start for argument in node.args if (start := _start(argument))]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tonegap":
            names = [f"tonegap.{node.attr}"]
        for name in names:
            top, *below = name.split(".")
            if top == "tonegap" and any(below[:1]) and below[0] not in _OF_THE_PACKAGE:
                yield node.lineno, below[0]


_OF_THE_PACKAGE = {"__version__", "__path__", "__file__", "__name__", "__doc__"}
_BY_NAME = ("import_module", "__import__")


def _start(argument: ast.expr) -> str:
    """The text of an argument, of an f-string its first piece."""
    first = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
    return str(first.value) if isinstance(first, ast.Constant) else ""


def looking_up(engine: Path) -> list[str]:
    """File, line and what is wrong, for each import that looks up, and each file that is in no folder of the list."""
    found = []
    for path in sorted(engine.rglob("*.py")):
        own = path.relative_to(engine).with_suffix("").parts
        where = path.relative_to(engine).as_posix()
        if own == ("__init__",):
            continue
        if own[0] not in RANK:
            found.append(f"{where}: {own[0]} is not in the list")
            continue
        for line, name in imported(path, ("tonegap", *own)):
            if name not in RANK:
                found.append(f"{where}:{line}: {name} is not in the list")
            elif RANK[name] > RANK[own[0]]:
                found.append(f"{where}:{line}: {own[0]} imports {name}, which is above it")
    return found


def test_no_import_looks_up():
    assert looking_up(ENGINE) == []


def test_the_list_is_what_there_is():
    there = {path.stem for path in ENGINE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__init__", "__pycache__", "py"} == set(ORDER)


@pytest.mark.parametrize(
    "code",
    [
        "from tonegap.report.phrases import said",
        "from tonegap.report import phrases",
        "from tonegap import report",
        "import tonegap.report.phrases",
        "from ..report import phrases",
        "def f():\n    from tonegap.report.phrases import said",
        'import importlib\nimportlib.import_module("tonegap.report.phrases")',
        'from importlib import import_module\nimport_module(f"tonegap.report.{name}")',
        "import tonegap\nsaid = tonegap.report.phrases",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tonegap.report",
    ],
)
def test_an_import_that_looks_up_would_be_found(tmp_path, code):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "board.py").write_text(f"import tonegap.scores\n{code}\n")
    line = 1 + code[: code.rindex("report")].count("\n") + 1
    assert looking_up(tmp_path) == [
        f"results/board.py:{line}: results imports report, which is above it"
    ]


def test_an_import_within_a_folder_and_one_that_looks_down_are_fine(tmp_path):
    (tmp_path / "results").mkdir()
    code = "from tonegap import __version__\nfrom tonegap.results.model import Table\nimport tonegap.scores\n"
    (tmp_path / "results" / "board.py").write_text(code)
    assert looking_up(tmp_path) == []


def test_a_file_in_a_folder_of_no_place_would_be_found(tmp_path):
    (tmp_path / "attic").mkdir()
    (tmp_path / "attic" / "old.py").write_text("")
    assert looking_up(tmp_path) == ["attic/old.py: attic is not in the list"]


def test_the_modules_at_the_bottom_are_in_order(tmp_path):
    (tmp_path / "errors.py").write_text("from tonegap.texts import read_text\n")
    assert looking_up(tmp_path) == ["errors.py:1: errors imports texts, which is above it"]


def test_the_list_for_newcomers_is_the_list_of_this_test():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = [
        line.split("/ ")[0] for line in text.split("```")[3].splitlines() if line[:1].isalpha()
    ]
    assert listed == [name for name in FOLDERS if (ENGINE / name).is_dir()]
    within = {path.name for name in listed for path in (ENGINE / name).iterdir() if path.is_dir()}
    assert {name for name in within - {"__pycache__"} if f"{name}/" not in text} == set()


def test_the_table_for_newcomers_names_every_folder_of_the_project():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    said = {"requirements", "tests"}  # in the sections below the table
    folders = {
        path.name
        for path in ROOT.iterdir()
        if path.name[0] != "." and (path / "README.md").exists()
    } - said
    table = text.split("## Where things are")[1].split("The folders of the engine")[0]
    assert {name for name in folders if f"`{name}/" not in table} == set()
