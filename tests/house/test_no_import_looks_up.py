"""The folders of the engine are a list, bottom to top, and no import looks up it.

Computed from the syntax tree: imports within functions and for type checkers count as well. Modules of one folder may
import each other; those at the bottom, which lie in no folder, are a list of their own.
"""

import ast
import re
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
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {"tonegap"} | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "tonegap" and alias.asname
    }
    digests = {id(name) for node in ast.walk(tree) if _is_digest(node) for name in ast.walk(node)}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = ".".join([*own[: len(own) - node.level], *filter(None, [module])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # Whatever takes it: a module's name as a text. A digest covers code, which is no import of it.
            name = _NAME.fullmatch(node.value)
            names = [node.value] if name and name[1] in RANK and id(node) not in digests else []
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in called:
            names = [f"tonegap.{node.attr}"]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            of, name, *_ = map(ast.unparse, node.args)
            names = [f"tonegap.{ast.literal_eval(name)}"] if of in called else []
        for name in names:
            top, *below = name.split(".")
            if top == "tonegap" and any(below[:1]) and below[0] not in _OF_THE_PACKAGE:
                yield node.lineno, below[0]


_OF_THE_PACKAGE = {"__version__", "__path__", "__file__", "__name__", "__doc__"}
_NAME = re.compile(r"tonegap\.(\w+)(?:\.\w+)*\.?(?::\w+)?")


def _is_digest(node: ast.AST) -> bool:
    """Whether a node names modules whose code a digest covers."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) in ("HANDED_OVER", "_ARITHMETIC")
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "code_digest"


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
        "import tonegap as t\nsaid = t.report.phrases",
        'import tonegap\nsaid = getattr(tonegap, "report")',
        'from importlib import import_module as load\nload("tonegap.report.phrases")',
        'import importlib\nimportlib.import_module(name="tonegap.report.phrases")',
        'home = "tonegap.report.phrases"',
        'import pkgutil\npkgutil.resolve_name("tonegap.report.phrases:percent")',
        'import sys\nsaid = sys.modules["tonegap.report.phrases"]',
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
