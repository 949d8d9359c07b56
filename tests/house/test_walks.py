"""From a folder's name to the place of a change in two steps, as CONTRIBUTING says: the files and names are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "src" / "tonegap"
_ROW = re.compile(r"\| ([^|]+) \| `(\w+)/` \| `([\w/]+\.py)`, `(\w+)`")


def walks() -> list[tuple[str, str, str, str]]:
    """What is to be changed, the folder to look into, the file there, and the name in it."""
    return _ROW.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


def test_four_changes_are_walked():
    assert [wanted.split()[-1] for wanted, *_ in walks()] == ["measured", "says", "decoded", "has"]


@pytest.mark.parametrize(("wanted", "folder", "file", "name"), walks())
def test_the_second_step_arrives(wanted, folder, file, name):
    assert file.startswith(f"{folder}/"), wanted
    tree = ast.parse((ENGINE / file).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    names |= {ast.unparse(t) for n in tree.body if isinstance(n, ast.Assign) for t in n.targets}
    assert name in names
