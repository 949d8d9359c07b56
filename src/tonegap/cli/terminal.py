"""The one place that prints: lines for people, escaped here and not by whoever wrote them.

The mistake it exists to prevent: a name in somebody's file that rewrites the reader's terminal, or a line of its own
that reads like the suite's verdict.
"""

import json
import sys
from pathlib import Path

import click

from tonegap.lines import one_line


class Notes:
    """Whether lines on standard error are JSON, as a program asked with `--progress json`."""

    as_json = False


def note(line: str) -> str:
    """A line for standard error as it is to be written there: one line, or the event of one."""
    text = one_line(line)
    return json.dumps({"event": "note", "text": text}) if Notes.as_json else text


def say(line: object = "", *, err: bool = False) -> None:
    """Prints one line; what is no printable character in it is escaped, line breaks included."""
    click.echo(note(str(line)) if err else one_line(str(line)), err=err)


def say_page(text: str, *, err: bool = False) -> None:
    """Prints a text that was laid out in lines, each of them escaped."""
    for line in text.split("\n"):
        say(line, err=err)


def put(document: str | bytes) -> None:
    """Writes a document that a program reads (CSV, JSON, Markdown) as it is, for an escape would be another value.

    On a terminal nobody but people reads it, so there each line is escaped.
    """
    if isinstance(document, str) and sys.stdout.isatty():
        say_page(document.removesuffix("\n"))
    else:
        click.echo(document, nl=False)


def put_json(value: object, *, ascii_only: bool = False) -> None:
    """Writes a value as JSON for a program; with `ascii_only` other letters are escapes."""
    put(json.dumps(value, indent=1, ensure_ascii=ascii_only) + "\n")


def deliver(document: str | bytes, out: Path | None) -> None:
    """Writes a document to the terminal, or into a file, of which the terminal then shows the name.

    Raises StoreError where the file cannot be written.
    """
    if out is None:
        put(document)
        return
    from tonegap.report.write import write_bytes

    write_bytes(out, document.encode() if isinstance(document, str) else document)
    say(out)


def say_columns(rows: list[tuple[str, str]]) -> None:
    """Prints a line for each name and what is said of it, the names padded to one width."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        say(f"{name:<{width}}  {text}")
