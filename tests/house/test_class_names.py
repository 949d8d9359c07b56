"""A public class name means one thing in the engine and the kit."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("src/tonegap", "docker/kit/tonegap_kit")
# Names that are the same thing on two sides, with the reason.
SAME_THING = {
    "Job": "job.json of the contract, written by the engine and read by the kit, which share no code"
}


def doubled(*folders: Path) -> dict[str, list[str]]:
    """Files by the public class name that more than one of them defines."""
    found = defaultdict(list)
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path.as_posix())
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def test_no_public_class_name_has_two_meanings():
    assert doubled(*(ROOT / place for place in PLACES)).keys() == SAME_THING.keys()


def test_two_classes_of_one_name_are_found(tmp_path):
    for name, code in (
        ("a", "class Card: ..."),
        ("b", "class Card: ..."),
        ("c", "class _Card: ..."),
    ):
        (tmp_path / f"{name}.py").write_text(code)
    assert doubled(tmp_path) == {"Card": [f"{tmp_path}/a.py", f"{tmp_path}/b.py"]}
