"""Gaps under two annotations of tone, on images where both agree, and between true tones; per entry of a table.

The mistake it exists to prevent: an order of entries that rests on who labelled the tones.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tonegap.formats.record import EntryId
from tonegap.scores.evidence.entries import EntryEvidence, EvidenceRequest
from tonegap.scores.evidence.images import TestAnswers, tone_indices
from tonegap.scores.evidence.intervals import LEVEL, Interval, added_by, sample_of
from tonegap.scores.evidence.raters import Raters, corrected_gap, raters_of
from tonegap.scores.evidence.table import table_evidence
from tonegap.scores.tables import GAP
from tonegap.scores.undefined import Support, Undefined, shortage
from tonegap.tones import GROUPS, tone_group

_METRIC = "accuracy"
_N_DRAWS = 1000
FIRST, SECOND, AGREED, TRUE = "first", "second", "agreed", "true"


@dataclass(frozen=True, slots=True)
class LabelledGap:
    """The gap of accuracy under one choice of labels with its interval, the worst tone's accuracy and its rank."""

    gap: float
    interval: Interval
    worst: float
    rank: int


@dataclass(frozen=True, slots=True)
class LabelRow:
    """An entry's gap under each annotation and on agreed images; `true`: between true groups of tones, with interval.

    `moves`: its rank by worst tone is another under the second annotation.
    """

    entry: EntryId
    gaps: Mapping[str, LabelledGap]
    true: tuple[float, float, float] | None
    moves: bool


@dataclass(frozen=True, slots=True)
class ToneLabels:
    """What two annotations make of a table: images that both labelled, share alike, reliability of one; the rows.

    `undefined`: why no row has a gap under a choice of labels, or a `true` one, where a tone has too few images.
    """

    raters: Raters
    n_agreed: int
    rows: tuple[LabelRow, ...]
    undefined: Mapping[str, str]


def tone_labels(
    kept: Mapping[EntryId, Sequence[TestAnswers]],
    tones: tuple[str, ...],
    positive: tuple[str, ...],
    min_support: int,
) -> ToneLabels | None:
    """The gaps of every entry that kept answers; None where there is no second annotation, or too few such images.

    A choice of labels by which a tone has fewer than `min_support` images at any seed gives none, with the reason.
    """
    able = {e: seeds for e, seeds in kept.items() if seeds and all(s.second_tones for s in seeds)}
    if not able:
        return None
    one = next(iter(able.values()))[0]
    first, second = (tone_indices(of, GROUPS) for of in _grouped(one))
    raters = raters_of(first, second, len(GROUPS))
    if raters is None:
        return None
    asked = EvidenceRequest(positive, tones, _METRIC, everything=False, nulls=False)
    labelled = {name: _relabelled(able, name) for name in (FIRST, SECOND, AGREED)}
    in_groups = {
        e: [replace(s, tones=tuple(_grouped(s)[0])) for s in seeds] for e, seeds in able.items()
    }
    short = {name: _shortage(of, tones, min_support) for name, of in labelled.items()}
    short[TRUE] = _shortage(in_groups, GROUPS, min_support)
    undefined = {name: why.reason for name, why in short.items() if why}
    found = {
        name: _gaps(table_evidence(of, asked, _N_DRAWS))
        for name, of in labelled.items()
        if name not in undefined
    }
    by_group = {}
    if TRUE not in undefined:
        by_group = table_evidence(in_groups, replace(asked, tones=GROUPS), _N_DRAWS)
    rows = []
    for entry in able:
        gaps = {name: of[entry] for name, of in found.items() if entry in of}
        moves = len({gaps[name].rank for name in (FIRST, SECOND) if name in gaps}) > 1
        true = _true_gap(by_group[entry], raters) if entry in by_group else None
        rows.append(LabelRow(entry, gaps, true, moves))
    agreed = sum(a is not None and a == b for a, b in zip(one.tones, one.second_tones, strict=True))
    return ToneLabels(raters, agreed, tuple(rows), undefined)


def _shortage(
    entries: Mapping[EntryId, Sequence[TestAnswers]], tones: tuple[str, ...], min_support: int
) -> Undefined | None:
    """Why a tone has too few images at the seed that has the fewest of it; None if all have enough."""
    counts = [Counter(said.tones) for seeds in entries.values() for said in seeds]
    fewest = (Support(tone, "", min(n[tone] for n in counts)) for tone in tones)
    return shortage(fewest, min_support)


def _relabelled(
    entries: Mapping[EntryId, Sequence[TestAnswers]], name: str
) -> dict[EntryId, list[TestAnswers]]:
    """The same answers with the tones of one annotation, or of both where they agree."""

    def tones(said: TestAnswers) -> tuple[str | None, ...]:
        if name == FIRST:
            return said.tones
        if name == SECOND:
            return said.second_tones
        pairs = zip(said.tones, said.second_tones, strict=True)
        return tuple(one if one == other else None for one, other in pairs)

    return {e: [replace(s, tones=tones(s)) for s in seeds] for e, seeds in entries.items()}


def _grouped(said: TestAnswers) -> list[list[str | None]]:
    return [
        [None if t is None else tone_group(t) for t in of] for of in (said.tones, said.second_tones)
    ]


def _gaps(evidence: Mapping[EntryId, EntryEvidence]) -> dict[EntryId, LabelledGap]:
    """Gap, worst tone and rank of each entry whose tones all have images."""
    found = {e: of.means.means[_METRIC].point[:-1] for e, of in evidence.items()}
    found = {e: point for e, point in found.items() if np.isfinite(point).all()}
    ranked = sorted(float(point.min()) for point in found.values())[::-1]
    return {
        e: LabelledGap(
            float(np.ptp(point)),
            evidence[e].shown[_METRIC, GAP],
            float(point.min()),
            ranked.index(float(point.min())) + 1,
        )
        for e, point in found.items()
    }


def _true_gap(evidence: EntryEvidence, raters: Raters) -> tuple[float, float, float] | None:
    mean = evidence.means.means[_METRIC]
    if not np.isfinite(mean.draws[:, :-1]).all():
        return None
    added = added_by(evidence.added, _METRIC, mean, len(mean.point))
    return corrected_gap(sample_of(mean, added[:-1]), raters, LEVEL)
