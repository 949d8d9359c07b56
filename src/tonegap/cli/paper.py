"""`tonegap paper`: a paper's tables, reported against reproduced, or audited."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import click

from tonegap.cli.complete import paper_names
from tonegap.cli.options import A_FILE, PATH, placed
from tonegap.cli.requests import parse_roots
from tonegap.cli.terminal import deliver, say
from tonegap.data.metadata import read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.paper import (
    PaperFile,
    check_cell,
    paper_keys,
    parse_reported,
    read_paper,
)
from tonegap.errors import BadRequest
from tonegap.store.layout import SUITES
from tonegap.store.read import merge_suites, read_suites
from tonegap.texts import read_text

_ENTERED = ("table", "row", "column", "reported")
_ENTERED_BEFORE = ("table", "row", "column", "printed")  # the header of files from before 0.1.0


@click.command("paper")
@click.argument("key", required=False, shell_complete=paper_names)
@click.option("--format", "output", type=click.Choice(("md", "csv", "json")), default="md")
@click.option("--out", type=PATH, help="File to write (default: the terminal).")
@click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="NAME=DIR",
    help="Where a data set's metadata is, for tables that are counted from it.",
)
@click.option(
    "--reported",
    "--printed",
    "reported",
    type=A_FILE,
    help="CSV table,row,column,reported: numbers that the suite does not know. (--printed is the same.)",
)
@click.option(
    "--audit",
    is_flag=True,
    help="Can the numbers be, and what does chance give? Without KEY: of every paper.",
)
@placed
def command(  # noqa: PLR0913 - one parameter per option
    key: str | None,
    output: str,
    out: Path | None,
    roots: tuple[str, ...],
    reported: Path | None,
    audit: bool,
    store: Path,
    root: Path,
) -> None:
    """The tables of the paper KEY: reported number, reproduced number, its interval, and a verdict.

    A cell agrees or differs only if a run had the paper's split, backbone, parameters and rule; else it
    is not comparable, and the reason is given. Without KEY: the papers that are here.

    With --audit: what the numbers can be. Which counts of images give them, whether spreads and ratios agree, what
    tones of equal accuracy report, and the chance that the best row's lead is luck. No run and no data is needed.
    """
    from tonegap.cli.audit_table import audits_as
    from tonegap.report.paper_text import as_csv, as_json, as_markdown
    from tonegap.results.papers.audit import audit_paper
    from tonegap.results.papers.compare import Sources, paper_cells
    from tonegap.results.papers.runs import runs_for

    if key is None and not audit:
        for name in paper_keys(root):
            say(f"{name:16} {read_paper(root, name).title}")
        return
    if audit:
        keys = paper_keys(root) if key is None else [key]
        papers = [(name, read_paper(root, name)) for name in keys]
        entered = _known(reported, [paper for _, paper in papers]) if reported else {}
        audits = [(name, paper.title, audit_paper(paper, entered)) for name, paper in papers]
        deliver(audits_as(audits, output), out)
        return
    paper = read_paper(root, key or "")
    wanted = {table.data_set for table in paper.tables if table.kind == "counts"}
    if roots and not wanted:
        raise BadRequest(f"--root {roots[0]}: no table of this paper is counted from metadata")
    folders = parse_roots(roots, tuple(sorted(wanted)))
    metadata = {name: read_metadata(read_dataset(root, name), at) for name, at in folders.items()}
    entered = _known(reported, [paper]) if reported else {}
    ran = read_suites(store) if any((store / SUITES).glob("*.json")) else ()
    runs = runs_for(paper, merge_suites(ran), store)
    cells = paper_cells(paper, Sources(metadata, runs, entered))
    texts = {
        "md": lambda: as_markdown(paper, cells),
        "csv": lambda: as_csv(cells),
        "json": lambda: as_json(paper, cells),
    }
    deliver(texts[output](), out)


def _known(path: Path, papers: Sequence[PaperFile]) -> dict[tuple[str, str, str], str]:
    """The same where each is a cell of one of the papers. Raises BadRequest for another, with those there are."""
    found = _entered(path)
    for named in found:
        check_cell(papers, named, str(path))
    return found


def _entered(path: Path) -> dict[tuple[str, str, str], str]:
    """The reported numbers of a user's CSV. Raises BadRequest for another form."""
    try:
        reader = csv.DictReader(io.StringIO(read_text(path, BadRequest), newline=""), strict=True)
        columns = tuple(reader.fieldnames or ())
        if columns not in {_ENTERED, _ENTERED_BEFORE}:
            found_columns = ",".join(columns) or "none"
            raise BadRequest(f"{path}: found columns {found_columns}, wanted {','.join(_ENTERED)}")
        found = {}
        for cells in reader:
            where = f"{path} line {reader.line_num}"
            if None in cells or None in cells.values():
                raise BadRequest(f"{where}: wanted {len(_ENTERED)} cells, {','.join(_ENTERED)}")
            if parse_reported(cells[columns[-1]]) is None:
                raise BadRequest(
                    f"{where}: {columns[-1]} is {cells[columns[-1]]!r}, wanted a number such as 61.2"
                )
            found[cells["table"], cells["row"], cells["column"]] = cells[columns[-1]]
    except (OSError, csv.Error) as e:
        raise BadRequest(f"{path}: cannot be read as CSV: {e}") from None
    return found
