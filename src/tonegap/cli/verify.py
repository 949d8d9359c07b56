"""`tonegap verify`: every number of a bundle computed again."""

import tempfile
from pathlib import Path

import click

from tonegap.cli.options import suite_root_option
from tonegap.cli.terminal import say
from tonegap.lines import counted, one_line
from tonegap.results.bundle.archive import changed_files, extract, memory_for
from tonegap.results.bundle.crate import CRATE
from tonegap.untrusted import bounded_memory, refused

_SHOWN = 80  # letters of a title


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@suite_root_option
@click.pass_context
def command(ctx: click.Context, bundle: Path, suite_root: Path | None) -> None:
    """Computes every number of BUNDLE again from its predictions; names the runs that differ.

    Of a pack (a folder of `tonegap pack`) the bundle in it, and then every document from that.
    Needs neither the data set nor a GPU. Says first whether all declared records are in it. Exit code 0: all numbers
    in it are as they were; 1: some are not, or there is none; 2: it is no bundle, or a damaged one.
    """
    from tonegap.results.bundle.verify import verify_folder

    documents: list[str] = []
    if bundle.is_dir():
        from tonegap.declared.root import find_root
        from tonegap.report.pack.write import pack_problems

        name, documents = pack_problems(find_root(suite_root), bundle)
        bundle = bundle / name
    with (
        tempfile.TemporaryDirectory(prefix="tonegap-bundle-") as name,
        refused(str(bundle)),
        bounded_memory(memory_for(bundle)),
    ):
        manifest = extract(bundle, Path(name))
        changed = changed_files(manifest, Path(name))
        found = verify_folder(Path(name), manifest.suite)
    state = "incomplete" if found.completeness.missing else "complete"
    say(f"{state if found.n_records else 'empty'}: {found.completeness.words}")
    if CRATE not in manifest.files:
        say(
            f"{bundle}: no {CRATE}: it was written by a tonegap before these were; all else is "
            "checked, and `tonegap bundle` writes one now",
            err=True,
        )
    problems = (*documents, *changed, *found.problems)
    for problem in problems:
        say(problem)
    if problems:
        end = f"; {counted(len(problems), 'problem')}"
    else:
        end = ": all as they were" if found.n_records else ": nothing to verify"
    numbers = f"{counted(found.n_records, 'record')}, {counted(found.n_scores, 'score')}"
    say(f"{one_line(manifest.title)[:_SHOWN]}: {numbers} computed again{end}")
    if problems or not found.n_records:
        ctx.exit(1)
