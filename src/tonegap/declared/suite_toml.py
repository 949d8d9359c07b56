"""Writes a suite as a TOML file."""

import json
from collections.abc import Mapping

import msgspec

from tonegap.declared.suite import SuiteFile

_TABLES = ("parameters", "limits", "quality")


def suite_toml(file: SuiteFile, comment: str) -> str:
    """The text of a suite's file, `comment` on top; reading it gives the same suite."""
    fields = msgspec.to_builtins(file)
    tables = {name: fields.pop(name) for name in _TABLES}
    entries = fields.pop("entries")
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += _lines(fields)
    for entry in entries:
        lines += [
            "",
            "[[entries]]",
            *_lines({name: value for name, value in entry.items() if value}),
        ]
    for label, values in tables["parameters"].items():
        lines += ["", f"[parameters.{json.dumps(label)}]", *_lines(values)]
    lines += ["", "[limits]", *_lines(tables["limits"])]
    if tables["quality"]:
        lines += ["", "[quality]", *_lines(tables["quality"])]
    return "\n".join(lines) + "\n"


def _lines(fields: Mapping[str, object]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in fields.items() if value is not None]


def _value(value: object) -> str:
    """Texts, numbers and lists as JSON has them, which TOML reads; tables in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
