"""What decides numbers knows no page: no field of results/ is about how or where it is shown."""

import ast
import re
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "src" / "tonegap" / "results"
_SHOWN = re.compile(r"(?:^|_)(?:pages?|templates?|site|html|beside|href|link)(?:$|_)")


def fields_about_pages(folder: Path) -> list[str]:
    """File and name of each field of a class, and of each public function, that is about pages."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        for one in ast.walk(tree):
            if isinstance(one, ast.ClassDef):
                names += [line.target.id for line in one.body if _is_field(line)]
                names += [line.name for line in one.body if isinstance(line, ast.FunctionDef)]
        found += [
            f"{path.relative_to(folder).as_posix()}: {name}"
            for name in names
            if _SHOWN.search(name) and not name.startswith("_")
        ]
    return found


def _is_field(line: ast.stmt) -> bool:
    return isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)


def test_no_field_of_results_is_about_pages():
    assert fields_about_pages(RESULTS) == []


def test_a_field_and_a_function_about_pages_would_be_found(tmp_path):
    code = (
        "class Set:\n    page: str\n    n_pages: int\n    paged: int\n\ndef without_pages(): ...\n"
    )
    (tmp_path / "quality.py").write_text(code)
    found = fields_about_pages(tmp_path)
    assert found == ["quality.py: without_pages", "quality.py: page", "quality.py: n_pages"]
