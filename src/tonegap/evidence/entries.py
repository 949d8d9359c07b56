"""All that the test images say of one entry: intervals of its scores, and draws to compare it by.

An entry's seeds come in together: its score is their mean, and each draw of images holds for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from tonegap.evidence.answers import TestAnswers
from tonegap.evidence.calibration import calibrated_nulls, ece_intervals
from tonegap.evidence.comparing import Paired, few_images, paired, worst_of
from tonegap.evidence.draws import draw_weights
from tonegap.evidence.every_score import EveryScore, every_score
from tonegap.evidence.images import Answers, TestImages, answers, tone_indices
from tonegap.evidence.intervals import Interval, Measured, intervals_of
from tonegap.evidence.nulls import OVER_ALL, NullName, tone_nulls
from tonegap.evidence.parity import Parity, detectable
from tonegap.evidence.replicates import Replicates, replicates
from tonegap.evidence.tally import tally
from tonegap.score.arrays import FloatArray
from tonegap.score.rules import ScoringRules
from tonegap.score.tables import ALL, GAP, WORST, metric_named

N_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is scored: event classes, tones of an axis, the metric that ranks.

    Without `everything` intervals are made for that metric and accuracy alone, which takes a tenth of
    the time. With `compared` the draws of every score are kept.
    """

    positive: tuple[str, ...]
    tones: tuple[str, ...]
    ranked: str
    everything: bool = True
    compared: bool = False


@dataclass(frozen=True, eq=False)
class Drawn:
    """The ranked metric's `all`, `worst` and `gap`: as measured, and in each draw [draws].

    The draws are for comparisons: their noise is that of so few images as there are (see `few_images`).
    """

    point: Mapping[str, float]
    draws: Mapping[str, FloatArray]
    images: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class EntryEvidence:
    """How sure an entry's scores are on one tone axis.

    `intervals` maps (metric, tone | all | worst | gap) to an interval of the mean over seeds. Of the
    ranked metric: `parity`, its gap beside that of permuted tones, and `detectable`, the smallest difference
    between two tones that such a test set shows. `nulls`: scores that are not 0, or 1, at parity beside what
    they are then. `scores`: None unless they were asked for.

    `intervals` are about the method: test images and training seeds are both in them. `network_intervals` are
    about these trained networks. `seed_spread` has the standard deviation over training seeds of (metric, tone |
    all); None with one seed.
    """

    intervals: Mapping[tuple[str, str], Interval]
    parity: Parity | None
    detectable: float | None
    drawn: Drawn
    network_intervals: Mapping[tuple[str, str], Interval]
    seed_spread: Mapping[tuple[str, str], float | None]
    scores: EveryScore | None = None
    nulls: Mapping[NullName, Parity] = field(default_factory=dict)


def entry_evidence(
    seeds: Sequence[TestAnswers], asked: Asked, n_draws: int = N_DRAWS
) -> EntryEvidence:
    """The evidence of an entry from its answers at every seed, one or more."""
    measured = _measure_all(seeds, asked, n_draws)
    ranked = [m.metrics[asked.ranked] for m in measured]
    drawn = _drawn(ranked, asked.ranked, [m.images for m in measured])
    noise = _noise(ranked)
    intervals, nulls = _intervals(measured, asked), _nulls(measured, asked)
    return EntryEvidence(
        intervals=intervals,
        parity=nulls.get((asked.ranked, GAP, OVER_ALL)),
        detectable=None if noise is None else detectable(noise),
        drawn=drawn,
        network_intervals=intervals,
        seed_spread=dict.fromkeys(intervals),
        scores=_every_score(measured) if asked.compared else None,
        nulls=nulls,
    )


def score_intervals(
    seeds: Sequence[TestAnswers], asked: Asked, n_draws: int = N_DRAWS
) -> dict[tuple[str, str], Interval]:
    """The intervals of an entry's evidence without the rest of it."""
    return _intervals(_measure_all(seeds, asked, n_draws), asked)


def compare_entries(one: Drawn, other: Drawn, score: str) -> Paired | None:
    """The difference of two entries in `all`, `worst` or `gap`; None where it is undefined.

    Raises ValueError for entries that were not tested on the same images at the same seeds.
    """
    if one.images != other.images:
        raise ValueError("the entries were tested on different images")
    if not (score in one.draws and score in other.draws):
        return None
    difference = one.point[score] - other.point[score]
    return paired(one.draws[score], other.draws[score], difference)


@dataclass(frozen=True, eq=False)
class _Seed:
    """One seed's images and answers, every metric of them, and `Tally.offsets` as measured and in each draw."""

    images: TestImages
    said: Answers
    metrics: dict[str, Measured]
    offsets: tuple[FloatArray, FloatArray]


def _measure_all(seeds: Sequence[TestAnswers], asked: Asked, n_draws: int) -> list[_Seed]:
    """Every seed, with draws of the images of all seeds together."""
    images = [_images(seed, asked) for seed in seeds]
    weights = _weights(tuple(images), n_draws)
    return [_measure(*each, asked) for each in zip(seeds, images, weights, strict=True)]


def _images(seed: TestAnswers, asked: Asked) -> TestImages:
    tone = tone_indices(seed.tones, asked.tones)
    return TestImages(seed.ids, seed.y, tone, np.array(seed.units), asked.tones)


def _measure(seed: TestAnswers, images: TestImages, weights: FloatArray, asked: Asked) -> _Seed:
    rules = ScoringRules(seed.classes, asked.positive, seed.threshold, 1, asked.tones)
    said = answers(seed.p, images.y, rules)
    has_event, with_auc = bool(asked.positive), _with_auc(asked)
    counted = [tally(images, said, w, with_auc) for w in (np.ones((1, len(images))), weights)]
    once, drawn = (replicates(t, has_event) for t in counted)
    metrics = {name: Measured(once[name], drawn[name]) for name in once}
    return _Seed(images, said, metrics, (counted[0].offsets[0], counted[1].offsets))


def _every_score(measured: Sequence[_Seed]) -> EveryScore:
    return every_score([m.metrics for m in measured], [m.images for m in measured])


def _with_auc(asked: Asked) -> bool:
    """Whether areas under the ROC curve are needed; they take as long as all else."""
    return asked.everything or asked.compared or asked.ranked == "auc"


def _intervals(measured: Sequence[_Seed], asked: Asked) -> dict[tuple[str, str], Interval]:
    found: dict[tuple[str, str], Interval] = {}
    wanted = measured[0].metrics if asked.everything else dict.fromkeys((asked.ranked, "accuracy"))
    for metric in (name for name in wanted if name != "ece"):
        of_metric = [m.metrics[metric] for m in measured]
        for tone, interval in intervals_of(metric, of_metric, asked.tones).items():
            found[metric, tone] = interval
    if "ece" in wanted:
        of_ece = _ece_intervals(measured, asked)
        found |= {("ece", tone): interval for tone, interval in of_ece.items()}
    return found


def _ece_intervals(measured: Sequence[_Seed], asked: Asked) -> dict[str, Interval]:
    points, draws = zip(*(m.offsets for m in measured), strict=True)
    return ece_intervals(points, draws, asked.tones, _calibrated(measured))


def _calibrated(measured: Sequence[_Seed]) -> dict[NullName, Parity]:
    seeds = [(m.images, m.said) for m in measured]
    return calibrated_nulls(seeds, [m.metrics["ece"].point for m in measured])


def _nulls(measured: Sequence[_Seed], asked: Asked) -> dict[NullName, Parity]:
    """What scores are where tones are alike, and calibration errors where a model is calibrated."""
    points = [{name: found.point for name, found in m.metrics.items()} for m in measured]
    seeds = [(m.images, m.said) for m in measured]
    found = tone_nulls(
        seeds, points, has_event=bool(asked.positive), with_auc=asked.ranked == "auc"
    )
    return found | _calibrated(measured)


@lru_cache(maxsize=8)
def _weights(images: tuple[TestImages, ...], n_draws: int) -> tuple[FloatArray, ...]:
    return draw_weights(images, n_draws)


def _drawn(ranked: Sequence[Measured], metric: str, images: Sequence[TestImages]) -> Drawn:
    points = _statistics([m.point for m in ranked], metric)
    draws = _statistics([m.draws for m in ranked], metric)
    everywhere = min(len(set(i.unit.tolist())) for i in images)
    fewest = min(i.fewest_units for i in images)
    return Drawn(
        point={name: float(values[0]) for name, values in points.items()},
        draws={
            name: few_images(values, everywhere if name == ALL else fewest)
            for name, values in draws.items()
        },
        images=tuple(i.digest for i in images),
    )


def _statistics(values: Sequence[Replicates], metric: str) -> dict[str, FloatArray]:
    """`all`, and `worst` and `gap` of a metric that has them: means over seeds, [draws]."""
    found: dict[str, FloatArray] = {ALL: np.mean([v.all for v in values], axis=0)}
    by_tone = [v.tones for v in values if v.tones is not None]
    if by_tone:
        worst = worst_of(metric_named(metric).larger_is_better)
        found[WORST] = np.mean([worst(tones) for tones in by_tone], axis=0)
        found[GAP] = np.mean([np.ptp(tones, axis=1) for tones in by_tone], axis=0)
    return found


def _noise(ranked: Sequence[Measured]) -> FloatArray | None:
    """How the mean over seeds of each tone's score varies, [draws, tones]; None if undefined."""
    drawn = [
        m.draws.tones - m.point.tones
        for m in ranked
        if m.draws.tones is not None and m.point.tones is not None
    ]
    if not drawn:
        return None
    noise: FloatArray = np.mean(drawn, axis=0)
    noise = noise[np.isfinite(noise).all(axis=1)]
    return noise if len(noise) else None
