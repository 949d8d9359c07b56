"""The declared matrix of a suite: every run a table must have, found or not.

The mistake it exists to prevent: a table over the runs that happened to finish, read as complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from tonegap.formats.record import EntryId, Record
from tonegap.formats.repeats import Repeats


class RunId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of the matrix and the key its record has once it exists.

    `not_applicable` says why an entry cannot be asked this question (it needs masks, say); such a
    run is declared empty, not missing.
    """

    entry: EntryId
    task: str
    seed: int
    key: str
    control: bool
    not_applicable: str | None = None


class Matrix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a suite declares: `runs/suites/NAME.json`, written when a run starts.

    `sheets` maps the key of a generate stage to that of the quality sheet of what it makes.
    """

    suite: str
    title: str
    runs: tuple[RunId, ...] = msgspec.field(name="cells")
    sheets: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many records a matrix declares, and the runs that have none, by entry, task and seed."""

    n_declared: int
    missing: tuple[str, ...]

    @property
    def words(self) -> str:
        """For a reader: `2 of 12 records are missing (first: …)`."""
        if not self.n_declared:
            return "no record is declared"
        if not self.missing:
            return f"all {self.n_declared} declared records are here"
        first = "; ".join(self.missing[:3])
        return f"{len(self.missing)} of {self.n_declared} records are missing (first: {first})"


def completeness(runs: Sequence["RunOutcome"]) -> Completeness:
    """What is missing of the runs of a matrix; what no entry can be asked is not declared."""
    asked = [run for run in runs if run.record or run.id.not_applicable is None]
    missing = (run.id for run in asked if run.record is None)
    return Completeness(
        len(asked), tuple(f"{i.entry.label}, {i.task}, seed {i.seed}" for i in missing)
    )


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a stage did not finish: `failure.json` beside its log; never taken for a result.

    `cause` is one of `tonegap.formats.stage_job.Cause`, never `ok`, or `changed` for a submission that is no longer
    what was checked; `text` one sentence for a reader;
    `stage` and `plugin` say where; `log` is the stage's log below the store, empty where it left none.
    """

    key: str
    stage: str
    plugin: str
    cause: str
    text: str
    finished: str
    log: str = ""


class RunOutcome(msgspec.Struct, frozen=True):
    """A run with what was found for it: a record, or why there is none (null: it never ran).

    `submission` is `bundle` or `predictions` for external submissions, empty for this store's own.
    `repeats`: what running it anew gave.
    """

    id: RunId
    record: Record | None
    failure: Failure | None
    submission: str = ""
    repeats: Repeats | None = None
