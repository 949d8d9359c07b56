"""`tonegap submit`: external submissions, into the leaderboards of a store."""

from pathlib import Path

import click

from tonegap.cli.options import A_PATH, WholeHelp, placed, stored
from tonegap.cli.terminal import say
from tonegap.declared.report_settings import read_settings
from tonegap.formats.submission import Refused
from tonegap.results.submissions.stored import read_submissions, store_submission
from tonegap.results.submissions.stored import remove as remove_from
from tonegap.store.store import Store


@click.group("submit", cls=WholeHelp)
def command() -> None:
    """External submissions: a bundle that verifies, or predictions with a card.

    A bundle (`tonegap bundle`) is computed again from its predictions and ranked if every number holds. Predictions
    are scored here and shown at their place without a rank: nobody can check how they were made.
    """


@command.command("add")
@click.argument("path", type=A_PATH)
@click.option("--check", is_flag=True, help="Only say what would happen.")
@placed
@click.pass_context
def add(ctx: click.Context, path: Path, check: bool, store: Path, root: Path) -> None:
    """Checks PATH, a bundle or a folder with card.toml and predictions, and keeps it in the store.

    Exit code 1: a bundle that does not verify, each of its runs named; nothing is kept.
    """
    from tonegap.report.submission_ranks import places
    from tonegap.results.submissions.prepare import prepared

    place = Store(store)
    with prepared(place, path, root) as found:
        if isinstance(found, Refused):
            for problem in found.problems:
                say(problem)
            say(f"{path}: refused, {len(found.problems)} problems")
            ctx.exit(1)
        made, submission = found
        say(f"{submission.title}: {submission.about}")
        for line in places(place.folder, made, submission, read_settings(root)):
            say(line)
        if not check:
            say(f"{path}: kept as {store_submission(place, made, submission)}")


@command.command("list")
@stored
def list_(store: Path) -> None:
    """The submissions of the store, and which of them were changed since they were checked."""
    for stored_one in read_submissions(store):
        found = stored_one.submission
        state = (
            f"changed: {'; '.join(stored_one.changed)}"
            if stored_one.changed
            else "as it was checked"
        )
        tasks = ", ".join(sorted(found.tasks))
        say(f"{stored_one.id}  {found.kind}  {found.title}  {tasks}  {state}")


@command.command("remove")
@click.argument("submission")
@stored
def remove(submission: str, store: Path) -> None:
    """Takes SUBMISSION, an id of `tonegap submit list`, out of the store."""
    folder = remove_from(Store(store), submission)
    say(f"{folder}: removed")
