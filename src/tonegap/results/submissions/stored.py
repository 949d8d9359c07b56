"""The submissions of a store: put there whole or not at all, listed, removed, read for a report.

The mistake it exists to prevent: an external submission that was changed after it was checked, still ranked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest, StoreError
from tonegap.files import content_files, sha256_file
from tonegap.formats.matrix import Failure, RunId, RunOutcome
from tonegap.formats.record import Record
from tonegap.formats.submission import FILE, Submission
from tonegap.lines import first_few
from tonegap.results.bundle.exposure import with_doubts
from tonegap.store.layout import HERE, SUBMISSIONS
from tonegap.store.read import read_suites
from tonegap.store.store import Store
from tonegap.untrusted import remove_tree


@dataclass(frozen=True, slots=True)
class StoredSubmission:
    """A submission of a store; `changed`: what is no longer as it was checked, one sentence each."""

    id: str
    submission: Submission
    changed: tuple[str, ...]


def file_digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a submission but `submission.json`, by its path."""
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in content_files(folder)
        if path != folder / FILE
    }


def store_submission(store: Store, made: Path, submission: Submission) -> str:
    """Puts a prepared folder among the submissions of a store; returns its id.

    Raises BadRequest if it, or one with the same predictions, is there already.
    """
    ours = _predictions(submission)
    for other in read_submissions(store.folder):
        if other.id == submission.id or ours & _predictions(other.submission):
            raise BadRequest(
                f"{store.folder / SUBMISSIONS}: {other.id} ({other.submission.title}) has the same predictions; "
                f"`tonegap submit remove {other.id}` takes it away"
            )
    target = store.folder / SUBMISSIONS / submission.id
    with store.writing():
        target.parent.mkdir(exist_ok=True)
        made.rename(target)
    return submission.id


def _predictions(submission: Submission) -> frozenset[str]:
    return frozenset(sha for path, sha in submission.files.items() if "/predictions." in path)


def read_submissions(store: Path) -> tuple[StoredSubmission, ...]:
    """Every submission of a store by id. Raises StoreError for one that cannot be read at all."""
    return tuple(_read(path) for path in sorted((store / SUBMISSIONS).glob(f"*/{FILE}")))


def _read(path: Path) -> StoredSubmission:
    name = path.parent.name
    try:
        submission = msgspec.json.decode(path.read_bytes(), type=Submission)
    except (OSError, msgspec.DecodeError) as e:
        raise StoreError(f"{path}: damaged ({e}); `tonegap submit remove {name}`") from None
    return StoredSubmission(name, submission, tuple(_changes(path.parent, submission)))


def _changes(folder: Path, submission: Submission) -> Iterator[str]:
    if submission.id != folder.name:
        yield f"{FILE} is not what was written when it was added"
    found = file_digests(folder)
    for name in sorted(found.keys() | submission.files.keys()):
        if found.get(name) != submission.files.get(name):
            what = (
                "missing" if name not in found else "changed" if name in submission.files else "new"
            )
            yield f"{name} is {what}"


def remove(store: Store, name: str) -> Path:
    """Removes a submission; returns where it was. Raises BadRequest if there is none of that id."""
    folder = store.folder / SUBMISSIONS / name
    if name not in {path.parent.name for path in (store.folder / SUBMISSIONS).glob(f"*/{FILE}")}:
        there = ", ".join(s.id for s in read_submissions(store.folder)) or "none"
        raise BadRequest(
            f"{store.folder / SUBMISSIONS}: no submission {name!r}; there are: {there}"
        )
    (folder / FILE).unlink()
    remove_tree(folder)
    return folder


def submitted_runs(
    store: Path, submissions: Sequence[StoredSubmission], own: Sequence[RunOutcome]
) -> tuple[RunOutcome, ...]:
    """The runs of submissions to the tasks of a store's own runs, under entries of their own.

    One that was changed since it was checked has holes instead of results. An entry whose every prediction is this
    store's own, byte for byte, is left out: it is the same result.
    """
    tasks = {run.id.task for run in own}
    runs = [
        run
        for stored in submissions
        for run in runs_of(store / SUBMISSIONS / stored.id, stored)
        if run.id.task in tasks
    ]
    return new_runs(runs, own)


def new_runs(runs: Sequence[RunOutcome], own: Sequence[RunOutcome]) -> tuple[RunOutcome, ...]:
    """The runs of entries that are not this store's own, byte for byte, at every seed."""
    known = {run.record.predictions_sha256 for run in own if run.record}
    new = {
        (run.id.task, run.id.entry)
        for run in runs
        if run.record is None or run.record.predictions_sha256 not in known
    }
    return tuple(run for run in runs if (run.id.task, run.id.entry) in new)


def runs_of(folder: Path, stored: StoredSubmission) -> tuple[RunOutcome, ...]:
    """The runs of one submission in a folder; what was not declared here when it came is unknown (`with_doubts`)."""
    kind = stored.submission.kind
    if stored.changed:
        return tuple(_hole(run, stored) for run in stored.submission.runs)
    (suite_run,) = read_suites(folder, [stored.submission.suite])
    return tuple(
        RunOutcome(_named(run.id, stored.id), _placed(record, stored.id), None, kind)
        for run in suite_run.runs
        if (record := run.record and with_doubts(run.record, folder / HERE))
    )


def _hole(run: RunId, stored: StoredSubmission) -> RunOutcome:
    named = _named(run, stored.id)
    text = (
        f"no longer what was checked when it was added: {first_few(stored.changed, '; ')}; "
        f"`tonegap submit remove {stored.id}`"
    )
    failure = Failure(named.key, "submission", stored.id, "changed", text, "")
    return RunOutcome(named, None, failure, stored.submission.kind)


def _named(run: RunId, name: str) -> RunId:
    """The run under an entry of its own, so that it never shares a row with another."""
    variant = ", ".join(part for part in (run.entry.variant, f"submitted {name}") if part)
    return msgspec.structs.replace(
        run, entry=msgspec.structs.replace(run.entry, variant=variant), key=f"{name}:{run.key}"
    )


def _placed(record: Record, name: str) -> Record:
    """The record with stages that say in which submission they lie, and an isolation that says it is a claim."""
    stages = tuple(msgspec.structs.replace(s, key=f"{name}:{s.key}") for s in record.stages)
    where = record.circumstances
    isolation = msgspec.structs.replace(where.isolation, engine=f"says: {where.isolation.engine}")
    circumstances = msgspec.structs.replace(where, isolation=isolation)
    return msgspec.structs.replace(record, stages=stages, circumstances=circumstances)
