"""From runs to leaderboards, one table per question.

Pure: no file, no clock. The mistake it exists to prevent: a rank for an entry whose score is
missing, undefined, on other data, or picked on the test set.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.formats.matrix import RunOutcome
from tonegap.formats.record import SELECTIONS, EntryId
from tonegap.results.answers import AnswersOf
from tonegap.results.board import Leaderboard
from tonegap.results.comparable import (
    compare,
    incomparable,
    listed,
    marks_of,
    other_data,
    other_seeds,
    reference_of,
    runs_by_entry,
    seed_results,
)
from tonegap.results.model import (
    Axis,
    Comparison,
    Difference,
    Hole,
    LeaderboardTable,
    Mean,
    MeanScores,
    NotApplicable,
    Row,
    SeedResult,
    View,
)
from tonegap.results.questions import QuestionRuns, axes_of, group_by_question, unique_runs
from tonegap.results.ranking import RankingRequest, rank_rows
from tonegap.results.seeds import cross_fitted, difference, scores_by_seed, scores_over_seeds

ViewKey = tuple[str, str, str]
AllScores = Mapping[ViewKey, MeanScores]
Gains = Mapping[tuple[str, str], Mean]
_ORACLE = "test-oracle"
_NO_ORACLE = Difference(None, (), "validation or test-oracle scores are not in the records")


def leaderboard(
    runs: Sequence[RunOutcome],
    settings: LeaderboardSettings,
    answers: AnswersOf | None = None,
    contested: Mapping[str, str] = MappingProxyType({}),
) -> Leaderboard:
    """The tables of all runs, one per question, with what is missing from them.

    `answers` are what noise is measured by where tones have few images; without them scores rank as measured.
    `contested`: tasks of which nothing is ranked, and why.

    Raises BadRequest if two runs of one entry, task and seed have different content.
    """
    declared = unique_runs(runs)
    applicable = [c for c in declared if c.record or c.id.not_applicable is None]
    holes = [
        Hole(c.id.entry, c.id.task, c.id.seed, c.failure) for c in applicable if c.record is None
    ]
    apart = [
        NotApplicable(c.id.entry, c.id.task, c.id.seed, c.id.not_applicable)
        for c in declared
        if c.record is None and c.id.not_applicable is not None
    ]
    tables = tuple(
        _table(group, settings, answers, contested.get(group.task))
        for group in group_by_question(applicable)
    )
    return Leaderboard(settings, tables, tuple(holes), tuple(apart), len(applicable))


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all rows of a table share."""

    axes: tuple[Axis, ...]
    metrics: tuple[str, ...]
    settings: LeaderboardSettings

    @property
    def ranked(self) -> ViewKey:
        axis = self.axes[0].name if self.axes else ""
        return self.settings.selection, axis, self.metrics[0]


def _table(
    group: QuestionRuns,
    settings: LeaderboardSettings,
    answers: AnswersOf | None,
    unranked: str | None,
) -> LeaderboardTable:
    question = group.question
    records = [c.record for c in group.runs if c.record]
    axes = axes_of(records) if records else ()
    primary = question.primary_metric if question else settings.metrics[0]
    others = tuple(m for m in settings.metrics if m != primary)
    frame = _Frame(axes, (primary, *others), settings)
    rows = _rows(group, frame)
    if unranked:
        rows = [row if row.control else replace(row, unranked=unranked) for row in rows]
    tones = next((a.tones for a in axes if a.name == frame.ranked[1]), ())
    asked = RankingRequest(
        question.positive if question else (), frame.ranked, tones, settings, answers
    )
    # What guessing every class equally often scores, where that needs no look at the data.
    chance = {}
    if question:
        chance = dict.fromkeys(("accuracy", "balanced_accuracy"), 1 / len(question.classes))
        chance["auc"] = 0.5
    ranked, ranking = rank_rows([row for row in rows if not row.control], asked)
    return LeaderboardTable(
        task=group.task,
        question=question,
        axes=axes,
        metrics=frame.metrics,
        ranked=frame.ranked,
        rows=ranked,
        controls=tuple(row for row in rows if row.control),
        chance=chance,
        ranking=ranking,
    )


def _rows(group: QuestionRuns, frame: _Frame) -> list[Row]:
    by_entry = runs_by_entry(group.runs)
    seeds = {entry: seed_results(runs) for entry, runs in by_entry.items()}
    found = {entry: _all_scores(results, frame) for entry, results in seeds.items()}
    scores = {entry: own for entry, (own, _) in found.items()}
    gains = {entry: of for entry, (_, of) in found.items()}
    elsewhere, other = other_data(seeds), other_seeds(by_entry)
    reference = frame.settings.reference
    rows = []
    for entry, runs in by_entry.items():
        against = reference_of(entry, reference, scores.keys())
        control = runs[0].id.control
        why_not = _why_incomparable(entry, against, seeds, elsewhere)
        views = _views(scores, gains[entry], entry, entry if control else against, why_not)
        marks = marks_of(seeds[entry], control, entry in elsewhere, runs[0].submission)
        marks += ("other seeds",) if entry in other else ()
        if entry == against:
            marks = ("reference", *marks)
        rows.append(Row(entry, control, seeds[entry], marks, views, None, other.get(entry)))
    return rows


def _all_scores(results: Sequence[SeedResult], frame: _Frame) -> tuple[AllScores, Gains]:
    """The scores of an entry's seeds in every view, and the cross-fitted gain of each axis and metric."""
    seeds = [r.seed for r in results if r.record]
    records = [r.record for r in results if r.record]
    if not records:
        return {}, {}
    gains = {
        (axis.name, metric): mean
        for axis in frame.axes
        for metric, mean in cross_fitted(records, axis.name, frame.metrics, seeds).items()
    }
    found: dict[ViewKey, MeanScores] = {}
    for selection in SELECTIONS:
        for axis in frame.axes:
            by_seed = scores_by_seed(records, selection, axis.name)
            for metric in frame.metrics:
                key = selection, axis.name, metric
                found[key] = scores_over_seeds(by_seed, seeds, metric, axis)
    return found, gains


def _views(
    scores: Mapping[EntryId, AllScores],
    gains: Gains,
    entry: EntryId,
    against: EntryId | None,
    why_not: str | None,
) -> dict[ViewKey, View]:
    """What a row says in every view; one that is counted from itself has no comparison."""
    own = scores[entry]
    reference = scores[against] if against and not why_not else {}

    def view(key: ViewKey) -> View:
        comparison: Comparison | None = None
        if entry != against and why_not:
            comparison = incomparable(own[key], why_not)
        elif entry != against:
            comparison = compare(own[key], reference[key])
        oracle, validation = (own.get((rule, *key[1:])) for rule in (_ORACLE, "validation"))
        gap = _NO_ORACLE
        if oracle and validation:
            gap = difference(oracle.overall, validation.overall)
        return View(own[key], comparison, gap, gains[key[1:]])

    return {key: view(key) for key in own}


def _why_incomparable(
    entry: EntryId,
    against: EntryId | None,
    seeds: Mapping[EntryId, Sequence[SeedResult]],
    elsewhere: Collection[EntryId],
) -> str | None:
    """Why an entry cannot be paired with its reference by seed; None if it can."""
    if against is None:
        return "no reference entry"
    if entry in elsewhere or against in elsewhere:
        return "it and the reference did not run on the same data"
    mine, theirs = ([r.seed for r in seeds[e] if r.record] for e in (entry, against))
    if mine == theirs:
        return None
    return f"finished seeds ({listed(mine)}) are not those of the reference ({listed(theirs)})"
