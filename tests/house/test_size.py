"""The engine's budget of lines, see docs/decisions/0064-what-the-budget-counts.md."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

import tonegap

ENGINE = Path(tonegap.__file__).parent
BUDGET = 31_500
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
}


def lines_of_code(source: str) -> int:
    """Lines with code on them: no blank lines, comments, docstrings and imports."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {
        line
        for token in tokens
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(source)):
        says = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or says:
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_the_engine_keeps_its_budget() -> None:
    files = [p for p in ENGINE.rglob("*.py") if "suite_root" not in p.relative_to(ENGINE).parts]
    n = sum(lines_of_code(path.read_text(encoding="utf-8")) for path in files)
    assert n <= BUDGET, f"{n:,} lines of code, {BUDGET:,} are the budget: delete as many"


@pytest.mark.parametrize(
    ("source", "n"),
    [
        ('"""Said."""\n\nimport os\n\nX = 1  # one\n', 1),
        (
            "from a import (\n    b,\n    c,\n)\n\n\ndef f():\n    '''Said.'''\n    return (\n        b,\n    )\n",
            4,
        ),
        ("X = '''two\nlines'''\n# none\n", 2),
    ],
)
def test_what_counts(source: str, n: int) -> None:
    assert lines_of_code(source) == n
