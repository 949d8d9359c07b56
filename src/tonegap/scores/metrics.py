"""Predictions with truth into the table of scores: every tone, all, the worst tone, the gap.

The mistake it exists to prevent: an undefined score that counts as 0, or silently drops out of a
gap. A gap over the tones that happen to be defined would reward a test set with holes, so one
undefined tone makes `worst` and `gap` undefined.
"""

from collections.abc import Iterator, Sequence

from tonegap.arrays import FloatArray, IntArray
from tonegap.errors import BadRequest
from tonegap.scores.between import fewer_than_two, score_between
from tonegap.scores.counts import ToneCounts, count_by_tone, no_counts
from tonegap.scores.per_tone import score_tone
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, GAP, METRICS, WORST, Metric, Score, ScoreTable
from tonegap.scores.undefined import Outcome, Undefined, over_tones
from tonegap.tones import tone_index


def score_table(
    p: FloatArray, y: IntArray, tones: Sequence[str | None], rules: ScoringRules
) -> ScoreTable:
    """Every metric of one epoch's predictions, per tone and between tones, in METRICS' order.

    `p` [n, k] are probabilities, `y` [n] indexes `rules.classes`, `tones` [n] has None for unknown.
    Images of unknown tone count in `all` only. Raises BadRequest if an image has a tone that is not
    among `rules.tones`.
    """
    scored = tones_to_score(tones, rules)
    counts = count_by_tone(p, y, tones, rules)
    whole = counts.get(ALL) or no_counts(ALL, rules)
    each = [counts.get(tone) or no_counts(tone, rules) for tone in scored]
    rows: list[Score] = []
    for metric in METRICS:
        if metric.per_tone:
            rows += _per_tone_scores(metric, whole, each, rules)
        else:
            n = sum(c.n for c in each)
            rows.append(_as_score(metric, ALL, score_between(metric.name, each, rules), n))
    return ScoreTable(tuple(rows))


def tones_to_score(
    tones: Sequence[str | None], rules: ScoringRules, where: str = ""
) -> tuple[str, ...]:
    """The tones of a table, light to dark.

    Raises BadRequest, its words after `where`, for images of a tone that is not to be scored.
    """
    found = sorted({tone for tone in tones if tone is not None}, key=tone_index)
    if rules.tones is None:
        return tuple(found)
    others = [tone for tone in found if tone not in rules.tones]
    if others:
        raise BadRequest(
            f"{where}images have the tones {', '.join(others)}, which are not among the tones to score "
            f"({', '.join(rules.tones)}); leaving them out would hide a gap"
        )
    return rules.tones


def _per_tone_scores(
    metric: Metric, whole: ToneCounts, each: Sequence[ToneCounts], rules: ScoringRules
) -> Iterator[Score]:
    outcomes = {c.tone: score_tone(metric.name, c, rules) for c in each}
    for c in each:
        yield _as_score(metric, c.tone, outcomes[c.tone], c.n)
    yield _as_score(metric, ALL, score_tone(metric.name, whole, rules), whole.n)
    n_known = sum(c.n for c in each)
    worst, n_worst = _worst(metric, outcomes, {c.tone: c.n for c in each})
    yield _as_score(metric, WORST, worst, n_worst)
    yield _as_score(metric, GAP, fewer_than_two(each) or tone_gap(outcomes), n_known)


def _worst(
    metric: Metric, outcomes: dict[str, Outcome], n_images: dict[str, int]
) -> tuple[Outcome, int]:
    """The worst tone's score and its images; with any tone undefined, undefined and all images."""
    if not outcomes:
        return Undefined("no image has a known tone"), 0
    values = _all_defined(outcomes)
    if isinstance(values, Undefined):
        return values, sum(n_images.values())
    pick = min if metric.larger_is_better else max
    tone = pick(values, key=lambda t: values[t])
    return values[tone], n_images[tone]


def tone_gap(outcomes: dict[str, Outcome]) -> Outcome:
    """Largest minus smallest score over tones, in the score's unit; 0 means parity.

    Undefined if any tone is. Source: the "between groups" difference of fairlearn's MetricFrame,
    without its skipping of NaN.
    """
    values = _all_defined(outcomes)
    if isinstance(values, Undefined):
        return values
    return max(values.values()) - min(values.values())


def _all_defined(outcomes: dict[str, Outcome]) -> dict[str, float] | Undefined:
    values = {tone: v for tone, v in outcomes.items() if not isinstance(v, Undefined)}
    if len(values) == len(outcomes):
        return values
    return over_tones({t: v.reason for t, v in outcomes.items() if isinstance(v, Undefined)})


def _as_score(metric: Metric, tone: str, outcome: Outcome, n: int) -> Score:
    if isinstance(outcome, Undefined):
        return Score(metric.name, tone, None, n, outcome.reason)
    return Score(metric.name, tone, outcome, n, None)
