"""Where a file of a store lies is said in one module, and no other spells it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tonegap.store import layout

ENGINE = Path(__file__).parents[2] / "src" / "tonegap"
# Of these words other folders have the name too: docker/locks.
_OTHERS = {layout.LOCKS}
PLACES = {
    value for name, value in vars(layout).items() if name.isupper() and "/" not in value
} - _OTHERS
# Functions whose text is a place, and those whose text is one where it goes on below it.
_OF_PLACES = {"joinpath", "work_folder", "lock", "Path"}
_OF_PATHS = {"glob", "rglob", "startswith", "relative_to", "with_name", "removeprefix"}
_MANY = 4  # keys of a dictionary that are places: it is one by place


def spelled(source: str) -> list[int]:
    """Lines that name a place of a store in words of their own: `store / "records"`, f"{store}/records/{key}.json"."""
    found = {
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.expr) and any(text in PLACES for text in _places(node))
    }
    found |= {
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Dict) and sum(_text(k) in PLACES for k in node.keys) >= _MANY
    }
    return sorted(found)


def _places(node: ast.expr) -> Iterator[str]:
    """First folders of the paths that an expression spells."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield _text(node.right).split("/")[0]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _below(_text(node.left))
    elif isinstance(node, ast.JoinedStr):
        first, *more = map(_text, node.values)
        yield from _below(first)
        yield from (text.split("/")[1] for text in more if text.startswith("/"))
    elif isinstance(node, ast.Call):
        name = ast.unparse(node.func).split(".")[-1]
        words = [_text(word) for argument in node.args for word in ast.walk(argument)]
        if name in _OF_PLACES:
            yield from (text.split("/")[0] for text in words)
        elif name in _OF_PATHS:
            yield from (place for text in words for place in _below(text))


def _below(text: str) -> Iterator[str]:
    if "/" in text:
        yield text.split("/")[0]


def _text(node: ast.AST | None) -> str:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else ""


@pytest.mark.parametrize(
    "line",
    [
        'path = store / "records" / name',
        'path = store / "truth/first"',
        'path = store / "quality" / key',
        'path = store / ("records/" + key)',
        'path = store.joinpath("records", "x.json")',
        'path = Path(store, "records")',
        'unit = f"stages/{key[:2]}/{key}"',
        'unit = f"{store}/records/{key}.json"',
        'found = store.glob("records/*")',
        'found = list(Path(store).glob("records/*.json"))',
        'ours = name.startswith("stages/")',
        'ours = name.startswith(("specs/", "suites/"))',
        'most = {"records": 1, "stages": 2, "failures": 3, "truth": 4}',
    ],
)
def test_a_place_that_is_spelled_would_be_found(line):
    assert spelled(line) == [1]


@pytest.mark.parametrize(
    "line",
    [
        'text = f"records {n}"\nsuites = root / "benchmarks" / name\n',
        'text = "records" + more\n',
        'said = {"records": 3, "stages": 4}\n',
        'ours = name.startswith("records of")\n',
    ],
)
def test_a_word_of_a_sentence_is_no_place(line):
    assert spelled(line) == []


def test_no_other_module_knows_the_layout_of_a_store():
    files = {path.relative_to(ENGINE).as_posix(): path for path in ENGINE.rglob("*.py")}
    del files["store/layout.py"]
    found = {name: spelled(path.read_text(encoding="utf-8")) for name, path in files.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}
