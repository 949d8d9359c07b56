"""Writes a suite as a TOML file. The mistake it exists to prevent: a file that TOML readers refuse."""

import json
import math
import re
from collections.abc import Mapping

import msgspec

from tonegap.declared.suite import SuiteFile

# TOML takes these as escapes alone: JSON escapes some of them itself.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_BARE = re.compile("[A-Za-z0-9_-]+")
_TABLES = ("parameters", "limits", "quality")


def suite_toml(file: SuiteFile, comment: str) -> str:
    """The text of a suite's file, `comment` on top; reading it gives the same suite."""
    fields = msgspec.to_builtins(file)
    tables = {name: fields.pop(name) for name in _TABLES}
    entries = fields.pop("entries")
    lines = [_CONTROL.sub(" ", f"# {line}") for line in comment.splitlines()]
    lines += _lines(fields)
    for entry in entries:
        lines += [
            "",
            "[[entries]]",
            *_lines({name: value for name, value in entry.items() if value}),
        ]
    for label, values in tables["parameters"].items():
        lines += ["", f"[parameters.{_text(label)}]", *_lines(values)]
    lines += ["", "[limits]", *_lines(tables["limits"])]
    if tables["quality"]:
        lines += ["", "[quality]", *_lines(tables["quality"])]
    return "\n".join(lines) + "\n"


def _lines(fields: Mapping[str, object]) -> list[str]:
    return [
        f"{_key(name)} = {_value(value)}" for name, value in fields.items() if value is not None
    ]


def _value(value: object) -> str:
    """Texts, numbers and lists as JSON has them, but for what TOML writes otherwise; tables in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # inf, -inf or nan
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
