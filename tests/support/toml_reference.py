"""`docs/reference-toml.md`: every key of dataset.toml, tasks, suites and rates, from the structs that read them.

A key's meaning is the comment at its field. `python tests/support/toml_reference.py` writes the page anew.
"""

import inspect
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import inspect as types

from tonegap.declared.dataset import DatasetFile
from tonegap.declared.rates import RatesFile
from tonegap.declared.suite import SuiteFile
from tonegap.declared.task import TaskFile

PAGE = Path(__file__).parents[2] / "docs" / "reference-toml.md"
_FILES = {
    "dataset.toml": DatasetFile,
    "tasks/NAME.toml": TaskFile,
    "suites/NAME.toml": SuiteFile,
    "rates.toml": RatesFile,
}
_HEAD = """\
# Every key of dataset.toml, tasks, suites and rates

Made from the code that reads these files (`python tests/support/toml_reference.py`). A key without a default must be
there; a key that is not listed is refused, and `tonegap check` names it. How the files work together:
[own-data.md](own-data.md).
"""


def reference() -> str:
    """The page's text."""
    parts = [_HEAD]
    for name, struct in _FILES.items():
        parts += [f"\n## {name}\n", *_sections("", struct)]
    return "\n".join(parts)


def meanings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """What the comments of a struct's source say of its fields, those of its bases included."""
    found: dict[str, str] = {}
    for owner in reversed(struct.__mro__):
        if issubclass(owner, msgspec.Struct) and owner is not msgspec.Struct:
            found |= _comments(inspect.getsource(owner))
    return found


def _comments(source: str) -> dict[str, str]:
    """The comment behind each field, or above it."""
    found, above = {}, []
    lines = source.splitlines()
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    for number, line in enumerate(lines, 1):
        field = re.match(r"    (\w+): ", line)
        if field:
            found[field[1]] = " ".join([*above, comments.get(number, "")]).strip()
        above = [*above, comments[number]] if number in comments and not field else []
    return found


def _sections(path: str, struct: type[msgspec.Struct]) -> Iterator[str]:
    """A struct's own table, then those of what its fields hold."""
    info = types.type_info(struct)
    assert isinstance(info, types.StructType)
    doc = " ".join(inspect.cleandoc(struct.__doc__ or "").split())
    said = meanings(struct)
    yield doc + "\n"
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    if info.tag:
        yield f'| `rule` | `"{info.tag}"` | | names this rule |'
    for field in info.fields:
        yield f"| `{field.name}` | {_value(field.type)} | {_default(field)} | {said[field.name]} |"
    for field in info.fields:
        for place, inner in _inner(field.type, f"{path}.{field.name}".lstrip(".")):
            tag = types.type_info(inner).tag
            rule = f' with rule = "{tag}"' if tag else ""
            yield f"\n### `{place}`{rule}\n"
            yield from _sections(place.strip("[]"), inner)


def _inner(kind: types.Type, path: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """The structs that a field holds, each with the TOML header of its table."""
    match kind:
        case types.StructType():
            yield f"[{path}]", kind.cls
        case types.UnionType():
            for one in kind.types:
                yield from _inner(one, path)
        case types.DictType():
            yield from _inner(kind.value_type, f"{path}.NAME")
        case types.VarTupleType(item_type=types.StructType(cls=cls)):
            yield f"[[{path}]]", cls


def _value(kind: types.Type) -> str:
    match kind:
        case types.StrType():
            return "text"
        case types.IntType():
            return "whole number"
        case types.FloatType():
            return "number"
        case types.BoolType():
            return "true or false"
        case types.VarTupleType():
            return "tables" if _holds_tables(kind) else f"list of {_value(kind.item_type)}"
        case types.DictType():
            return f"table: name to {_value(kind.value_type)}"
        case types.LiteralType():
            return " or ".join(f'`"{value}"`' for value in kind.values)
        case types.UnionType():
            shown = (one for one in kind.types if not isinstance(one, types.NoneType))
            return " or ".join(dict.fromkeys(map(_value, shown)))
    return "table"


def _holds_tables(kind: types.VarTupleType) -> bool:
    return isinstance(kind.item_type, types.StructType)


def _default(field: types.Field) -> str:
    if field.required:
        return ""
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or value == "":
        return "none"
    if isinstance(value, msgspec.Struct) or value in ((), {}):
        return "none" if value in ((), {}) else "as below"
    return f"`{msgspec.json.encode(value).decode()}`"


if __name__ == "__main__":
    PAGE.write_text(reference() + "\n", encoding="utf-8")
