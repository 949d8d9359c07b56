"""A folder decides a number or shows it, never both: report/ and the templates add and divide nothing, scores/ and
results/ write no text of their numbers.

Places on a chart and the rounding of what is printed are how a number is shown; both lie in modules named here.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "src" / "tonegap"
DECIDES = {"sum", "fsum", "mean", "fmean", "median", "std", "var", "variance", "stdev", "quantile"}
DECIDES |= {"Counter", "argmax", "argmin", "bincount"}
# Where pixels are computed, and values as the page's script reads them (tenths, rounded as they are printed).
PLACES = {"report/pages/charts.py"}
# What is counted only to say how much of it there is.
COUNTS = {
    "report/ci.py: sum": "failed and skipped runs, which the format wants as attributes of its suite",
    "report/phrases.py: Counter": "how many runs are missing for which cause, of the list that follows",
    "report/pages/links.py: Counter": "names of pages that would be the same get a number",
    "report/paper_text.py: Counter": "how many verdicts of each kind the list has",
    "report/audit_text.py: Counter": "how many findings of each kind the list has",
    "report/paper_text.py: sum": "how many cells of the list a run can answer",
    "report/pack/documents.py: Counter": "how many items of a checklist are filled",
    "report/pack/documents.py: sum": "how many rows have no page",
}
_IN_TEMPLATE = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_TEXT = re.compile(r"\"[^\"]*\"|'[^']*'")
_DIVIDES = re.compile(r"\|\s*sum\b| / ")
_WRITES = re.compile(r"^(as|render)_(csv|json|lines|markdown|html|page)$")


def deciding(source: str) -> Iterator[str]:
    """The names of calls that make one number of several."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            if name in DECIDES:
                yield name


def dividing(template: str) -> list[str]:
    """The expressions of a template that add or divide."""
    found = (match.group(1).strip() for match in _IN_TEMPLATE.finditer(template))
    return [expression for expression in found if _DIVIDES.search(_TEXT.sub("", expression))]


def writing(source: str) -> list[str]:
    """The functions that write numbers as text, and the import of what makes a CSV safe for a spreadsheet."""
    tree = ast.parse(source)
    names = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    modules = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return [n for n in names if _WRITES.match(n)] + [
        m for m in modules if m == "tonegap.spreadsheet"
    ]


def test_report_adds_and_divides_nothing():
    found = [
        f"{path.relative_to(ENGINE).as_posix()}: {name}"
        for path in sorted((ENGINE / "report").rglob("*.py"))
        if path.relative_to(ENGINE).as_posix() not in PLACES
        for name in deciding(path.read_text(encoding="utf-8"))
    ]
    assert sorted(set(found)) == sorted(COUNTS)


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "reports/templates").glob("*.j2")))
def test_templates_add_and_divide_nothing(name):
    if name != "charts.html.j2":
        text = (ROOT / "reports/templates" / name).read_text(encoding="utf-8")
        assert dividing(text) == []


@pytest.mark.parametrize("folder", ["scores", "results", "synthetic", "formats"])
def test_what_decides_numbers_writes_no_text_of_them(folder):
    found = {
        path.relative_to(ENGINE).as_posix(): names
        for path in sorted((ENGINE / folder).rglob("*.py"))
        if (names := writing(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_what_decides_a_number_would_be_found():
    code = "import numpy as np\nx = sum(y)\nz = np.mean(y)\nCounter(y)\nlen(y)\nmax(y)"
    assert sorted(deciding(code)) == ["Counter", "mean", "sum"]
    assert dividing("{{ (of|sum(attribute='seconds') / of|length)|whole }}") != []
    assert dividing("{% set share = n / total %}<a href='a / b'>{{ '{} / {}'|format(a, b) }}") == [
        "set share = n / total"
    ]
    assert writing("from tonegap.spreadsheet import safe_csv\ndef as_csv(): ...") == [
        "as_csv",
        "tonegap.spreadsheet",
    ]
