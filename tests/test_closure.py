"""Digests of code: every module of a closure changes its key, and no other does."""

import ast
import shutil
from pathlib import Path

import pytest

import tonegap
from tonegap.closure import Package, code_digest, imported

ENGINE = Path(tonegap.__file__).parent
# A wheel has the suite folders inside, which are data to the engine.
MODULES = sorted(p for p in ENGINE.rglob("*.py") if p.relative_to(ENGINE).parts[0] != "suite_root")
# What enters keys, from which module on; and a module that has no business in it.
ENTRIES = {
    "tonegap.data.decode": "tonegap.plan.plan",
    "tonegap.data.mask_file": "tonegap.scores.metrics",
    "tonegap.data.drawn": "tonegap.scores.metrics",
    "tonegap.data.near_duplicates": "tonegap.run.scoring",
    "tonegap.data.picture": "tonegap.run.scoring",
    "tonegap.data.stand_in": "tonegap.scores.metrics",
    "tonegap.synthetic.copies": "tonegap.scores.metrics",
    "tonegap.synthetic.audit": "tonegap.scores.metrics",
    "tonegap.run.scoring": "tonegap.engines.local",
    "tonegap.run.sheet_maker": "tonegap.run.scoring",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("elsewhere") / "of any name"
    return shutil.copytree(
        ENGINE, target, ignore=shutil.ignore_patterns("__pycache__", "suite_root")
    )


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_byte_in_any_module_of_a_closure_changes_its_digest(copy: Path, entry: str) -> None:
    before = Package(copy).digest([entry])
    for module in Package(copy).closure([entry]):
        path = Package(copy).file_of(module)
        content = path.read_bytes()
        path.write_bytes(content + b"#")
        assert Package(copy).digest([entry]) != before, module
        path.write_bytes(content)
    assert Package(copy).digest([entry]) == before


@pytest.mark.parametrize(("entry", "outside"), ENTRIES.items())
def test_a_byte_in_a_module_outside_changes_nothing(copy: Path, entry: str, outside: str) -> None:
    before = Package(copy).digest([entry])
    path = Package(copy).file_of(outside)
    content = path.read_bytes()
    path.write_bytes(content + b"#")
    try:
        assert Package(copy).digest([entry]) == before
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_digest_does_not_depend_on_where_the_package_lies(copy: Path, entry: str) -> None:
    assert Package(copy).digest([entry]) == code_digest(entry)


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_closure_reaches_the_command_line_the_engines_or_the_report(entry: str) -> None:
    above = ("tonegap.cli", "tonegap.engines", "tonegap.report", "tonegap.results", "tonegap.plan")
    found = Package(ENGINE).closure([entry])
    assert [name for name in found if name.startswith(above)] == []


def test_every_digest_of_code_is_of_a_closure_that_is_tested_here() -> None:
    used = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).split(".")[-1] == "code_digest"
            ):
                used |= {ast.literal_eval(word) for word in node.args}
    assert used == ENTRIES.keys()


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        code_digest("tonegap.nowhere")


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from tonegap.a import b as c, d\n", {"tonegap.a", "tonegap.a.b", "tonegap.a.d"}),
        ("from tonegap.a import (\n    b,  # why (so)\n    c,\n)\n", {"tonegap.a", "tonegap.a.b"}),
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
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "tonegap"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ENGINE)))
def test_imports_are_those_of_the_syntax_tree(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert set(imported(source)) == by_tree(source)
