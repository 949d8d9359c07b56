"""Predictions and a card (`card.toml`, checked key by key) into records.

The scorer of every run scores them, nothing else is believed. The mistake it exists to prevent: a number in a table of
which nobody can say whose it is, and how the epoch and the threshold behind it were chosen.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tonegap.declared.toml import read_toml
from tonegap.errors import BadPredictions, BadRequest, BadSuiteFolder
from tonegap.files import digest_of, sha256_bytes, sha256_file, write_atomic
from tonegap.formats.matrix import Matrix, RunId
from tonegap.formats.record import (
    SCHEMA,
    SELECTIONS,
    Circumstances,
    EntryId,
    Isolation,
    Record,
    StageId,
    encode_record,
)
from tonegap.formats.truth import PartTruth, TaskTruth, encode_truth
from tonegap.results.submissions.checks import NAME, KnownRecords
from tonegap.scores.reading import read_table
from tonegap.scores.results import Results, given_results, results_of, rules_of
from tonegap.store.layout import record_unit, stage_unit, suite_unit, truth_unit

CARD, SUITE = "card.toml", "predictions"
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(csv|parquet)")
_MOST = 300
_ELSEWHERE = Isolation("elsewhere", contained=False, network="unknown", files="unknown", limits={})


class SeedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The predictions file of one seed of the task, in the card's folder."""

    seed: int
    file: str


class SubmissionCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`card.toml` as written; see docs/submitting.md for each key.

    `selection` says what picked the epoch: `validation`, `last` or `test-oracle`. `threshold` is the one that
    the authors used for the positive event, null for the most probable class.
    """

    method: str
    baseline: str
    backbone: str
    authors: str
    contact: str
    task: str
    selection: str
    split: str
    test_labels_used: bool
    test_tones_used: bool
    predictions: tuple[SeedFile, ...]
    title: str = ""
    paper: str = ""
    code: str = ""
    notes: str = ""
    threshold: float | None = None
    stand_in: bool = False

    @property
    def label(self) -> str:
        """As people read it: the title, or the three parts of the entry."""
        return self.title or f"{self.method} + {self.baseline} ({self.backbone})"


def read_card(folder: Path) -> SubmissionCard:
    """The card of a folder. Raises BadRequest naming the first key that is not as it must be."""
    path = folder / CARD
    try:
        card = read_toml(path, SubmissionCard)
    except BadSuiteFolder as e:
        raise BadRequest(f"{e}; see docs/submitting.md") from None
    for problem in _problems(card):
        raise BadRequest(f"{path}: {problem}; see docs/submitting.md")
    return card


def _problems(card: SubmissionCard) -> Iterator[str]:
    for key in ("method", "baseline", "backbone"):
        if not NAME.fullmatch(getattr(card, key)):
            yield f"{key} is {getattr(card, key)!r}, wanted one word of letters, digits, '.', '_', '-'"
    for key in ("authors", "contact", "split", "task"):
        if not getattr(card, key).strip():
            yield f"{key} is empty"
    for key in ("title", "authors", "contact", "task", "split", "paper", "code", "notes"):
        text = getattr(card, key)
        if len(text) > _MOST or not text.isprintable():
            yield f"{key} is no single line of at most {_MOST} printable letters"
    for key in ("paper", "code"):
        if getattr(card, key) and not getattr(card, key).startswith("https://"):
            yield f"{key} is {getattr(card, key)!r}, wanted a link that begins with https://"
    yield from _choice_problems(card)
    yield from _file_problems(card)


def _choice_problems(card: SubmissionCard) -> Iterator[str]:
    if card.selection not in SELECTIONS:
        yield f"selection is {card.selection!r}, wanted one of {', '.join(SELECTIONS)}"
    elif card.test_labels_used and card.selection != "test-oracle":
        yield (
            f"test_labels_used is true and selection is {card.selection!r}: what saw the labels of test "
            'images is "test-oracle"'
        )
    if card.threshold is not None and not 0 <= card.threshold <= 1:
        yield f"threshold is {card.threshold}, wanted a probability"


def _file_problems(card: SubmissionCard) -> Iterator[str]:
    if not card.predictions:
        yield "no predictions: wanted [[predictions]] with seed and file"
    for item in card.predictions:
        if not _FILE.fullmatch(item.file):
            yield f"file is {item.file!r}, wanted the name of a .csv or .parquet beside the card"
        if item.seed < 0:
            yield f"seed is {item.seed}, wanted 0 or more"
    for what, found in (
        ("seed", [item.seed for item in card.predictions]),
        ("file", [item.file for item in card.predictions]),
    ):
        if len(set(found)) < len(found):
            yield f"a {what} is there twice; each seed has a file of its own"


@dataclass(frozen=True, slots=True)
class Scored:
    """One seed: the record, the truth it was scored against, and the file that it rests on."""

    record: Record
    truth: TaskTruth
    predictions: Path


def lay_out(
    folder: Path, card: SubmissionCard, known: KnownRecords, out: Path
) -> tuple[RunId, ...]:
    """Writes a card's records and predictions into `out` as a store; returns their runs.

    Raises BadPredictions for a file that does not have exactly the rows that the task asks for, BadRequest for a
    task that is not known here.
    """
    runs = []
    for item in card.predictions:
        scored = _score(folder, card, item, known)
        key = digest_of([scored.record.predictions_sha256, card.task, item.seed])
        _write(scored, key, out)
        runs.append(RunId(scored.record.entry, card.task, item.seed, key, control=False))
    matrix = Matrix(SUITE, card.label, tuple(runs))
    write_atomic(out / suite_unit(SUITE), msgspec.json.encode(matrix, order="sorted"))
    write_atomic(out / CARD, (folder / CARD).read_bytes())
    return tuple(runs)


def _write(scored: Scored, key: str, out: Path) -> None:
    content = encode_truth(scored.truth)
    sha256 = sha256_bytes(content)
    stage = StageId("train", "made elsewhere", key, "")
    record = msgspec.structs.replace(scored.record, stages=(stage,), truth_sha256=sha256)
    write_atomic(out / truth_unit(sha256), content)
    name = f"predictions{scored.predictions.suffix}"
    write_atomic(out / stage_unit(key) / name, scored.predictions.read_bytes())
    write_atomic(out / record_unit(key), encode_record(record))


def _score(folder: Path, card: SubmissionCard, item: SeedFile, known: KnownRecords) -> Scored:
    path = folder / item.file
    table = read_table(path)
    if "image_id" not in table.column_names:
        raise BadPredictions(f"{path}: has no column image_id; see docs/submitting.md")
    ids: frozenset[str] = frozenset(table["image_id"].unique().to_pylist())
    ours, truth = _asked(card, item.seed, ids, known)
    with_validation = not ids.isdisjoint(truth.validation.ids)
    if not with_validation:
        truth = TaskTruth(PartTruth((), (), (), ()), truth.test)
    return Scored(_record(card, item, path, ours, truth), truth, path)


def _asked(
    card: SubmissionCard, seed: int, ids: frozenset[str], known: KnownRecords
) -> tuple[Record, TaskTruth]:
    """The record and truth here whose test images are all among these ids.

    Where there is none, the first of that seed: its reader then names the images that are missing.
    """
    every = [r for r in known.of_task(card.task) if r.data.stand_in == card.stand_in]
    if not every:
        what = "stand-in" if card.stand_in else "real"
        raise BadRequest(
            f"{CARD}: stand_in: {card.task} did not run on {what} images in this store; correct it in the card, "
            "or run the task on such images first"
        )
    own_seed = [r for r in every if r.seed == seed] or every
    pairs = [(record, known.truth(record)) for record in own_seed]
    return next((p for p in pairs if ids.issuperset(p[1].test.ids)), pairs[0])


def _record(
    card: SubmissionCard, item: SeedFile, path: Path, ours: Record, truth: TaskTruth
) -> Record:
    """The record of one seed; what it says of task and data is this store's."""
    results = _results(card, path, ours, truth)
    return Record(
        schema=SCHEMA,
        entry=EntryId(card.method, card.baseline, card.backbone),
        control=False,
        method_parameters={},
        baseline_parameters={},
        task=card.task,
        seed=item.seed,
        classes=ours.classes,
        positive=ours.positive,
        tones=ours.tones,
        primary_metric=ours.primary_metric,
        selection_metric=ours.selection_metric,
        published_selection=ours.published_selection,
        min_support=ours.min_support,
        tone_at_test=card.test_tones_used,
        data=ours.data,
        partitions=ours.partitions,
        synthetic=None,
        leaks=ours.leaks,
        stages=(),
        predictions_sha256=sha256_file(path),
        scores=results.scores,
        curve=results.curve,
        circumstances=Circumstances("", {}, {}, (), _ELSEWHERE),
        cross_fit=results.cross_fit,
    )


def _results(card: SubmissionCard, path: Path, ours: Record, truth: TaskTruth) -> Results:
    """Scores under the rule of the card; under every rule where all epochs and the validation images are there."""
    rules = rules_of(ours)
    if not truth.validation.ids:
        return given_results(path, truth.test, rules, card.selection, card.threshold)
    if card.threshold is not None:
        raise BadRequest(
            f"{path}: has the validation images, on which the threshold is chosen, and {CARD} has another; leave out "
            "one of the two"
        )
    found = results_of(path, truth, rules)
    if len(found.curve) > 1:
        return found
    # One epoch: whoever left the others out made the choice.
    return Results({card.selection: found.scores[card.selection]}, found.curve)
