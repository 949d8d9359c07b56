"""Options that several commands share."""

from pathlib import Path
from typing import Any

import click


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


class WholeHelp(click.Group):
    """A group whose help says the first sentence of each command in full."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One entry per command."""
        rows = [(n, self.commands[n].get_short_help_str(1000)) for n in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


suite_root_option = click.option(
    "--suite-root",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder with benchmarks/, methods/, baselines/ (default: the nearest parent that is one, or the shipped).",
)

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where results are kept (default: runs/ in the suite root; here for the shipped one).",
)
