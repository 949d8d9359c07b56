"""Notebooks run cell by cell, and written with what they show: `notebooks.py NOTEBOOK…` writes them anew."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl


def cells_of(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The code cells of a notebook in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(notebook: dict[str, Any]) -> list[dict[str, str]]:
    """What each code cell shows, by MIME type; empty where its last line is no value or a plot."""
    mpl.use("Agg")
    space: dict[str, Any] = {"__name__": "__main__"}
    return [_shown("".join(cell["source"]), space) for cell in cells_of(notebook)]


def _shown(source: str, space: dict[str, Any]) -> dict[str, str]:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), space)
    if not isinstance(last, ast.Expr):
        return {}
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), space)  # noqa: S307
    if value is None or type(value).__module__.startswith("matplotlib"):
        return {}
    found = {"text/plain": repr(value)}
    if hasattr(value, "_repr_html_"):
        found["text/html"] = value._repr_html_()
    return found


def write_anew(path: Path) -> None:
    """The notebook with what its cells show now."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    pairs = zip(cells_of(notebook), run(notebook), strict=True)
    for number, (cell, shown) in enumerate(pairs, start=1):
        data = {kind: text.splitlines(keepends=True) for kind, text in shown.items()}
        output = {"output_type": "execute_result", "execution_count": number, "metadata": {}}
        cell |= {"execution_count": number, "outputs": [{**output, "data": data}] if data else []}
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write_anew(Path(name))
