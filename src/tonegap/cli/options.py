"""Options that several commands share."""

from pathlib import Path

import click

suite_root_option = click.option(
    "--suite-root",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder with benchmarks/, methods/, baselines/ (default: the nearest parent that is one).",
)

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where results are kept (default: runs/ in the suite root).",
)
