"""`tonegap audit-table`: can the numbers of anybody's table be?"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import A_FILE, PATH, is_count, named_count
from tonegap.cli.terminal import deliver
from tonegap.declared.paper import (
    AssumedSets,
    PaperFile,
    paper_of_cells,
    read_paper_file,
    sets_of_cells,
)
from tonegap.errors import BadRequest
from tonegap.texts import read_text

if TYPE_CHECKING:
    from tonegap.results.papers.audit_reading import Finding

_SEPARATORS = {";": "semicolons", "\t": "tabs"}


@click.command("audit-table")
@click.argument("file", type=A_FILE)
@click.option("--images", multiple=True, metavar="COLUMN=N", help="Test images behind a column.")
@click.option(
    "--total", metavar="N or N-N", help="Images of one test set, where tones' are unknown."
)
@click.option(
    "--sets", type=click.IntRange(1, 100), default=1, help="Test sets that a cell is the mean of."
)
@click.option("--training", type=click.IntRange(1), help="Images trained on, for several sets.")
@click.option(
    "--unit",
    type=click.Choice(("percent", "fraction")),
    help="Of the cells (default: percent, or fraction where no share is above 1).",
)
@click.option("--format", "output", type=click.Choice(("md", "csv", "json")), default="md")
@click.option("--out", type=PATH, help="File to write (default: the terminal).")
def command(  # noqa: PLR0913 - one parameter per option
    file: Path,
    images: tuple[str, ...],
    total: str | None,
    sets: int,
    training: int | None,
    unit: str | None,
    output: str,
    out: Path | None,
) -> None:
    """Whether reported numbers can be, and what chance gives: counts, spreads, ratios, nulls, claims.

    FILE is a CSV, or a TOML in the form of `reports/papers/KEY/paper.toml`. In a CSV the first column names the
    rows; every other is METRIC or METRIC:TONE, such as `accuracy`, `accuracy:V-VI`, `pqd`, `f1:V-VI`; cells are
    `82.4`, `82.4±1.5` or empty. What is known of the test images comes with the options, or `sets` in the TOML.
    """
    from tonegap.results.papers.audit import audit_paper

    options = (images, total, training, sets != 1)
    if file.suffix == ".toml":
        if any(options):
            raise BadRequest(
                f"{file}: a TOML names its test images under tables.sets, not by options"
            )
        paper = read_paper_file(file)
    else:
        paper = _of_csv(file, unit, _tests(images, total, sets, training))
    deliver(audits_as([(file.stem, paper.title, audit_paper(paper))], output), out)


def audits_as(audits: "list[tuple[str, str, tuple[Finding, ...]]]", output: str) -> str:
    """Audits (key, title, findings) as `md`, `csv` or `json`."""
    from tonegap.report.audit_text import audit_csv, audit_json, audit_markdown

    if output == "md":
        return "\n".join(audit_markdown(title, found) for _, title, found in audits)
    by_key = [(key, found) for key, _, found in audits]
    return audit_csv(by_key) if output == "csv" else audit_json(by_key)


def _tests(
    images: tuple[str, ...], total: str | None, sets: int, training: int | None
) -> AssumedSets:
    by_column: dict[str, int] = {}
    totals = None
    for text in images:
        name, number = named_count("--images", text, "COLUMN", "accuracy:V-VI")
        if name in by_column:
            raise BadRequest(
                f"--images {text}: {name} has {by_column[name]} images already; name a column once"
            )
        by_column[name] = number
    if total is not None:
        low, to, high = total.partition("-")
        high = high if to else low
        if not (is_count(low) and is_count(high) and 0 < int(low) <= int(high)):
            raise BadRequest(
                f"--total {total}: wanted a number of images, 132, or a range, 120-140"
            )
        totals = (int(low), int(high))
    return sets_of_cells(by_column, totals, sets, training or 0)


def _of_csv(path: Path, unit: str | None, tests: AssumedSets) -> PaperFile:
    """A table's CSV as a paper of one table. Raises BadRequest for another form."""
    try:
        content = io.StringIO(read_text(path, BadRequest), newline="")
        lines = [line for line in csv.reader(content, strict=True) if line]
    except (OSError, csv.Error) as e:
        raise BadRequest(f"{path}: cannot be read as CSV: {e}") from None
    if len(lines) < 2 or len(lines[0]) < 2:
        first = "".join(lines[0]) if lines else ""
        other = next((name for sign, name in _SEPARATORS.items() if sign in first), None)
        found = f"found {other} between fields, " if other else ""
        raise BadRequest(
            f"{path}: {found}wanted a header, row,METRIC,METRIC:TONE… with commas, and at least one row"
        )
    names = [name.strip() for name in lines[0][1:]]
    rows = (
        (f"{path} line {number}", line[0], [cell.strip() for cell in line[1:]])
        for number, line in enumerate(lines[1:], 2)
    )
    return paper_of_cells(path.stem, path.name, names, rows, unit, tests)
