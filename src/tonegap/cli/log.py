"""`tonegap log`: what the stages of an entry wrote, and why one failed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.complete import entry_names, ran_names
from tonegap.cli.options import stored
from tonegap.cli.terminal import say
from tonegap.errors import BadRequest
from tonegap.lines import did_you_mean
from tonegap.texts import last_lines

if TYPE_CHECKING:
    from tonegap.formats.matrix import RunOutcome


@click.command("log")
@click.argument("entry", shell_complete=entry_names)
@click.option(
    "--suite", shell_complete=ran_names, help="Only this suite of the store (default: all)."
)
@click.option(
    "--last", type=click.IntRange(1), default=200, show_default=True, help="Lines of each log."
)
@stored
def command(entry: str, suite: str | None, last: int, store: Path) -> None:
    """The logs of ENTRY, a label as in the report; of failed stages where there are any, else of all.

    \b
    tonegap log "none + erm (cnn4)"
    """  # noqa: D301
    from tonegap.store.read import merge_suites, read_suites

    folder = store
    runs = merge_suites(read_suites(folder, [suite] if suite else []))
    of_entry = [run for run in runs if run.id.entry.label == entry]
    if not of_entry:
        known = dict.fromkeys(run.id.entry.label for run in runs)
        raise BadRequest(
            f"{folder}: no entry {entry!r}{did_you_mean(entry, known)}; there are: {', '.join(map(repr, known))}"
        )
    failed = [run for run in of_entry if run.failure]
    seen: set[Path] = set()
    for run in failed or of_entry:
        for title, path in _logs(run, folder):
            if path not in seen:
                seen.add(path)
                say(f"== {run.id.task} seed {run.id.seed}: {title}: {path}")
                for line in last_lines(path, last):
                    say(line)
        if run.failure and not run.failure.log:
            said = f"{run.failure.plugin} {run.failure.stage}: {run.failure.text}"
            say(f"== {run.id.task} seed {run.id.seed}: no log ({run.failure.cause}: {said})")
    if not seen and not failed:
        say("no stage of this entry wrote anything", err=True)


def _logs(run: "RunOutcome", folder: Path) -> list[tuple[str, Path]]:
    """What there is to read of a run: the failed stage's log, or those that its stages left."""
    from tonegap.store.layout import stage_unit

    if run.failure:
        found = [
            (
                f"{run.failure.plugin} {run.failure.stage}, {run.failure.cause}",
                folder / run.failure.log,
            )
        ]
        return found if run.failure.log else []
    stages = run.record.stages if run.record else ()
    named = [(f"{s.plugin} {s.stage}", folder / stage_unit(s.key) / "log.txt") for s in stages]
    return [(title, path) for title, path in named if path.is_file()]
