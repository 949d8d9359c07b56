"""`tonegap submit`: external submissions, into the leaderboards of a store."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import WholeHelp, store_option, suite_root_option
from tonegap.cli.terminal import say

if TYPE_CHECKING:
    from tonegap.formats.submission import Submission


@click.group("submit", cls=WholeHelp)
def command() -> None:
    """External submissions: a bundle that verifies, or predictions with a card.

    A bundle (`tonegap bundle`) is computed again from its predictions and ranked if every number holds. Predictions
    are scored here and shown at their place without a rank: nobody can check how they were made.
    """


@command.command("add")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--check", is_flag=True, help="Only say what would happen.")
@store_option
@suite_root_option
@click.pass_context
def add(
    ctx: click.Context, path: Path, check: bool, store: Path | None, suite_root: Path | None
) -> None:
    """Checks PATH, a bundle or a folder with card.toml and predictions, and keeps it in the store.

    Exit code 1: a bundle that does not verify, each of its cells named; nothing is kept.
    """
    from tonegap.declared.root import default_store, find_root
    from tonegap.formats.submission import Refused
    from tonegap.results.submissions.prepare import prepared
    from tonegap.results.submissions.shelf import shelve
    from tonegap.store.store import Store

    root = find_root(suite_root)
    place = Store(store or default_store(root))
    with prepared(place, path, root) as found:
        if isinstance(found, Refused):
            for problem in found.problems:
                say(problem)
            say(f"{path}: refused, {len(found.problems)} problems")
            ctx.exit(1)
        made, submission = found
        say(f"{submission.title}: {submission.about}")
        _say_places(root, place.folder, made, submission)
        if not check:
            say(f"{path}: kept as {shelve(place, made, submission)}")


def _say_places(root: Path, store: Path, made: Path, submission: "Submission") -> None:
    """One line for each entry: where it stands among what is in the store."""
    from tonegap.report.submission_ranks import places
    from tonegap.results.settings import read_settings

    for line in places(store, made, submission, read_settings(root)):
        say(line)


@command.command("list")
@store_option
@suite_root_option
def list_(store: Path | None, suite_root: Path | None) -> None:
    """The submissions of the store, and which of them were changed since they were checked."""
    from tonegap.declared.root import default_store, find_root
    from tonegap.results.submissions.shelf import read_shelf

    for shelved in read_shelf(store or default_store(find_root(suite_root))):
        found = shelved.submission
        state = f"changed: {'; '.join(shelved.changed)}" if shelved.changed else "as it was checked"
        tasks = ", ".join(sorted(found.tasks))
        say(f"{shelved.id}  {found.kind}  {found.title}  {tasks}  {state}")


@command.command("remove")
@click.argument("submission")
@store_option
@suite_root_option
def remove(submission: str, store: Path | None, suite_root: Path | None) -> None:
    """Takes SUBMISSION, an id of `tonegap submit list`, out of the store."""
    from tonegap.declared.root import default_store, find_root
    from tonegap.results.submissions.shelf import remove as remove_from
    from tonegap.store.store import Store

    folder = remove_from(Store(store or default_store(find_root(suite_root))), submission)
    say(f"{folder}: removed")
