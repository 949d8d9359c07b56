"""Options that several commands share."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tonegap.cli.near import NearGroup
from tonegap.declared.root import default_store, find_root
from tonegap.errors import BadRequest

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
A_PATH = click.Path(path_type=Path, exists=True)
A_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
A_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_DIGITS = 15  # of a number of images
SEED = click.IntRange(0, 2**32 - 1)


class NumberRange(click.FloatRange):
    """A range of numbers; `nan`, which lies in every range for Python, is refused."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number. Raises click.BadParameter."""
        number: float = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is no number", param, ctx)
        return number


class WholeHelp(NearGroup):
    """A group whose help says the first sentence of each command in full."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One entry per command."""
        rows = [(n, self.commands[n].get_short_help_str(1000)) for n in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def is_count(text: str) -> bool:
    """Whether a text is a whole number from 0 of a size that images can have."""
    return text.isdecimal() and len(text) <= _DIGITS


def named_count(option: str, text: str, what: str, example: str) -> tuple[str, int]:
    """The name and the number of images of `NAME=N`. Raises BadRequest for another form."""
    name, _, number = text.rpartition("=")
    if not name or not is_count(number):
        raise BadRequest(f"{option} {text}: wanted {what}=N, such as {example}=43")
    return name, int(number)


json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
suite_root_option = click.option(
    "--suite-root",
    type=FOLDER,
    help="Folder with benchmarks/, methods/, baselines/ (default: the nearest parent that is one, or the shipped).",
)
store_option = click.option(
    "--store",
    type=FOLDER,
    help="Where results are kept (default: runs/ in the suite root; here for the shipped one).",
)


def _with_places(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that adds --suite-root, and --store where it is asked for, and hands over what they name."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def placed(
            *args: Any, suite_root: Path | None, store: Path | None = None, **values: Any
        ) -> Any:
            root = find_root(suite_root)
            places = {"root": root, "store": store or default_store(root)}
            return function(*args, **{name: places[name] for name in names}, **values)

        decorated: Callable[..., Any] = suite_root_option(placed)
        return store_option(decorated) if "store" in names else decorated

    return decorate


# What a command gets: `root`, `store`, or both.
rooted, stored, placed = _with_places("root"), _with_places("store"), _with_places("root", "store")
