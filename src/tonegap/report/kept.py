"""The answers that a store kept of a record: its predictions and the truth they were held against."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from tonegap.errors import BadOutput, BadPredictions, StoreError
from tonegap.evidence.answers import TestAnswers
from tonegap.run.outputs import find_predictions
from tonegap.run.record import Record
from tonegap.run.results import answers_of
from tonegap.run.truth import Truth, decode_truth

Answers = Callable[[Record], TestAnswers | None]


def kept_answers(store: Path, rule: str) -> Answers:
    """A function that gives a record's answers at the epoch that a rule picked.

    It gives None for a record whose predictions or truth are no longer, or never were, in this store, and
    raises StoreError for damaged ones.
    """

    @lru_cache(maxsize=16)
    def truth_named(sha256: str) -> Truth | None:
        path = store / "truth" / f"{sha256}.csv"
        try:
            return decode_truth(path.read_bytes(), sha256, str(path))
        except FileNotFoundError:
            return None

    def answers(record: Record) -> TestAnswers | None:
        truth = truth_named(record.truth_sha256) if record.truth_sha256 else None
        key = record.stages[-1].key if record.stages else ""
        folder = store / "stages" / key[:2] / key
        if truth is None or not (key and folder.is_dir()):
            return None
        try:
            return answers_of(find_predictions(folder), truth, record, rule)
        except (BadOutput, BadPredictions) as e:
            raise StoreError(f"{folder}: not what the record was made from: {e}") from None

    return answers
