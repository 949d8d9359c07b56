"""How the house is built, each rule with one planted violation: a check that cannot fire proves nothing.

What an import or a word may cross is in tests/house; here: purity, weight, pins.
"""

import ast
import json
import re
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
    for pattern in (
        *("src/**/*.py", "docker/**/*.py", "methods/*/*.py", "baselines/*/*.py"),
        *("postprocessors/*/*.py", "extractors/*/*.py"),
    )
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
    *("report/exports/markdown.py", "report/exports/csv_.py"),
)
PURE = sorted(
    {
        *(path for folder in PURE_FOLDERS for path in (ENGINE / folder).rglob("*.py")),
        *(ENGINE / path for path in PURE_FILES),
    }
)
IMPURE = {
    *("os", "sys", "time", "datetime", "random", "subprocess", "tempfile", "shutil", "socket"),
    *("platform", "getpass", "uuid", "secrets", "locale", "multiprocessing"),
}
_READERS = (
    "read_text",
    "read_bytes",
    "open",
    "exists",
    "is_file",
    "is_dir",
    "iterdir",
    "glob",
    "rglob",
)
_RANDOM = ("np.random", "numpy.random")
_SEEDED = {"Generator", "default_rng", "RandomState", "SeedSequence", "PCG64", "Philox"}
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
HOLE_FILLERS = (
    *("zero_division", "nan_to_num", "fillna"),
    *("nanmax", "nanmin", "nanmean", "nansum", "nanmedian", "nanstd"),
)


_UNSEEDED = {
    f"{of}{name}({seed})"
    for of in ("np.random.", "numpy.random.", "")
    for name in ("default_rng", "RandomState")
    for seed in ("", "None", "seed=None")
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def impurities(source: str) -> Iterator[str]:
    """What makes a module depend on more than its arguments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in IMPURE)
        elif isinstance(node, ast.ImportFrom):
            if str(node.module).split(".")[0] in IMPURE:
                yield str(node.module)
            elif node.module == "numpy" and any(alias.name == "random" for alias in node.names):
                yield "numpy.random"
            elif node.module == "numpy.random":
                yield from (alias.name for alias in node.names if alias.name not in _SEEDED)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in _RANDOM:
            if node.attr not in _SEEDED:
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and _is_impure(node):
            yield ast.unparse(node)


def _is_impure(call: ast.Call) -> bool:
    """Whether a call reads what nobody handed over, prints, or draws without a seed."""
    named = [one.value for one in call.args if isinstance(one, ast.Constant)]
    if ast.unparse(call.func).endswith(("import_module", "__import__")) and IMPURE & {*named}:
        return True
    if ast.unparse(call.func) in {"open", "print", "input"} or ast.unparse(call) in _UNSEEDED:
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    of = ast.unparse(call.func.value)
    reads = call.func.attr in _READERS and re.match(r"(?:\w+\.)?Path\(['\"]", of)
    return bool(reads or (of.split(".")[-1] == "Path" and call.func.attr in {"cwd", "home"}))


def fillers(source: str) -> Iterator[str]:
    """Calls and arguments that fill the hole of an undefined score."""
    for node in ast.walk(ast.parse(source)):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "arg", None)
        if name in HOLE_FILLERS:
            yield str(name)


# Calls whose texts are compared with names: an id within one is an id.
_COMPARING = {
    *("startswith", "endswith", "removeprefix", "removesuffix", "compile", "match", "fullmatch"),
    *("search", "findall", "finditer", "sub", "split", "fnmatch"),
}


def named_plugins(source: str, ids: set[str]) -> set[str]:
    """Ids of plug-ins or data sets that stand in code as a text of their own, in a path, or in what names are
    compared with: a pattern, a start or end, the key of a dictionary.
    """
    words: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.update(node.value.split("/"))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in _COMPARING:
            inner = (part.value for one in node.args for part in ast.walk(one) if _is_text(part))
            words.update(word for text in inner for word in re.split(r"[^A-Za-z0-9-]+", text))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict":
            words.update(str(one.arg) for one in node.keywords)
    return ids & words


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


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
        "import platform\nplatform.node()",
        "x = Path('/etc/hostname').read_text()",
        "x = pathlib.Path('x').exists()",
        "x = Path.home()",
        "import numpy\nx = numpy.random.rand(3)",
        "from numpy.random import rand",
        "x = numpy.random.default_rng(None).normal()",
        "x = default_rng().normal()",
        "x = default_rng(seed=None).normal()",
        "from numpy import random as r",
        "import_module('time')",
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
    assert named_plugins("x.startswith('erm ') or x.endswith('tone-shift.epochs')", ids) == ids
    assert named_plugins("re.compile('^(erm|swad)$')", ids) == {"erm"}
    assert named_plugins("rates = dict(erm=1, other=2)", ids) == {"erm"}
    assert named_plugins("term = 'determined'", ids) == set()
    assert named_plugins("text = 'what erm does'", ids) == set()


@pytest.mark.parametrize("path", [p for p in CODE if p.is_relative_to(ROOT / "src")], ids=relative)
def test_the_engine_names_no_plug_in_in_a_path_either(path):
    kinds = {"methods": "method", "baselines": "baseline", "postprocessors": "postprocessor"}
    kinds |= {"extractors": "extractor"}
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
