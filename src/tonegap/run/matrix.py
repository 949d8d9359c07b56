"""The declared matrix of a suite: every cell a table must have, found or not.

The mistake it exists to prevent: a table over the cells that happened to finish, read as complete.
"""

import msgspec

from tonegap.run.record import EntryId, Record
from tonegap.run.repeats import Repeats


class CellId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cell of the matrix and the key its record has once it exists.

    `not_applicable` says why an entry cannot be asked this question (it needs masks, say); such a
    cell is declared empty, not missing.
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
    cells: tuple[CellId, ...]
    sheets: dict[str, str] = {}


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a stage did not finish: `failure.json` beside its log; never taken for a result.

    `cause` is one of `tonegap.engines.base.Cause`, never `ok`, or `changed` for a submission that is no longer
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


class Cell(msgspec.Struct, frozen=True):
    """A cell with what was found for it: a record, or why there is none (null: it never ran).

    `submission` is `bundle` or `predictions` for results of others, empty for this store's own.
    `repeats`: what running it anew gave.
    """

    id: CellId
    record: Record | None
    failure: Failure | None
    submission: str = ""
    repeats: Repeats | None = None
