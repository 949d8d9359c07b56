"""Where a file of a store lies is said in one module, and no other spells it."""

import ast
from pathlib import Path

import pytest

from tonegap.store import layout

ENGINE = Path(__file__).parents[2] / "src" / "tonegap"
PLACES = {
    *(layout.STAGES, layout.RECORDS, layout.FAILURES, layout.SUITES, layout.TRUTHS, layout.PACKS),
    *(layout.REPEATS, layout.AUDITS, layout.SUBMISSIONS, layout.SEALS, layout.DETERMINISM),
}


def spelled(source: str) -> list[int]:
    """Lines that name a place of a store in words of their own: `store / "records"`, f"records/{key}.json"."""
    found = []
    for node in ast.walk(ast.parse(source)):
        text = ""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            text = _text(node.right)
        elif isinstance(node, ast.JoinedStr) and node.values:
            first = _text(node.values[0])
            text = first if "/" in first else ""
        if text.split("/")[0] in PLACES:
            found.append(node.lineno)
    return found


def _text(node: ast.AST) -> str:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else ""


@pytest.mark.parametrize(
    "line",
    [
        'path = store / "records" / name',
        'path = store / "truth/first"',
        'unit = f"stages/{key[:2]}/{key}"',
    ],
)
def test_a_place_that_is_spelled_would_be_found(line):
    assert spelled(line) == [1]


def test_a_word_of_a_sentence_is_no_place():
    assert spelled('text = f"records {n}"\nsuites = root / "benchmarks" / name\n') == []


def test_no_other_module_knows_the_layout_of_a_store():
    files = [path for path in ENGINE.rglob("*.py") if path.name != "layout.py"]
    found = {path.name: spelled(path.read_text(encoding="utf-8")) for path in files}
    assert {name: lines for name, lines in found.items() if lines} == {}
