"""Digests of code: every module of a closure changes its key, and no other does."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tonegap
from tonegap.closure import HANDED_OVER, Package, code_digest, imported

ENGINE = Path(tonegap.__file__).parent
# A wheel has the suite folders inside, which are data to the engine.
MODULES = sorted(p for p in ENGINE.rglob("*.py") if p.relative_to(ENGINE).parts[0] != "suite_root")
# What enters keys, from which module on; and a module that has no business in it.
ENTRIES = {
    "tonegap.run.decoded_arrays": "tonegap.plan.plan",
    "tonegap.data.drawn": "tonegap.scores.metrics",
    "tonegap.data.index": "tonegap.run.scoring",
    "tonegap.data.picture_cache": "tonegap.run.scoring",
    "tonegap.data.mask_file": "tonegap.scores.metrics",
    "tonegap.data.stand_in": "tonegap.scores.metrics",
    "tonegap.synthetic.withheld": "tonegap.scores.metrics",
    "tonegap.synthetic.audit": "tonegap.scores.metrics",
    "tonegap.run.scoring": "tonegap.engines.local",
    "tonegap.run.sheet_maker": "tonegap.run.scoring",
    "tonegap.run.inputs": "tonegap.run.scoring",
    "tonegap.engines.variables": "tonegap.engines.local",
}
BUT = dict.fromkeys(
    ("tonegap.run.inputs", "tonegap.run.decoded_arrays", "tonegap.synthetic.withheld"), HANDED_OVER
)
# What a plan names by digests of code is made elsewhere; whoever else names what it keeps is in the code that it names.
NAMES_FOR_OTHERS = "plan/prepare.py"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("elsewhere") / "of any name"
    return shutil.copytree(
        ENGINE, target, ignore=shutil.ignore_patterns("__pycache__", "suite_root")
    )


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_byte_in_any_module_of_a_closure_changes_its_digest(copy: Path, entry: str) -> None:
    but = BUT.get(entry, ())
    before = Package(copy).digest([entry], but)
    for module in Package(copy).closure([entry], but):
        path = Package(copy).file_of(module)
        content = path.read_bytes()
        path.write_bytes(content + b"#")
        assert Package(copy).digest([entry], but) != before, module
        path.write_bytes(content)
    assert Package(copy).digest([entry], but) == before


@pytest.mark.parametrize(("entry", "outside"), ENTRIES.items())
def test_a_byte_in_a_module_outside_changes_nothing(copy: Path, entry: str, outside: str) -> None:
    but = BUT.get(entry, ())
    before = Package(copy).digest([entry], but)
    path = Package(copy).file_of(outside)
    content = path.read_bytes()
    path.write_bytes(content + b"#")
    try:
        assert Package(copy).digest([entry], but) == before
    finally:
        path.write_bytes(content)


# Of the outermost package it has the version of tonegap: a release does not make everything anew.
@pytest.mark.parametrize("package", ["tonegap", "tonegap.split", "tonegap.data"])
def test_a_byte_in_a_package_that_modules_lie_in_changes_no_digest(
    copy: Path, package: str
) -> None:
    before = [Package(copy).digest([entry], BUT.get(entry, ())) for entry in ENTRIES]
    path = Package(copy).file_of(package)
    content = path.read_bytes()
    path.write_bytes(content + b"#")
    try:
        assert [Package(copy).digest([entry], BUT.get(entry, ())) for entry in ENTRIES] == before
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("entry", ENTRIES)
def test_how_arithmetic_rounds_is_in_every_digest(copy: Path, entry: str) -> None:
    before = Package(copy).digest([entry], BUT.get(entry, ()))
    path = Package(copy).file_of("tonegap.numerics")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Haswell", b"Zen"))
    try:
        assert Package(copy).digest([entry], BUT.get(entry, ())) != before
    finally:
        path.write_bytes(content)


def test_what_a_stage_sees_is_written_by_code_that_is_in_its_key() -> None:
    closure = Package(ENGINE).closure(["tonegap.run.inputs"], HANDED_OVER)
    read = {"tonegap.data.decode", "tonegap.data.preprocessing"}
    assert read | {"tonegap.synthetic.manifest", "tonegap.tones"} < set(closure)


def test_the_code_that_scores_has_no_phantom_nor_a_data_set_in_it() -> None:
    closure = Package(ENGINE).closure(["tonegap.run.scoring"])
    assert [name for name in closure if "phantom" in name or name == "tonegap.split.frame"] == []


SUITE = """\
title = "One entry"
about = "What its stages are called."
tasks = ["pad-ufes-20-sample/malignant"]
seeds = [0]

[[entries]]
methods = ["tone-shift"]
baselines = ["erm"]
backbones = ["cnn4"]
"""


def stage_keys(engine: Path, folder: Path) -> set[str]:
    """Keys of the stages that a suite would run, planned by a copy of the engine in a process of its own."""
    (folder / "one.toml").write_text(SUITE, encoding="utf-8")
    program = "import sys; from tonegap.cli.main import main; sys.exit(main())"
    where = ["--store", str(folder / "runs"), "--suite-root", str(Path(__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, "plan", "one.toml", "--json", *where],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(engine.parent)},
    )
    return {stage["key"] for stage in json.loads(done.stdout)["stages"]}


def test_a_release_keeps_keys_and_a_change_of_what_stages_see_does_not(tmp_path: Path) -> None:
    engine = tmp_path / "copy" / "tonegap"
    shutil.copytree(ENGINE, engine, ignore=shutil.ignore_patterns("__pycache__", "suite_root"))
    before = stage_keys(engine, tmp_path)
    assert len(before) >= 2

    version = engine / "__init__.py"
    version.write_text(version.read_text().replace('"0.1.0"', '"0.1.1"'))
    assert stage_keys(engine, tmp_path) == before

    for changed in ("run/inputs.py", "numerics.py", "engines/variables.py"):
        writer = engine / changed
        as_it_was = writer.read_text()
        writer.write_text(as_it_was + "#")
        assert stage_keys(engine, tmp_path) & before == set(), changed
        writer.write_text(as_it_was)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_digest_does_not_depend_on_where_the_package_lies(copy: Path, entry: str) -> None:
    but = BUT.get(entry, ())
    assert Package(copy).digest([entry], but) == code_digest(entry, but=but)


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_closure_reaches_the_command_line_the_engines_or_the_report(entry: str) -> None:
    above = ("tonegap.cli", "tonegap.engines", "tonegap.report", "tonegap.results", "tonegap.plan")
    found = set(Package(ENGINE).closure([entry], BUT.get(entry, ()))) - {entry}
    assert [name for name in found if name.startswith(above)] == []


def digests_in(path: Path) -> dict[str, set[str]]:
    """The modules of each digest that a file takes."""
    return {
        ast.unparse(node): {ast.literal_eval(word) for word in node.args}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "code_digest"
    }


def test_every_digest_of_code_is_of_a_closure_that_is_tested_here() -> None:
    assert set().union(*(n for p in MODULES for n in digests_in(p).values())) == ENTRIES.keys()


def test_who_keeps_what_a_digest_names_is_in_the_code_that_it_covers() -> None:
    outside = []
    for path in MODULES:
        place = path.relative_to(ENGINE)
        own = ".".join(("tonegap", *place.with_suffix("").parts))
        for text, modules in digests_in(path).items():
            if place.as_posix() != NAMES_FOR_OTHERS and own not in Package(ENGINE).closure(modules):
                outside.append(f"{place}: {text}")
    assert outside == []


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        code_digest("tonegap.nowhere")


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from tonegap.a import b as c, d\n", {"tonegap.a.b", "tonegap.a.d"}),
        (
            "from tonegap.a import (\n    b,  # why (so)\n    c,\n)\n",
            {"tonegap.a.b", "tonegap.a.c"},
        ),
        ("def f():\n    import tonegap.a as x\n", {"tonegap.a"}),
        ("import numpy\nfrom collections import abc\n", set()),
        ("if TYPE_CHECKING:\n    from tonegap.a import b\n\nx = 1\n", set()),
    ],
)
def test_imports_of_the_package_are_found_wherever_they_stand(source: str, names: set[str]) -> None:
    found = set(imported(source))
    assert names <= found
    assert bool(found) == bool(names)


def by_tree(source: str) -> set[str]:
    """The same by the syntax tree; blocks for annotations alone left out."""
    tree = ast.parse(source)
    tree.body = [
        n
        for n in tree.body
        if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    ]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "tonegap"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ENGINE)))
def test_imports_are_those_of_the_syntax_tree(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert set(imported(source)) == by_tree(source)
