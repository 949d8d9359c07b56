"""Ranks of a table's rows, by the score that its images can carry.

The mistake it exists to prevent: a rank for an entry whose score is missing, undefined or on other data, and a rank
that the luck of twenty images decides.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.results.answers import AnswersOf
from tonegap.results.comparable import ROUNDING
from tonegap.results.half_precision import half_checked
from tonegap.results.model import MARKS, Ranking, Row, Shrunken
from tonegap.results.shrinkage import noise_by_tone, shrink
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.tone_draws import tone_draws
from tonegap.scores.tables import ALL, WORST, metric_named

SHRUNKEN = "shrunken_worst"
OTHERS = "external predictions"
_TOLD = "tone at test"
_NEVER = ("other data", "mixed")


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """What is ranked: event classes, the view (selection, axis, metric), tones of the axis, the report's choices.

    `answers` gives what a record's entry said of each test image; None: nobody kept any.
    """

    positive: tuple[str, ...]
    view: tuple[str, str, str]
    tones: tuple[str, ...]
    settings: LeaderboardSettings
    answers: AnswersOf | None


def rank_rows(rows: Sequence[Row], asked: RankingRequest) -> tuple[tuple[Row, ...], Ranking]:
    """Ranked rows from best to worst (equal scores share a rank), then the others by name; and what they rank by.

    The order in which the rows come changes nothing.
    """
    able, unable, ranking = _by_score(rows, asked)
    places = {row.entry: place for place, row in able if OTHERS not in row.marks}
    checked = half_checked(rows, lambda row: places.get(row.entry))
    if any(one is not other for one, other in zip(checked, rows, strict=True)):
        return rank_rows(checked, asked)  # what the others rank by may change without them
    own = [place for place, row in able if OTHERS not in row.marks]
    ranked = [replace(r, rank=own.index(p) + 1) for p, r in able if OTHERS not in r.marks]
    for place, row in able:
        if OTHERS in row.marks:
            rank = f"rank {1 + sum(other < place for other in own)} of {len(own) + 1}"
            why = f"predictions made elsewhere: by its score it would be {rank}"
            unable.append(replace(row, unranked=why))
    return (*ranked, *sorted(unable, key=lambda row: row.entry)), ranking


def _by_score(
    rows: Sequence[Row], asked: RankingRequest
) -> tuple[list[tuple[int, Row]], list[Row], Ranking]:
    """Rows with the place of what ranks them, best first; the rows without any; and what it is."""
    able: list[tuple[int, Row]] = []
    unable: list[Row] = []
    for row in rows:
        score, why = _measured(row, asked)
        if score is None:
            unable.append(replace(row, unranked=why))
        else:
            able.append((_place(score, asked), row))
    able.sort(key=lambda pair: (pair[0], pair[1].entry))
    shrunken, ranking = _shrunken([row for _, row in able], asked)
    if ranking.by == SHRUNKEN:
        able = [(_place(row.shrunken.worst, asked), row) for row in shrunken if row.shrunken]
        able.sort(key=lambda pair: (pair[0], pair[1].entry))
    else:
        able = [(place, row) for (place, _), row in zip(able, shrunken, strict=True)]
    return able, unable, ranking


def _place(score: float, asked: RankingRequest) -> int:
    """Where a score stands: a smaller number is better, and a difference of rounding alone is a tie."""
    better = 1 if metric_named(asked.view[2]).larger_is_better else -1
    return -better * round(score / ROUNDING)


def _measured(row: Row, asked: RankingRequest) -> tuple[float | None, str | None]:
    """The score that ranks an entry, as measured, or None and why it has no rank."""
    holes = [s.hole for s in row.seeds if s.hole]
    if holes:
        causes = Counter(hole.cause for hole in holes)
        listed = ", ".join(f"{n} {cause}" for cause, n in causes.items())
        return None, f"{len(holes)} of {len(row.seeds)} seeds missing ({listed})"
    if row.unranked:
        return None, row.unranked
    for mark in _NEVER:
        if mark in row.marks:
            return None, MARKS[mark].removesuffix("; not ranked")
    if _TOLD in row.marks and not asked.settings.ranks_told:
        return None, f"{MARKS[_TOLD]}, and this report ranks without those (ranks_told = false)"
    view = row.views.get(asked.view)
    if view is None:
        return None, "its records have no scores"
    by_worst = asked.settings.rank_by == "worst" and view.scores.worst
    score = by_worst or view.scores.overall
    return score.value, f"undefined: {score.reason}"


def _shrunken(rows: Sequence[Row], asked: RankingRequest) -> tuple[list[Row], Ranking]:
    """The rows with their shrunken scores where there are any, and by which score they rank."""
    if not asked.settings.by_worst(asked.view[2]) or not rows:
        return list(rows), Ranking(WORST if asked.settings.by_worst(asked.view[2]) else ALL)
    few = _few_images(rows, asked)
    pool = np.array([OTHERS not in row.marks for row in rows])
    noise = _noise([row for row, own in zip(rows, pool, strict=True) if own], asked)
    if isinstance(noise, str):
        return list(rows), Ranking(WORST, f"{few}; as measured, since {noise}" if few else "")
    tones = [row.views[asked.view].scores.tones for row in rows]
    scores = np.array([[tone.value for tone in of_row] for of_row in tones], dtype=np.float64)
    found = shrink(scores, noise, pool)
    shrunken = np.clip(found.scores, 0.0, 1.0)  # a sum of means may lie beyond what a share can be
    worst = np.min if metric_named(asked.view[2]).larger_is_better else np.max
    made = [
        replace(
            row,
            shrunken=Shrunken(
                tuple(own.tolist()),
                float(worst(own)),
                tuple(t for t, y in zip(asked.tones, own.tolist(), strict=True) if y == worst(own)),
            ),
        )
        for row, own in zip(rows, shrunken, strict=True)
    ]
    return made, Ranking(SHRUNKEN if few else WORST, few, tuple(found.believed.tolist()))


def _few_images(rows: Sequence[Row], asked: RankingRequest) -> str:
    """Which tones have fewer test images than a rank by one tone needs; empty if none has."""
    wanted = asked.settings.min_rank_support
    fewest = [
        min(row.views[asked.view].scores.tones[i].n_low for row in rows)
        for i in range(len(asked.tones))
    ]
    few = [f"{tone} has {n}" for tone, n in zip(asked.tones, fewest, strict=True) if n < wanted]
    return f"{', '.join(few)} test images, fewer than {wanted}" if few else ""


def _noise(rows: Sequence[Row], asked: RankingRequest) -> FloatArray | str:
    """The noise of each tone's score, [tones], from the entries that kept their answers; or why it is not known."""
    if len(rows) < 2:
        return "one entry alone has nothing to be shrunk towards"
    if len(asked.tones) < 2:
        return "there is one tone only"
    kept: list[list[TestAnswers]] = []
    for row in rows[: asked.settings.n_compared] if asked.answers else ():
        every = [said for r in row.records if asked.answers and (said := asked.answers(r))]
        if every and len(every) == len(row.records):
            kept.append(every)
    alike = [seeds for seeds in kept if [s.ids for s in seeds] == [s.ids for s in kept[0]]]
    if len(alike) < 2:
        return "fewer than two entries kept their predictions, and how much of a score is noise is not known"
    found = [tone_draws(s, asked.positive, asked.tones, asked.view[2]) for s in alike]
    draws = [drawn for drawn in found if drawn is not None]
    noise = noise_by_tone(draws) if draws else None
    return "it is undefined in too many resamples of so few images" if noise is None else noise
