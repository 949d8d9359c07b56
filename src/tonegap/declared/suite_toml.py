"""Writes a suite as a TOML file. The mistake it exists to prevent: a comment that ends in the middle of a file."""

import re
from typing import Any

import msgspec
import tomli_w

from tonegap.declared.suite import SuiteFile

_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def suite_toml(file: SuiteFile, comment: str) -> str:
    """The text of a suite's file, `comment` on top; reading it gives the same suite."""
    fields: dict[str, Any] = msgspec.to_builtins(file)
    fields["entries"] = [{k: v for k, v in entry.items() if v} for entry in fields["entries"]]
    said = {name: value for name, value in fields.items() if value is not None}
    lines = [_CONTROL.sub(" ", f"# {line}") for line in comment.splitlines()]
    return "\n".join([*lines, tomli_w.dumps(said)])
