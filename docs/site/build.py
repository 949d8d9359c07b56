"""Builds the documentation as a site that needs no network.

Run: `python docs/site/build.py OUT`, with what `requirements/test.txt` locks installed beside tonegap. The pages are
those of the repository where they lie, with the files that they link to; two more are made from the code: the commands
and the Python interface.
"""

import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from mkdocs.commands.build import build
from mkdocs.config import load_config

import tonegap
from tonegap.cli.main import cli

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "baselines",
    "benchmarks",
    "docker",
    "docs",
    "extractors",
    "postprocessors",
    "integrations",
    "methods",
    "reports",
)
LINK = re.compile(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)")
PYTHON = "# Python interface\n\nEach is `tonegap.NAME`; [how they are used](../docs/python.md).\n\n"


def pages() -> list[Path]:
    """The Markdown files of the repository's first level and of its documented folders."""
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))
    return [*ROOT.glob("*.md"), *(path for path in below if "templates" not in path.parts)]


def gather(to: Path) -> None:
    """Writes all pages, what they link to, and the two that are made from the code into folder `to`."""
    for page in pages():
        linked = (page.parent / link for link in LINK.findall(page.read_text(encoding="utf-8")))
        for path in {page, *(path.resolve() for path in linked)}:
            if path.is_file() and path.is_relative_to(ROOT):
                place = to / path.relative_to(ROOT)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
    made = to / "reference"
    made.mkdir()
    helps = commands(cli, click.Context(cli, info_name="tonegap", terminal_width=100))
    (made / "commands.md").write_text("\n".join(["# Commands\n", *helps]), encoding="utf-8")
    (made / "python.md").write_text(PYTHON + python_interface(), encoding="utf-8")


def commands(command: click.Command, context: click.Context) -> Iterator[str]:
    """What `--help` says of a command and of all below it, as a section each."""
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if below := command.get_command(context, name):
                yield from commands(below, click.Context(below, info_name=name, parent=context))


def python_interface() -> str:
    """A line per public name, for mkdocstrings."""
    named = {name: getattr(tonegap, name) for name in tonegap.__all__}
    places = (
        thing.__name__
        if hasattr(thing, "__path__") or not hasattr(thing, "__qualname__")
        else f"{thing.__module__}.{thing.__qualname__}"
        for thing in named.values()
    )
    return "\n\n".join(f"::: {place}" for place in places) + "\n"


def main(out: Path) -> None:
    """Builds the site into folder `out`. Raises what MkDocs raises, for a link that leads nowhere too."""
    with tempfile.TemporaryDirectory() as folder:
        gather(Path(folder))
        build(
            load_config(
                str(Path(__file__).with_name("mkdocs.yml")), docs_dir=folder, site_dir=str(out)
            )
        )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    main(Path(sys.argv[1]).resolve())
