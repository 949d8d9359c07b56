"""`tonegap verify`: every number of a bundle computed again."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import suite_root_option
from tonegap.cli.terminal import say
from tonegap.lines import counted, one_line

if TYPE_CHECKING:
    from tonegap.results.bundle.verify import Checked

_SHOWN = 80  # letters of a title


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@suite_root_option
@click.pass_context
def command(ctx: click.Context, bundle: Path, suite_root: Path | None) -> None:
    """Computes every number of BUNDLE again from its predictions; names the cells that differ.

    Of a pack (a folder of `tonegap pack`) the bundle in it, and then every document from that.
    Needs neither the data set nor a GPU. Says first whether all declared records are in it. Exit code 0: all numbers
    in it are as they were; 1: some are not, or there is none; 2: it is no bundle, or a damaged one.
    """
    documents: list[str] = []
    if bundle.is_dir():
        from tonegap.declared.root import find_root
        from tonegap.report.pack.write import pack_problems

        name, documents = pack_problems(find_root(suite_root), bundle)
        bundle = bundle / name
    from tonegap.results.bundle.archive import memory_for
    from tonegap.untrusted import bounded_memory, refused

    with (
        tempfile.TemporaryDirectory(prefix="tonegap-bundle-") as name,
        refused(str(bundle)),
        bounded_memory(memory_for(bundle)),
    ):
        title, found, changed, note = _check(bundle, Path(name))
    state = "incomplete" if found.completeness.missing else "complete"
    say(f"{state if found.n_records else 'empty'}: {found.completeness.words}")
    if note:
        say(note, err=True)
    problems = [*documents, *changed, *found.problems]
    for problem in problems:
        say(problem)
    again = (
        f"{counted(found.n_records, 'record')}, {counted(found.n_scores, 'score')} computed again"
    )
    say(
        f"{one_line(title)[:_SHOWN]}: {again}"
        + (
            f"; {counted(len(problems), 'problem')}"
            if problems
            else (": all as they were" if found.n_records else ": nothing to verify")
        )
    )
    if problems or not found.n_records:
        ctx.exit(1)


def _check(bundle: Path, folder: Path) -> "tuple[str, Checked, list[str], str]":
    """Title, what was computed, what is wrong with the files, and a note that is no problem."""
    from tonegap.results.bundle.archive import changed_files, extract
    from tonegap.results.bundle.crate import CRATE
    from tonegap.results.bundle.verify import verify_folder

    manifest = extract(bundle, folder)
    changed, note = changed_files(manifest, folder), ""
    if CRATE not in manifest.files:
        note = (
            f"{bundle}: no {CRATE}: it was written by a tonegap before these were; all else is "
            "checked, and `tonegap bundle` writes one now"
        )
    return manifest.title, verify_folder(folder, manifest.suite), changed, note
