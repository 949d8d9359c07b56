"""The one place that prints: lines for people, escaped here and not by whoever wrote them.

The mistake it exists to prevent: a name in somebody's file that rewrites the reader's terminal, or a line of its own
that reads like the suite's verdict.
"""

import json
import sys

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
