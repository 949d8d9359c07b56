"""The answers that a store kept of a record: its predictions and the truth they were held against."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec

from tonegap.errors import BadOutput, BadPredictions, StoreError
from tonegap.files import is_there, sha256_file
from tonegap.formats.record import Record
from tonegap.formats.truth import TaskTruth, decode_truth, truth_place
from tonegap.run.outputs import find_predictions
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.predictions import Labelled
from tonegap.scores.results import answers_of, epochs_of
from tonegap.store.layout import SUBMISSIONS, stage_unit, truth_unit
from tonegap.store.marks import first_truth
from tonegap.store.seals import AGAIN, read_sealed

AnswersOf = Callable[[Record], TestAnswers | None]
Truths = Callable[[Record], TaskTruth | None]
Epochs = Callable[[Record], tuple[Labelled, Labelled] | None]
T = TypeVar("T")


def kept_answers(store: Path, rule: str) -> AnswersOf:
    """A function that gives a record's answers at the epoch that a rule picked.

    It gives None for a record whose predictions or truth are no longer, or never were, in this store, and
    raises StoreError for damaged ones.
    """
    kept = _kept(store, lambda path, truth, record: answers_of(path, truth, record, rule))
    # Predictions made elsewhere come with the scores of the one rule that their epoch was picked by.
    return lambda record: kept(record) if rule in record.scores else None


def remembered(answers: AnswersOf) -> AnswersOf:
    """The same answers, each read once for as long as the function lives."""
    found: dict[tuple[object, ...], TestAnswers | None] = {}

    def remember(record: Record) -> TestAnswers | None:
        key = record.entry, record.task, record.seed, record.predictions_sha256, record.truth_sha256
        if key not in found:
            found[key] = answers(record)
        return found[key]

    return remember


def kept_epochs(store: Path) -> Epochs:
    """A function that gives what a record's entry said of validation and test images in every epoch.

    None and StoreError as in `kept_answers`.
    """
    return _kept(store, lambda path, truth, record: epochs_of(path, truth, record.classes))


def kept_truths(store: Path) -> Truths:
    """A function that gives the truth a record was scored against; None and StoreError as in `kept_answers`."""

    @lru_cache(maxsize=16)
    def truth_named(home: Path, sha256: str) -> TaskTruth | None:
        unit = truth_unit(sha256)
        content = read_sealed(home, unit)
        return None if content is None else decode_truth(content, sha256, str(home / unit))

    def truth_of(record: Record) -> TaskTruth | None:
        home, _ = _home_of(store, record)
        return truth_named(home, record.truth_sha256) if record.truth_sha256 else None

    return truth_of


def first_truths(store: Path) -> Truths:
    """A function that gives the truth that a record's task had when it first ran in a store at that seed.

    None where that was not kept.
    """
    truth_of = kept_truths(store)

    def first_of(record: Record) -> TaskTruth | None:
        sha256 = first_truth(store, truth_place(record.task, record.seed, record.data))
        if sha256 is None:
            return None
        return truth_of(msgspec.structs.replace(record, stages=(), truth_sha256=sha256))

    return first_of


def _home_of(store: Path, record: Record) -> tuple[Path, str]:
    """The folder laid out as a store that a record's stages lie in, and the last one's key there.

    A key `ID:KEY` is one of a submission.
    """
    key = record.stages[-1].key if record.stages else ""
    submission, _, own = key.rpartition(":")
    return (store / SUBMISSIONS / submission, own) if submission else (store, key)


@lru_cache(maxsize=1 << 16)
def _sha256_of(path: Path, _size: int, _mtime_ns: int) -> str:
    """A file's SHA-256, taken once as long as it does not change: several pages read the same predictions."""
    return sha256_file(path)


def _kept(
    store: Path, read: Callable[[Path, TaskTruth, Record], T]
) -> Callable[[Record], T | None]:
    """What `read` makes of a record's predictions file, the truth and the record."""
    truth_of = kept_truths(store)

    def kept(record: Record) -> T | None:
        truth = truth_of(record)
        home, key = _home_of(store, record)
        folder = home / stage_unit(key)
        if truth is None or not key or not is_there(folder):
            return None
        try:
            path = find_predictions(folder)
            if _sha256_of(path, path.stat().st_size, path.stat().st_mtime_ns) != (
                record.predictions_sha256
            ):
                raise BadOutput(f"{path.name} has another SHA-256")
            return read(path, truth, record)
        except (BadOutput, BadPredictions, OSError) as e:
            raise StoreError(f"{folder}: not what the record was made from: {e}; {AGAIN}") from None

    return kept
