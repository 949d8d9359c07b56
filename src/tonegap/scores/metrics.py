"""Predictions with truth into the table of scores: every tone, all, the worst tone, the gap.

The mistake it exists to prevent: an undefined score that counts as 0, or silently drops out of a
gap. A gap over the tones that happen to be defined would reward a test set with holes, so one
undefined tone makes `worst` and `gap` undefined. A score is looked at only where everything that its formula
divides by reaches `min_support`.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from tonegap.arrays import FloatArray, IntArray
from tonegap.errors import BadRequest
from tonegap.lines import first_few
from tonegap.scores.by_fairlearn import check_by_fairlearn
from tonegap.scores.counts import Counts, answers, count_once
from tonegap.scores.evidence.images import tone_indices
from tonegap.scores.formulas import gap, metric_values
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, GAP, METRICS, WORST, Metric, Score, ScoreTable, metric_named
from tonegap.scores.undefined import Support, Undefined, over_tones, shortage
from tonegap.tones import tone_order

Held = Literal["framed", "by tone", "not"]
NO_EVENT = "no positive class is declared; pass --positive"


def score_table(
    p: FloatArray,
    y: IntArray,
    tones: Sequence[str | None],
    rules: ScoringRules,
    *,
    held: Held = "framed",
) -> ScoreTable:
    """Every metric of one epoch's predictions, per tone and between tones, in METRICS' order.

    `p` [n, k] are probabilities, `y` [n] indexes `rules.classes`, `tones` [n] has None for unknown.
    Images of unknown tone count in `all` only. `held` against fairlearn, which takes most of the time: by its
    MetricFrame or by its functions; or not, where nothing of a tone is kept. Raises BadRequest if an image has a tone
    that is not among `rules.tones`.
    """
    scored = tones_to_score(tones, rules)
    tone = tone_indices(tones, scored)
    said = answers(p, y, rules)
    counts = count_once(y, tone, len(scored), said)
    values = metric_values(counts, bool(rules.positive), between=len(scored) > 1)
    if held != "not":
        check_by_fairlearn(values, y, tone, said, framed=held == "framed")
    found: list[Score] = []
    for metric in METRICS:
        own = values[metric.name][0] if metric.name in values else np.full(len(scored) + 1, np.nan)
        scores = _of_tones if metric.per_tone else _between_tones
        found += scores(metric, own, scored, counts, rules)
    return ScoreTable(tuple(found))


def tones_to_score(
    tones: Sequence[str | None], rules: ScoringRules, where: str = ""
) -> tuple[str, ...]:
    """The tones of a table, light to dark.

    Raises BadRequest, its words after `where`, for images of a tone that is not to be scored.
    """
    found = sorted({tone for tone in tones if tone is not None}, key=tone_order)
    if rules.tones is None:
        return tuple(found)
    others = [tone for tone in found if tone not in rules.tones]
    if others:
        raise BadRequest(
            f"{where}images have the tones {', '.join(others)}, which are not among the tones to score "
            f"({', '.join(rules.tones)}); leaving them out would hide a gap"
        )
    return rules.tones


def lacking(metric: str, tone: str, y: IntArray, rules: ScoringRules) -> Undefined | None:
    """Why a metric cannot be had from a tone's images of these classes [n], whatever is predicted; None if it can."""
    as_if_known = np.eye(len(rules.classes))[y]
    of_no_tone = np.full(len(y), -1)
    counts = count_once(y, of_no_tone, 0, answers(as_if_known, y, rules))
    return _lacking(metric_named(metric), counts, 0, tone, rules)


def _of_tones(
    metric: Metric,
    values: FloatArray,
    tones: Sequence[str],
    counts: Counts,
    rules: ScoringRules,
) -> Iterator[Score]:
    """Scores of each tone, all, worst and gap; `values` [slots]."""
    n = counts.n[0].astype(int).tolist()
    lack = [_lacking(metric, counts, i, t, rules) for i, t in enumerate((*tones, ALL))]
    for tone, value, images, why in zip((*tones, ALL), values, n, lack, strict=True):
        yield _score(metric, tone, why, value, images)
    n_known = sum(n[:-1])
    holes = {tone: why.reason for tone, why in zip(tones, lack, strict=False) if why}
    if not tones:
        yield _score(metric, WORST, Undefined("no image has a known tone"), np.nan, 0)
    elif holes:
        yield _score(metric, WORST, over_tones(holes), np.nan, n_known)
    else:
        at = int(values[:-1].argmin() if metric.larger_is_better else values[:-1].argmax())
        yield _score(metric, WORST, None, float(values[at]), n[at])
    why = _fewer_than_two(tones) or (over_tones(holes) if holes else None)
    yield _score(metric, GAP, why, np.nan if why else float(gap(values[:-1])), n_known)


def _between_tones(
    metric: Metric,
    values: FloatArray,
    tones: Sequence[str],
    counts: Counts,
    rules: ScoringRules,
) -> Iterator[Score]:
    """The one score of a metric that compares tones, listed under `all`: needs what it divides by in every tone."""
    why = _fewer_than_two(tones)
    if why is None:
        needs = [s for i, t in enumerate(tones) for s in _supports(metric, counts, i, t, rules)]
        why = shortage(needs, rules.min_support) or _zero_ratio(metric.name, counts, rules)
    yield _score(metric, ALL, why, values[0], int(counts.n[0, :-1].sum()))


def _score(metric: Metric, tone: str, why: Undefined | None, value: float, n: int) -> Score:
    return Score(metric.name, tone, None if why else float(value), n, why.reason if why else None)


def _lacking(
    metric: Metric, counts: Counts, slot: int, tone: str, rules: ScoringRules
) -> Undefined | None:
    if metric.needs_event and not rules.positive:
        return Undefined(NO_EVENT)
    return shortage(_supports(metric, counts, slot, tone, rules), rules.min_support)


def _supports(
    metric: Metric, counts: Counts, slot: int, tone: str, rules: ScoringRules
) -> list[Support]:
    """What a metric divides by in one slot."""
    if metric.needs == "images":
        return [Support(tone, "", int(counts.n[0, slot]))]
    if metric.needs == "classes":
        of_class = zip(rules.classes, counts.true[0, slot].tolist(), strict=True)
        return [Support(tone, name, int(n)) for name, n in of_class]
    negative, positive = counts.events[0, slot].sum(axis=-1).astype(int).T.tolist()
    found: list[tuple[str, int]] = []
    if metric.needs in {"positives", "sides"}:
        found += zip((event.positive_name for event in rules.events), positive, strict=True)
    if metric.needs in {"negatives", "sides"}:
        found += zip((event.negative_name for event in rules.events), negative, strict=True)
    return [Support(tone, name, n) for name, n in found]


def _zero_ratio(metric: str, counts: Counts, rules: ScoringRules) -> Undefined | None:
    """Undefined where the highest of the rates that a ratio compares is 0 in all tones."""
    if metric in {"pqd", "nar"} and not counts.right[0, :-1].any():
        return Undefined("no tone has a correct image, so the ratio is 0/0")
    if metric not in {"dpm", "eom"}:
        return None
    rates = counts.called if metric == "dpm" else counts.right
    most = rates[0, :-1].max(axis=0).tolist()
    absent = [name for name, n in zip(rules.classes, most, strict=True) if not n]
    if not absent:
        return None
    verb = "is" if len(absent) == 1 else "are"
    never = "never predicted" if metric == "dpm" else "never recognised"
    return Undefined(f"{first_few(absent)} {verb} {never} in any tone, so the ratio is 0/0")


def _fewer_than_two(tones: Sequence[str]) -> Undefined | None:
    """Undefined if there are not two tones to compare."""
    if len(tones) >= 2:
        return None
    found = f"only {tones[0]}" if tones else "none"
    return Undefined(f"comparing needs images of two tones or more, and there is {found}")
