"""Rows of a paper that runs answer: which records count, and what they say.

The mistake it exists to prevent: "agrees" for a run with another backbone, split, rule or image set.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tonegap.declared.paper import PaperColumn, PaperFile, PaperRow, PaperTable
from tonegap.formats.job import Parameter
from tonegap.formats.matrix import RunOutcome
from tonegap.formats.record import Record
from tonegap.results.answers import kept_answers
from tonegap.results.papers.tables import SCALE, unit_of
from tonegap.results.papers.verdict import Reproduced
from tonegap.scores.evidence.entries import EntryEvidence, EvidenceRequest, entry_evidence
from tonegap.scores.evidence.images import TestAnswers
from tonegap.tones import COARSE, FINE, tone_group

_NO_FILE = ("", "none")


@dataclass(frozen=True, slots=True)
class Run:
    """One seed's outcome and its answers under the row's selection rule (None: not kept)."""

    outcome: RunOutcome
    answers: TestAnswers | None


def runs_for(paper: PaperFile, outcomes: Sequence[RunOutcome], store: Path) -> dict[str, list[Run]]:
    """The runs that a row of the paper asks for, by selection rule.

    Raises StoreError for damaged predictions or truth.
    """
    rows = [row for table in paper.tables if table.kind == "scores" for row in table.rows]
    found: dict[str, list[Run]] = {}
    for rule in sorted({row.selection for row in rows}):
        own = [o for o in outcomes if any(matches(r, o) for r in rows if r.selection == rule)]
        answers = kept_answers(store, rule)
        found[rule] = [Run(o, answers(o.record) if o.record else None) for o in own]
    return found


def answered(table: PaperTable, row: PaperRow, runs: Sequence[Run]) -> list[Reproduced]:
    """The cells of a row of scores, from the runs that `matches` let through."""
    settled = _settled(row, runs)
    if settled:
        return [settled] * len(table.columns)
    records = [run.outcome.record for run in runs if run.outcome.record]
    why_not = next((why for record in records for why in differences(row, record)), "")
    found = [_value(column, row, records, table) for column in table.columns]
    if why_not:
        return [Reproduced(c.value, verdict="not comparable", why=why_not) for c in found]
    evidence = _evidence(runs, {column.tone in COARSE for column in table.columns})
    pairs = zip(found, table.columns, strict=True)
    return [_with_interval(cell, column, table, evidence) for cell, column in pairs]


def matches(row: PaperRow, outcome: RunOutcome) -> bool:
    """Whether a run is of the row's task and entry, whatever its parameters."""
    entry = outcome.id.entry
    return (
        outcome.id.task == row.task
        and (entry.method, entry.baseline) == (row.method, row.baseline)
        and row.backbone in {"", entry.backbone}
    )


def differences(row: PaperRow, record: Record) -> list[str]:
    """Why a record does not answer the row, in words; empty if it does."""
    found = []
    if record.data.stand_in:
        found.append("synthetic phantoms stand in for the paper's")
    if record.data.subset is not None:
        found.append(f"a subset of {record.data.subset:,} images was used")
    found += [exclusion.text for exclusion in record.data.exclusions]
    if record.data.missing:
        found.append(f"images are missing: {sum(record.data.missing.values())}")
    found += _other_parameters(row.parameters, record.baseline_parameters)
    return found + _other_parameters(row.method_parameters, record.method_parameters)


def _other_parameters(wanted: Mapping[str, Parameter], found: Mapping[str, Parameter]) -> list[str]:
    texts = []
    for name, value in wanted.items():
        if value == "any file":
            if found.get(name) in _NO_FILE:
                texts.append(f"{name} is none; the paper starts from pretrained weights")
        elif found.get(name) != value:
            texts.append(f"{name} is {found.get(name)!r}, the paper's is {value!r}")
    return texts


def _settled(row: PaperRow, runs: Sequence[Run]) -> Reproduced | None:
    """What can be said of a row without any score."""
    if row.not_comparable:
        return Reproduced(verdict="not comparable", why=row.not_comparable)
    if not runs:
        return Reproduced(verdict="not run", why=f"no run of {row.task} in this store")
    holes = [run.outcome.id.seed for run in runs if run.outcome.record is None]
    if holes:
        return Reproduced(verdict="not run", why=f"no record for seed {', '.join(map(str, holes))}")
    return None


def _value(
    column: PaperColumn, row: PaperRow, records: Sequence[Record], table: PaperTable
) -> Reproduced:
    """The mean over seeds of one score."""
    values = []
    for record in records:
        # The table, of all axes, that has the tone; the first for `all`, `worst` and `gap`.
        tables = record.scores[row.selection].tables.values()
        scores = next((table for table in tables if column.tone in table.tone), None)
        found = zip(scores.metric, scores.tone, scores.value, strict=True) if scores else ()
        wanted = (column.metric, column.tone)
        value = next((v for metric, tone, v in found if (metric, tone) == wanted), None)
        if value is None:
            return Reproduced(verdict="not comparable", why=f"undefined at seed {record.seed}")
        values.append(value)
    return Reproduced(SCALE[unit_of(column, table)] * sum(values) / len(values))


def _evidence(runs: Sequence[Run], by_group: Iterable[bool]) -> dict[bool, EntryEvidence]:
    """The evidence of the runs by tone group (True) and by the task's own tones (False)."""
    record = runs[0].outcome.record
    answers = [run.answers for run in runs if run.answers]
    if record is None or len(answers) < len(runs):
        return {}
    found = {}
    for grouped in by_group:
        tones, seeds = record.tones, answers
        if grouped and tones[0] in FINE:
            tones = tuple(g for g in COARSE if g in {tone_group(tone) for tone in tones})
            seeds = [
                replace(s, tones=tuple(tone_group(t) if t else None for t in s.tones))
                for s in answers
            ]
        asked = EvidenceRequest(record.positive, tones, record.primary_metric)
        found[grouped] = entry_evidence(seeds, asked)
    return found


def _with_interval(
    cell: Reproduced, column: PaperColumn, table: PaperTable, evidence: Mapping[bool, EntryEvidence]
) -> Reproduced:
    of_axis = evidence.get(column.tone in COARSE)
    interval = of_axis and of_axis.network_intervals.get((column.metric, column.tone))
    if cell.value is None or not interval:
        return cell
    if interval.low is None or interval.high is None:
        # Without an interval of the value, neither "agrees" nor "differs" can be said of it.
        return Reproduced(cell.value, verdict="not comparable", why=interval.reason or "")
    scale = SCALE[unit_of(column, table)]
    return Reproduced(cell.value, scale * interval.low, scale * interval.high)
