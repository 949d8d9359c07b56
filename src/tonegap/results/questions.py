"""Runs grouped by the question they answer: one table each.

The mistake it exists to prevent: a result on stand-in images, or under other task rules, ranked
beside real ones because both carry the task's name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tonegap.errors import BadRequest
from tonegap.formats.matrix import RunOutcome
from tonegap.formats.record import EntryId, Record
from tonegap.results.model import Axis, Question
from tonegap.scores.tables import ALL, GAP, WORST
from tonegap.tones import tone_order


@dataclass(frozen=True, slots=True)
class QuestionRuns:
    """A question (None: no run of the task has a record yet) and its runs, holes included."""

    task: str
    question: Question | None
    runs: tuple[RunOutcome, ...]


def unique_runs(runs: Sequence[RunOutcome]) -> list[RunOutcome]:
    """Each run once, though several suites may declare it.

    Raises BadRequest if a run is there twice with different keys: whose score would it have?
    """
    found: dict[tuple[str, EntryId, int], RunOutcome] = {}
    for run in runs:
        known = found.setdefault((run.id.task, run.id.entry, run.id.seed), run)
        if known.id.key != run.id.key:
            raise BadRequest(
                f"{run.id.entry.label}, {run.id.task}, seed {run.id.seed}: two runs with "
                "different content; report their suites one at a time"
            )
    return list(found.values())


def group_by_question(runs: Sequence[RunOutcome]) -> list[QuestionRuns]:
    """The runs of each question, tasks in order of appearance, real images before stand-ins, full results
    before those on a subset.

    A run without a record belongs to its entry's question; if that is unknown, to every question
    of the task, since each of their tables may lack it.
    """
    by_task: dict[str, list[RunOutcome]] = {}
    for run in runs:
        by_task.setdefault(run.id.task, []).append(run)
    return [group for task, own in by_task.items() for group in _split_task(task, own)]


def _split_task(task: str, runs: list[RunOutcome]) -> list[QuestionRuns]:
    of_entry: dict[EntryId, set[Question]] = {}
    for run in runs:
        if run.record:
            of_entry.setdefault(run.id.entry, set()).add(question_of(run.record))
    questions = sorted(set().union(*of_entry.values()), key=_order)
    if not questions:
        return [QuestionRuns(task, None, tuple(runs))]
    return [
        QuestionRuns(task, question, tuple(c for c in runs if _belongs(c, question, of_entry)))
        for question in questions
    ]


def _belongs(run: RunOutcome, question: Question, of_entry: dict[EntryId, set[Question]]) -> bool:
    if run.record:
        return question_of(run.record) == question
    return question in of_entry.get(run.id.entry, {question})


def _order(question: Question) -> tuple[bool, bool, str]:
    part = question.subset is not None or bool(question.exclusions)
    return question.stand_in, part, repr(question)


def question_of(record: Record) -> Question:
    """What a record answers, and on which data."""
    return Question(
        task=record.task,
        data_set=record.data.data_set,
        stand_in=record.data.stand_in,
        drawn=record.data.drawn,
        classes=record.classes,
        positive=record.positive,
        tones=record.tones,
        primary_metric=record.primary_metric,
        selection_metric=record.selection_metric,
        published_selection=record.published_selection,
        min_support=record.min_support,
        subset=record.data.subset,
        exclusions=tuple(f"{e.name} ({e.sha256[:12]})" for e in record.data.exclusions),
    )


def axes_of(records: Sequence[Record]) -> tuple[Axis, ...]:
    """The tone axes that records have scores on; the axis of the task's own tones first."""
    tones: dict[str, set[str]] = {}
    for record in records:
        for selected in record.scores.values():
            for axis, table in selected.tables.items():
                tones.setdefault(axis, set()).update(table.tone)
    axes = [
        Axis(name, tuple(sorted(found - {ALL, WORST, GAP}, key=tone_order)))
        for name, found in tones.items()
    ]
    own = set(records[0].tones)
    return tuple(sorted(axes, key=lambda a: (set(a.tones) != own, -len(a.tones), a.name)))
