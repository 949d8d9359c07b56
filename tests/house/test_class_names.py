"""A public name of a type means one thing in the engine and in the kit: classes, named tuples and aliases alike."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("src/tonegap", "docker/kit/tonegap_kit")
# Names that are the same thing on two sides, with the reason.
SAME_THING = {
    "Job": "job.json of the contract, written by the engine and read by the kit, which share no code"
}


def types(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Name and meaning of each public type that statements define, within `if` and `try` as well.

    The meaning of an alias is its text: two aliases of one text are the same thing. A class has its name alone.
    """
    for line in body:
        if isinstance(line, ast.ClassDef):
            yield line.name, "class"
        elif isinstance(line, ast.Assign | ast.AnnAssign) and line.value is not None:
            (target, *_more) = line.targets if isinstance(line, ast.Assign) else [line.target]
            if isinstance(target, ast.Name) and _is_type_name(target.id):
                made = isinstance(line.value, ast.Call) and "TypeVar" not in ast.unparse(line.value)
                yield target.id, "class" if made else ast.unparse(line.value)
        else:
            for within in (line, *getattr(line, "handlers", [])):
                for part in ("body", "orelse", "finalbody"):
                    if not isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef):
                        yield from types(getattr(within, part, []))


def _is_type_name(name: str) -> bool:
    return name[:1].isupper() and not name.isupper() and "_" not in name and len(name) > 1


def doubled(*folders: Path, classes_alone: bool = False) -> dict[str, list[str]]:
    """Files by the public name that means more than one thing in them."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        for name, meaning in types(ast.parse(path.read_text(encoding="utf-8")).body):
            if not name.startswith("_") and (meaning == "class" or not classes_alone):
                found[name].append((meaning, path.as_posix()))
    return {
        name: [path for _meaning, path in where]
        for name, where in found.items()
        if len(where) > 1 and {meaning for meaning, _path in where} != {where[0][0]} - {"class"}
    }


@pytest.mark.parametrize("place", PLACES)
def test_no_public_name_of_a_type_has_two_meanings(place):
    assert doubled(ROOT / place) == {}


def test_no_class_of_the_engine_has_the_name_of_one_of_the_kit():
    found = doubled(*(ROOT / place for place in PLACES), classes_alone=True)
    assert found.keys() == SAME_THING.keys()


@pytest.mark.parametrize(
    "code",
    [
        "class Card: ...",
        "if True:\n    class Card: ...",
        "try:\n    class Card: ...\nexcept ImportError:\n    pass",
        "try:\n    import x\nexcept ImportError:\n    class Card: ...",
        "Card = NamedTuple('Card', [('x', int)])",
        "Card = msgspec.defstruct('Card', ['x'])",
        "Card = dict[str, int]",
        "Card: TypeAlias = dict[str, int]",
    ],
)
def test_two_types_of_one_name_are_found(tmp_path, code):
    for name, text in (("a", "class Card: ..."), ("b", code), ("c", "class _Card: ...")):
        (tmp_path / f"{name}.py").write_text(text)
    assert doubled(tmp_path) == {"Card": [f"{tmp_path}/a.py", f"{tmp_path}/b.py"]}


def test_two_aliases_are_one_thing_where_they_say_the_same(tmp_path):
    for name, text in (
        ("a", "Codes = list[int]\nSaid = str"),
        ("b", "Codes = list[int]\nSaid = int"),
    ):
        (tmp_path / f"{name}.py").write_text(text)
    assert doubled(tmp_path).keys() == {"Said"}
