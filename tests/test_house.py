"""How the house is built, each rule with one planted violation: a check that cannot fire proves nothing.

What an import or a word may cross is in tests/house; here: purity, weight, pins.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_rooms import rooms

__all__ = ["rooms"]

ROOT = Path(__file__).parents[1]
CODE = sorted(
    path
    for pattern in ("src/**/*.py", "docker/**/*.py", "methods/*/*.py", "baselines/*/*.py")
    for path in ROOT.glob(pattern)
)

# What is a function of its arguments, and of the files that these name, whatever the day and the machine: formats, and
# all that decides a number, by folder; and modules of other folders.
ENGINE = ROOT / "src" / "tonegap"
PURE_FOLDERS = ("formats", "scores", "results")
PURE_FILES = (
    *("tones.py", "arrays.py", "colour.py", "plan/plan.py", "plan/entries.py"),
    *("split/validation.py", "split/leaks.py", "split/parts.py", "split/published.py"),
    *("report/text_table.py", "report/exports/json_.py", "report/exports/latex.py"),
    *("report/exports/markdown.py", "report/exports/tidy.py"),
)
PURE = sorted(
    {
        *(path for folder in PURE_FOLDERS for path in (ENGINE / folder).rglob("*.py")),
        *(ENGINE / path for path in PURE_FILES),
    }
)
IMPURE = {"os", "sys", "time", "datetime", "random", "subprocess", "tempfile", "shutil", "socket"}
HEAVY = {
    "torch",
    "torchvision",
    "pandas",
    "fairlearn",
    "sklearn",
    "matplotlib",
    "PIL",
    "pyarrow",
    "numpy",
}
# Each turns a score that cannot be computed into a number.
HOLE_FILLERS = ("zero_division", "nan_to_num", "nanmax", "nanmin", "nanmean", "fillna")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def impurities(source: str) -> Iterator[str]:
    """What makes a module depend on more than its arguments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in IMPURE)
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in IMPURE:
            yield str(node.module)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.random":
            if node.attr not in {"Generator", "default_rng", "RandomState"}:
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"open", "print", "input"}:
            yield ast.unparse(node.func)
        elif isinstance(node, ast.Call) and ast.unparse(node) in {
            f"np.random.{name}()" for name in ("default_rng", "RandomState")
        }:
            yield ast.unparse(node)


def fillers(source: str) -> Iterator[str]:
    """Calls and arguments that fill the hole of an undefined score."""
    for node in ast.walk(ast.parse(source)):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "arg", None)
        if name in HOLE_FILLERS:
            yield str(name)


def named_plugins(source: str, ids: set[str]) -> set[str]:
    """Ids of plug-ins or data sets that stand in code as a text of their own, or in a path."""
    texts = {n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant)}
    words = {part for text in texts if isinstance(text, str) for part in text.split("/")}
    return ids & words


@pytest.mark.parametrize("path", PURE, ids=relative)
def test_what_decides_a_number_is_pure(path):
    assert list(impurities(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import os.path",
        "from datetime import datetime",
        "import random",
        "def f():\n    import time",
        "x = np.random.rand(3)",
        "x = np.random.default_rng().normal()",
        "open('x')",
    ],
)
def test_an_impure_module_would_be_found(line):
    assert list(impurities(line)) != []


def test_a_generator_that_is_handed_over_is_pure():
    assert list(impurities("def f(rng: np.random.Generator) -> float: ...")) == []
    assert list(impurities("x = np.random.default_rng(1).normal()")) == []


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_no_hole_is_filled(path):
    assert list(fillers(path.read_text(encoding="utf-8"))) == []


def test_a_filled_hole_would_be_found():
    assert list(fillers("np.nanmean(x)")) == ["nanmean"]
    assert list(fillers("f1_score(a, b, zero_division=0)")) == ["zero_division"]


def test_a_plug_in_named_in_code_would_be_found():
    ids = {"erm", "tone-shift"}
    assert named_plugins("if name == 'erm': pass", ids) == {"erm"}
    assert named_plugins("path = 'methods/tone-shift'", ids) == {"tone-shift"}
    assert named_plugins("term = 'determined'", ids) == set()


@pytest.mark.parametrize("path", [p for p in CODE if p.is_relative_to(ROOT / "src")], ids=relative)
def test_the_engine_names_no_plug_in_in_a_path_either(path):
    kinds = {"methods": "method", "baselines": "baseline", "postprocessors": "postprocessor"}
    ids = {
        p.name
        for room, kind in kinds.items()
        for p in ROOT.glob(f"{room}/*")
        if (p / f"{kind}.toml").exists()
    }
    ids |= {p.parent.name for p in ROOT.glob("benchmarks/*/dataset.toml")}
    # Words of the language or of the code as well.
    assert named_plugins(path.read_text(encoding="utf-8"), ids - {"none", "phantom"}) == set()


def imported(statement: str) -> set[str]:
    """Heavy packages that are loaded after a statement, in a fresh interpreter."""
    code = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(ended.stdout.splitlines()[-1])} & HEAVY


def test_the_command_line_loads_nothing_heavy():
    assert imported("import tonegap.cli.main") == set()


@pytest.mark.parametrize(
    "name", ["run", "plan", "report", "score", "split", "data", "list", "new", "check", "doctor"]
)
def test_a_commands_module_loads_nothing_heavy(name):
    assert imported(f"import tonegap.cli.{name}") == set()


def test_the_whole_engine_never_loads_torch():
    modules = [
        relative(path).removeprefix("src/").removesuffix(".py").replace("/", ".")
        for path in CODE
        if path.is_relative_to(ROOT / "src") and path.stem not in {"__init__", "__main__", "launch"}
    ]
    assert not imported(f"import {', '.join(modules)}") & {"torch", "torchvision"}


def test_a_heavy_import_would_be_found():
    assert imported("import PIL.Image") == {"PIL"}
