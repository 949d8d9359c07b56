"""Computes what a table's numbers support: intervals, significant differences, tie groups and null gaps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.formats.record import EntryId
from tonegap.results.answers import AnswersOf
from tonegap.results.comparable import reference_of
from tonegap.results.model import LeaderboardTable, Row
from tonegap.results.pairs import TablePairs, score_of, table_pairs
from tonegap.results.tone_labels import ToneLabels, tone_labels
from tonegap.results.truths import contradiction
from tonegap.scores.evidence.comparing import Paired, compare_entries, compare_networks, holm_steps
from tonegap.scores.evidence.entries import EntryEvidence, EvidenceRequest
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.nulls import WITHIN_CLASS, NullName
from tonegap.scores.evidence.parity import Parity
from tonegap.scores.evidence.seeds import SeedVariance
from tonegap.scores.evidence.table import pooled_evidence, table_evidence
from tonegap.scores.evidence.tie_groups import tie_groups
from tonegap.scores.tables import ALL, GAP, WORST, metric_named

_SCORES = (ALL, WORST, GAP)


@dataclass(frozen=True, slots=True)
class Change:
    """A difference from the reference, of the methods: its p-value, corrected for all changes of the table.

    `low` to `high` is the interval at the level that the change is tested at (Holm): it leaves 0 out just where `p` is
    below 5 %. `paired` is the difference by itself, with an interval and a p of its own.
    """

    paired: Paired
    p: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NetworkChange:
    """A difference from the reference of the networks that were trained, with its 95 % interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RowClaims:
    """What the test images say of one row, in the metric that ranks.

    `tie_group` numbers the entries that are statistically tied with the best among them; None for a row that is not
    ranked. `intervals` (of the method, over images and training seeds), `network_intervals` (of the networks that were
    trained) and `changes` have `all`, and `worst` and `gap` where the metric has them; `network_changes` are the
    networks' differences. Of an entry that was trained once there is no interval of the method and no change.
    `seed_spread`: the standard deviation over training seeds of `all` and of each tone, pooled over the entries of the
    table; None: trained once.
    `nulls` has all scores at parity; `evidence` is what all this was taken from.
    """

    row: Row
    tie_group: int | None
    intervals: Mapping[str, Interval]
    changes: Mapping[str, Change]
    parity: Parity | None
    parity_within: Parity | None
    minimum_detectable_difference: float | None
    network_intervals: Mapping[str, Interval]
    network_changes: Mapping[str, NetworkChange]
    seed_spread: Mapping[str, float | None]
    nulls: Mapping[NullName, Parity]
    evidence: EntryEvidence

    @property
    def trained_once(self) -> bool:
        """Whether nothing says how another training run would differ."""
        return len(self.row.records) < 2

    @property
    def shown(self) -> Mapping[str, Interval]:
        """The intervals that a page shows: the method's, of an entry that was trained once the network's."""
        return self.network_intervals if self.trained_once else self.intervals


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one table. `without` names rows that kept no answers; `alarms` concern controls.

    `contradictions`: records whose scores by tone are not those of their own predictions and truth. `n_left`
    rows of a long table were not looked at; `pairs`: None with fewer than two entries. `seeds`: by how much training
    seeds differ, from all entries with two or more; None without any. `labels`: gaps under two annotations of tone.
    """

    table: LeaderboardTable
    rows: tuple[RowClaims, ...]
    without: tuple[str, ...]
    positives: Mapping[str, tuple[int, int]]
    alarms: tuple[str, ...]
    contradictions: tuple[str, ...] = ()
    n_left: int = 0
    pairs: TablePairs | None = None
    seeds: SeedVariance | None = None
    labels: ToneLabels | None = None

    def n_tied(self, row: RowClaims) -> int:
        """How many rows are in the tie group of one of them, itself counted; 0 for a row that is not ranked."""
        return sum(r.tie_group == row.tie_group for r in self.rows if r.tie_group is not None)


def claims_of(
    tables: Iterable[LeaderboardTable], settings: LeaderboardSettings, answers: AnswersOf
) -> tuple[Claims, ...]:
    """The claims of every table that has any."""
    found = (table_claims(table, settings, answers) for table in tables)
    return tuple(claims for claims in found if claims is not None)


def table_claims(
    table: LeaderboardTable, settings: LeaderboardSettings, answers: AnswersOf
) -> Claims | None:
    """The claims of one table; None where no row kept its answers."""
    if table.question is None:
        return None
    tones, metric = table.tones(table.ranked[1]), table.ranked[2]
    asked = EvidenceRequest(table.question.positive, tones, metric, everything=False, compared=True)
    looked_at = _looked_at(table, settings.n_compared)
    kept = {row.entry: _kept(row, answers) for row in looked_at}
    evidence, seeds = _evidence(table, kept, asked)
    if not evidence:
        return None
    pairs = _against_reference(table, evidence, settings)
    changes = _changes(pairs, evidence, {row.entry: _defined(table, row) for row in looked_at})
    groups = _tie_groups(table, settings, evidence)
    rows = tuple(
        _row(
            row,
            evidence[row.entry],
            groups,
            changes,
            _networks(row.entry, pairs, evidence),
            table,
        )
        for row in looked_at
        if row.entry in evidence
    )
    one = next(of_seeds for of_seeds in kept.values() if of_seeds)
    return Claims(
        table=table,
        rows=rows,
        without=tuple(r.entry.label for r in looked_at if r.entry not in evidence),
        positives=_positives(one, asked),
        alarms=tuple(_alarmed(table.controls, kept, evidence, settings)),
        contradictions=tuple(_contradictions(table, kept, settings.selection)),
        n_left=len(table.all_rows) - len(looked_at),
        pairs=table_pairs(table, evidence),
        seeds=seeds,
        labels=tone_labels(
            {row.entry: kept[row.entry] for row in looked_at if not row.control},
            tones,
            table.question.positive,
            table.question.min_support,
        ),
    )


def _evidence(
    table: LeaderboardTable, kept: Mapping[EntryId, Sequence[TestAnswers]], asked: EvidenceRequest
) -> tuple[dict[EntryId, EntryEvidence], SeedVariance | None]:
    """The evidence of each entry that kept answers. Controls may hardly depend on seeds: each stands for itself."""
    able = {entry: seeds for entry, seeds in kept.items() if seeds}
    controls = {row.entry for row in table.controls}
    found, seeds = pooled_evidence({e: s for e, s in able.items() if e not in controls}, asked)
    for entry in able.keys() & controls:
        found |= table_evidence({entry: able[entry]}, asked)
    return found, seeds


def _looked_at(table: LeaderboardTable, n_compared: int) -> tuple[Row, ...]:
    """The first rows of a table, the references, wherever they stand, and the first controls."""
    first = table.rows[:n_compared]
    references = [row for row in table.rows[n_compared:] if "reference" in row.marks]
    return (*first, *references, *table.controls[:n_compared])


def _kept(row: Row, answers: AnswersOf) -> list[TestAnswers]:
    """The answers of every seed of a row; none if a seed lacks a record or kept none."""
    found = [answers(s.record) if s.record else None for s in row.seeds]
    complete = [a for a in found if a is not None]
    return complete if len(complete) == len(found) else []


def _contradictions(
    table: LeaderboardTable, kept: Mapping[EntryId, Sequence[TestAnswers]], rule: str
) -> Iterable[str]:
    for row in table.all_rows:
        for record, said in zip(row.records, kept.get(row.entry, ()), strict=False):
            problem = contradiction(record, said, rule)
            if problem:
                yield problem


def _row(
    row: Row,
    evidence: EntryEvidence,
    groups: Mapping[EntryId, int],
    changes: Mapping[tuple[EntryId, str], Change],
    network_changes: Mapping[str, NetworkChange],
    table: LeaderboardTable,
) -> RowClaims:
    """Of a score that the row does not have, for want of support, there is no claim."""
    metric, defined = table.ranked[2], _defined(table, row)

    def of_metric(found: Mapping[tuple[str, str], Interval]) -> dict[str, Interval]:
        return {s: found[metric, s] for s in _SCORES if s in defined and (metric, s) in found}

    return RowClaims(
        row=row,
        tie_group=groups.get(row.entry),
        intervals=of_metric(evidence.intervals),
        changes={s: changes[row.entry, s] for s in _SCORES if (row.entry, s) in changes},
        parity=evidence.parity if GAP in defined else None,
        parity_within=evidence.nulls.get((metric, GAP, WITHIN_CLASS)) if GAP in defined else None,
        minimum_detectable_difference=evidence.minimum_detectable_difference
        if GAP in defined
        else None,
        network_intervals=of_metric(evidence.network_intervals),
        network_changes={s: c for s, c in network_changes.items() if s in defined},
        seed_spread={tone: v for (m, tone), v in evidence.seed_spread.items() if m == metric},
        nulls={
            name: null
            for name, null in evidence.nulls.items()
            if (*table.ranked[:2], name[0]) not in row.views
            or _is_defined(table, row, name[0], name[1])
        },
        evidence=replace(evidence, scores=None),
    )


def _against_reference(
    table: LeaderboardTable,
    evidence: Mapping[EntryId, EntryEvidence],
    settings: LeaderboardSettings,
) -> dict[EntryId, EntryId]:
    """The reference of each entry that has one to be compared with, on the same images."""
    pairs: dict[EntryId, EntryId] = {}
    for row in table.rows:
        against = reference_of(row.entry, settings.reference, evidence.keys())
        if row.entry not in evidence or against is None or against == row.entry:
            continue
        if evidence[row.entry].drawn.images == evidence[against].drawn.images:
            pairs[row.entry] = against
    return pairs


def _defined(table: LeaderboardTable, row: Row) -> frozenset[str]:
    """Which of a row's scores in the metric that ranks are defined: below the minimum support one is not."""
    metric = table.ranked[2]
    return frozenset(s for s in _SCORES if row.views and _is_defined(table, row, metric, s))


def _is_defined(table: LeaderboardTable, row: Row, metric: str, score: str) -> bool:
    return not np.isnan(score_of(row, table, (metric, score)))


def _changes(
    pairs: Mapping[EntryId, EntryId],
    evidence: Mapping[EntryId, EntryEvidence],
    defined: Mapping[EntryId, frozenset[str]],
) -> dict[tuple[EntryId, str], Change]:
    """Each entry against its reference, corrected over the entries of the table and over the scores."""
    found = {
        (entry, score): paired
        for entry, against in pairs.items()
        for score in _SCORES
        if score in defined[entry] & defined[against]
        and (paired := compare_entries(evidence[entry].drawn, evidence[against].drawn, score))
    }
    corrected, times = holm_steps(np.array([paired.p for paired in found.values()]))
    return {
        name: Change(paired, float(p), *paired.at_level_of(float(n)))
        for (name, paired), p, n in zip(found.items(), corrected, times, strict=True)
    }


def _networks(
    entry: EntryId, pairs: Mapping[EntryId, EntryId], evidence: Mapping[EntryId, EntryEvidence]
) -> dict[str, NetworkChange]:
    """The change of an entry's networks against those of the reference: its interval, score by score."""
    if entry not in pairs:
        return {}
    one, other = evidence[entry].drawn, evidence[pairs[entry]].drawn
    found = {score: compare_networks(one, other, score) for score in _SCORES}
    return {s: NetworkChange(p.difference, p.low, p.high) for s, p in found.items() if p}


def _tie_groups(
    table: LeaderboardTable,
    settings: LeaderboardSettings,
    evidence: Mapping[EntryId, EntryEvidence],
) -> dict[EntryId, int]:
    """Tie groups of the ranked rows that kept answers, by the score that ranks."""
    score = WORST if settings.by_worst(table.ranked[2]) else ALL
    ranked = [r.entry for r in table.rows if r.rank is not None and r.entry in evidence]
    larger = metric_named(table.ranked[2]).larger_is_better
    groups = tie_groups([evidence[entry].drawn for entry in ranked], score, larger)
    return dict(zip(ranked, groups, strict=True))


def _positives(seeds: Sequence[TestAnswers], asked: EvidenceRequest) -> dict[str, tuple[int, int]]:
    """How many positive images of each tone stand behind a gap, fewest and most of a seed; none without an event."""
    if not asked.positive:
        return {}
    hits = [
        [t for t, y in zip(answers.tones, answers.labels, strict=True) if y in asked.positive]
        for answers in seeds
    ]
    counts = {tone: [found.count(tone) for found in hits] for tone in asked.tones}
    return {tone: (min(found), max(found)) for tone, found in counts.items()}


def _alarmed(
    controls: Sequence[Row],
    kept: Mapping[EntryId, Sequence[TestAnswers]],
    evidence: Mapping[EntryId, EntryEvidence],
    settings: LeaderboardSettings,
) -> Iterable[str]:
    """Controls that should know nothing and score above the share of the most frequent class."""
    for row in controls:
        if row.entry not in evidence or row.entry.method != settings.reference.method:
            continue  # a method that serves as a control may know as much as the reference
        interval = evidence[row.entry].network_intervals["accuracy", ALL]
        largest = float(np.mean([np.bincount(a.y).max() / len(a.y) for a in kept[row.entry]]))
        if interval.low is not None and interval.low > largest:
            yield (
                f"the control {row.entry.label} is right for more images than the most frequent class "
                f"has ({100 * interval.low:.1f} % at least, against {100 * largest:.1f} %): something leaks"
            )
