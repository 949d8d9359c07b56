"""Reads a TOML file as a checked frozen struct; every mistake names the file, the key and the cure.

The mistake it exists to prevent: a misspelt key that is silently ignored.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from tonegap.errors import BadSuiteFolder
from tonegap.lines import did_you_mean
from tonegap.texts import read_text

S = TypeVar("S", bound=msgspec.Struct)
_WRONG = re.compile(r"Invalid (?:enum )?value '(.*)' at `\$\.([][\w.-]+)`")


def read_toml(path: Path, kind: type[S]) -> S:
    """The struct a TOML file spells.

    Raises BadSuiteFolder naming the file and key for a missing file, bad TOML, an unknown key, a missing
    key or a value of the wrong type.
    """
    try:
        raw = tomllib.loads(read_text(path, BadSuiteFolder))
    except FileNotFoundError:
        raise BadSuiteFolder(f"{path}: no such file") from None
    except tomllib.TOMLDecodeError as e:
        raise BadSuiteFolder(f"{path}: not valid TOML: {e}") from None
    except RecursionError:
        raise BadSuiteFolder(f"{path}: not valid TOML: nested too deep") from None
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as e:
        raise BadSuiteFolder(f"{path}: {_say(str(e), kind)}") from None


def check_known(
    folder: Path, kind: str, name: str, known: Sequence[str], shown: Sequence[str] = ()
) -> None:
    """Raises BadSuiteFolder where there is no `kind` of that name below a folder, with those there are (or `shown`)."""
    if name not in known:
        there = ", ".join(shown or known) or "none"
        near = did_you_mean(name, known)
        raise BadSuiteFolder(f"{folder}: no {kind} {name!r}{near}; there are: {there}")


def _say(message: str, kind: type[msgspec.Struct]) -> str:
    """The words of msgspec in ours; an unknown key at the top gets the list of known ones."""
    text = (
        message.replace("Object contains unknown field", "unknown key")
        .replace("Object missing required field", "missing key")
        .replace(" - at `$", " at `$")
    )
    if "unknown key" in text and "at `$" not in text:
        text += f"; known keys are {', '.join(kind.__struct_encode_fields__)}"
    if wrong := _WRONG.fullmatch(text):
        there = _choices(kind, wrong[2])
        text += did_you_mean(wrong[1], there) + f"; there are: {', '.join(there)}"
    return text


def _choices(kind: type[msgspec.Struct], key: str) -> list[str]:
    """The words that may stand at a key (`split.rule`): names of rules, or a list of values."""
    from msgspec import inspect

    def plain(one: inspect.Type) -> tuple[inspect.Type, ...]:
        return one.types if isinstance(one, inspect.UnionType) else (one,)

    here: list[inspect.Type] = [inspect.type_info(kind)]
    tags: list[str] = []
    for name in re.sub(r"\[\d+\]", "", key).split("."):
        here = [one.item_type if isinstance(one, inspect.VarTupleType) else one for one in here]
        structs = [s for one in here for s in plain(one) if isinstance(s, inspect.StructType)]
        tags = [str(one.tag) for one in structs if one.tag_field == name]
        here = [field.type for one in structs for field in one.fields if field.encode_name == name]
    literals = [one for t in here for one in plain(t) if isinstance(one, inspect.LiteralType)]
    return tags + [str(value) for one in literals for value in one.values]
