"""All that the test images say of one entry: intervals of its scores, and draws to compare it by.

An entry's seeds come in together: its score is their mean, and each draw of images holds for all. What other
seeds would do is measured on all entries of a table: see `table`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from tonegap.arrays import BoolArray, FloatArray
from tonegap.scores.counts import Answers, Counts, answers, count_draws, count_once
from tonegap.scores.evidence.bootstrap import draw_weights, variance_over
from tonegap.scores.evidence.calibration import calibrated_nulls, ece_intervals
from tonegap.scores.evidence.comparing import ResampledScores
from tonegap.scores.evidence.delong import auc_freedom, auc_variance
from tonegap.scores.evidence.every_score import (
    EveryScore,
    OneScore,
    every_score,
    noise_of,
    scores_of,
)
from tonegap.scores.evidence.images import TestAnswers, TestImages, images_of
from tonegap.scores.evidence.intervals import (
    Interval,
    added_by,
    intervals_of,
    more_by_student,
    sample_of,
    seeds_noise,
    unknown,
)
from tonegap.scores.evidence.nulls import OVER_ALL, NullName, tone_nulls
from tonegap.scores.evidence.parity import Parity, minimum_detectable_difference
from tonegap.scores.evidence.seeds import (
    SampledMetric,
    SeedMean,
    SeedVariance,
    class_mean_worth,
    pooled,
    seed_mean,
    units_behind,
)
from tonegap.scores.formulas import metric_values
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, GAP, WORST, largest_difference, metric_named

N_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """What is scored: event classes, tones of an axis, the metric that ranks.

    Without `everything` intervals are made for that metric and accuracy alone, which takes a tenth of
    the time. With `compared` the draws of every score are kept. Without `nulls` no tones are permuted.
    """

    positive: tuple[str, ...]
    tones: tuple[str, ...]
    ranked: str
    everything: bool = True
    compared: bool = False
    nulls: bool = True


@dataclass(frozen=True, eq=False)
class EntryEvidence:
    """The uncertainty of an entry's scores on one tone axis.

    `intervals` maps (metric, tone | all | worst | gap) to an interval of the mean over seeds. Of the
    ranked metric: `parity`, its gap beside that of permuted tones, and `minimum_detectable_difference`, between
    two tones on such a test set. `nulls`: scores that are not 0, or 1, at parity beside what
    they are then. `scores`: None unless they were asked for.

    `intervals` are about the method: test images and training seeds are both in them. `network_intervals` are
    about these trained networks. `seed_spread` has the standard deviation over training seeds of (metric, tone |
    all), pooled over the entries that the evidence was made of; None with one seed. All of it was made of `means`,
    of what seeds `added` and of what was `asked`.
    """

    intervals: Mapping[tuple[str, str], Interval]
    parity: Parity | None
    minimum_detectable_difference: float | None
    drawn: ResampledScores
    network_intervals: Mapping[tuple[str, str], Interval]
    seed_spread: Mapping[tuple[str, str], float | None]
    n_seeds: int
    means: "EntryMeans"
    added: SeedVariance | None
    asked: EvidenceRequest
    scores: EveryScore | None = None
    nulls: Mapping[NullName, Parity] = field(default_factory=dict)

    @property
    def shown(self) -> Mapping[tuple[str, str], Interval]:
        """The intervals that a page shows: the method's, and of one that was trained once the network's."""
        return self.intervals if self.n_seeds > 1 else self.network_intervals

    def every_shown(self) -> Mapping[tuple[str, str], Interval]:
        """As `shown`, in every metric, whatever was asked for."""
        if self.asked.everything:
            return self.shown
        return _intervals(self.means, replace(self.asked, everything=True), self.added)


@dataclass(frozen=True, eq=False)
class EntryMeans:
    """What an entry's answers at every seed come to: each metric's mean over seeds, and how it varies.

    `images` names the test images of each seed; `nulls` as in EntryEvidence; `measured` has what each seed said of
    each image.
    """

    means: Mapping[str, SeedMean]
    images: tuple[bytes, ...]
    nulls: Mapping[NullName, Parity]
    measured: "tuple[_Seed, ...]"

    @property
    def n_seeds(self) -> int:
        """How many seeds the entry was trained with."""
        return len(self.images)


def entry_means(
    seeds: Sequence[TestAnswers], asked: EvidenceRequest, n_draws: int = N_DRAWS
) -> EntryMeans:
    """The means of an entry over its seeds, one or more, from its answers at each."""
    of_seeds = tuple(images_of(seed, asked.tones) for seed in seeds)
    weights = draw_weights(of_seeds, n_draws)  # of the images of all seeds together
    measured = [_measure(*each, asked) for each in zip(seeds, of_seeds, weights, strict=True)]
    behind = [units_behind(m.images, m.said) for m in measured]
    means = {
        name: seed_mean([m.metrics[name] for m in measured], _fewest(name, behind))
        for name in measured[0].metrics
    }
    if _with_auc(asked):
        areas = auc_variance([m.images for m in measured], [m.said for m in measured])
        # Of a mean over seeds no more than the rarer side says.
        n, first = means["auc"].n, measured[0]
        freedom = np.maximum(n - 1, 1)
        if len(measured) == 1:
            freedom = auc_freedom(first.images, first.said)
        means["auc"] = replace(means["auc"], variance=areas, df=freedom)
    alone = [class_mean_worth(m.images, m.said) for m in measured]
    for name in alone[0]:
        worth, df = np.mean([of_seed[name] for of_seed in alone], axis=0)
        means[name] = replace(means[name], alone=worth, df=df)
    images = tuple(m.images.digest for m in measured)
    nulls = _nulls(measured, asked)
    return EntryMeans(means, images, nulls, tuple(replace(m, metrics={}) for m in measured))


def evidence_of(
    entry: EntryMeans, asked: EvidenceRequest, seeds: SeedVariance | None
) -> EntryEvidence:
    """The evidence of an entry; `seeds` says by how much training seeds differ, of entries like it."""
    added = seeds if entry.n_seeds > 1 else None
    ranked = scores_of(asked.ranked, entry.means[asked.ranked], asked.tones, added)
    return EntryEvidence(
        means=entry,
        added=added,
        asked=asked,
        intervals=method_intervals(entry, asked, added),
        parity=entry.nulls.get((asked.ranked, GAP, OVER_ALL)),
        minimum_detectable_difference=_minimum_detectable(entry, asked, added),
        drawn=_drawn(asked.ranked, ranked, entry.images, with_seeds=added is not None),
        network_intervals=_intervals(entry, asked, None),
        seed_spread=_spread(entry, asked, added),
        n_seeds=entry.n_seeds,
        scores=every_score(entry.means, asked.tones, entry.images, added)
        if asked.compared
        else None,
        nulls=entry.nulls,
    )


def entry_evidence(
    seeds: Sequence[TestAnswers], asked: EvidenceRequest, n_draws: int = N_DRAWS
) -> EntryEvidence:
    """The evidence of an entry by itself: nothing but its own seeds says how much they differ."""
    found = entry_means(seeds, asked, n_draws)
    return evidence_of(found, asked, pooled([found.means]))


def method_intervals(
    entry: EntryMeans, asked: EvidenceRequest, seeds: SeedVariance | None
) -> dict[tuple[str, str], Interval]:
    """The intervals of the method; with one seed there are none, with the reason."""
    if seeds is not None and entry.n_seeds > 1:
        return _intervals(entry, asked, seeds)
    return {
        (metric, tone): interval
        for metric in _wanted(entry.means, asked)
        for tone, interval in unknown(metric, asked.tones).items()
    }


@dataclass(frozen=True, eq=False)
class _Seed:
    """One seed's images and answers, the draws of images [draws, n], and every metric in them."""

    images: TestImages
    said: Answers
    weights: FloatArray
    metrics: dict[str, SampledMetric]

    def counts(self, with_auc: bool) -> tuple[Counts, Counts]:
        """What is counted as measured, each image once, and in each draw."""
        images = self.images.y, self.images.tone, len(self.images.tones), self.said
        return count_once(*images, with_auc), count_draws(*images, self.weights, with_auc)

    def offsets(self) -> tuple[FloatArray, FloatArray]:
        """Signed distances by bin that the calibration error adds up: as measured [slots, b], and [draws, slots, b]."""
        with np.errstate(invalid="ignore", divide="ignore"):
            once, drawn = (c.distances / c.n[..., None] for c in self.counts(with_auc=False))
        return once[0], drawn


def _measure(
    seed: TestAnswers, images: TestImages, weights: FloatArray, asked: EvidenceRequest
) -> _Seed:
    rules = ScoringRules(seed.classes, asked.positive, seed.threshold, 1, asked.tones)
    found = _Seed(images, answers(seed.p, images.y, rules), weights, {})
    once, drawn = (
        metric_values(counts, bool(asked.positive)) for counts in found.counts(_with_auc(asked))
    )
    return replace(found, metrics={name: SampledMetric(once[name], drawn[name]) for name in once})


def _nulls(measured: Sequence[_Seed], asked: EvidenceRequest) -> dict[NullName, Parity]:
    """What scores are where tones are alike, and calibration errors where a model is calibrated."""
    points = [{name: found.point for name, found in m.metrics.items()} for m in measured]
    seeds = [(m.images, m.said) for m in measured]
    found = calibrated_nulls(seeds, [m["ece"] for m in points])
    if asked.nulls:
        with_auc = asked.ranked == "auc"
        found |= tone_nulls(seeds, points, has_event=bool(asked.positive), with_auc=with_auc)
    return found


def _with_auc(asked: EvidenceRequest) -> bool:
    """Whether areas under the ROC curve are needed; they take as long as all else."""
    return asked.everything or asked.compared or asked.ranked == "auc"


def _wanted(metrics: Mapping[str, SeedMean], asked: EvidenceRequest) -> tuple[str, ...]:
    """The metrics that have intervals."""
    return tuple(metrics if asked.everything else dict.fromkeys((asked.ranked, "accuracy")))


def _intervals(
    entry: EntryMeans, asked: EvidenceRequest, seeds: SeedVariance | None
) -> dict[tuple[str, str], Interval]:
    return {
        (metric, tone): interval
        for metric in _wanted(entry.means, asked)
        for tone, interval in _intervals_of(metric, entry, asked, seeds).items()
    }


def _intervals_of(
    metric: str, entry: EntryMeans, asked: EvidenceRequest, seeds: SeedVariance | None
) -> dict[str, Interval]:
    mean = entry.means[metric]
    if metric != "ece":
        return intervals_of(metric, mean, asked.tones, seeds)
    names = (*asked.tones, ALL)
    added = added_by(seeds, metric, mean, len(names))
    noise = seeds_noise(mean.draws.shape, more_by_student(variance_over(mean.draws, axis=0), added))
    points, draws = _offsets(entry)
    return ece_intervals(
        points, draws, asked.tones, entry.nulls, dict(zip(names, noise.T, strict=True))
    )


@lru_cache(maxsize=2)
def _offsets(entry: EntryMeans) -> tuple[Sequence[FloatArray], Sequence[FloatArray]]:
    """What calibration errors are made of at each seed, as measured and in each draw: too large to be kept."""
    points, draws = zip(*(seed.offsets() for seed in entry.measured), strict=True)
    return points, draws


def _fewest(metric: str, behind: Sequence[Mapping[str, FloatArray]]) -> FloatArray:
    """Groups of near-duplicates behind a metric at the seed with the fewest, [slots]."""
    fewest: FloatArray = np.min([n.get(metric, n["accuracy"][-1:]) for n in behind], axis=0)
    return fewest


def _drawn(
    metric: str, scores: Sequence[OneScore], images: tuple[bytes, ...], *, with_seeds: bool
) -> ResampledScores:
    """What entries are ranked and compared by."""
    found = [score for score in scores if score.tone in (ALL, WORST, GAP)]
    return ResampledScores(
        point={score.tone: score.point for score in found},
        draws={score.tone: score.draws for score in found},
        images=images,
        noise={score.tone: noise_of([score], with_seeds=with_seeds) for score in found},
        largest=largest_difference(metric),
    )


def _spread(
    entry: EntryMeans, asked: EvidenceRequest, seeds: SeedVariance | None
) -> dict[tuple[str, str], float | None]:
    """The standard deviation over training seeds of each score of one seed."""
    found: dict[tuple[str, str], float | None] = {}
    for metric in _wanted(entry.means, asked):
        slots = (*asked.tones, ALL) if metric_named(metric).per_tone else (ALL,)
        for slot, tone in enumerate(slots):
            variance = None if seeds is None else float(seeds.variance[metric][slot])
            found[metric, tone] = None if variance is None else variance**0.5
    return found


def _minimum_detectable(
    entry: EntryMeans, asked: EvidenceRequest, seeds: SeedVariance | None
) -> float | None:
    """The smallest difference between two tones that is found; None where one tone's score is undefined."""
    mean = entry.means[asked.ranked]
    if not metric_named(asked.ranked).per_tone:
        return None
    n_tones = len(asked.tones)
    defined: BoolArray = np.all(np.isfinite(mean.draws[:, :n_tones]), axis=1)
    if not (defined.any() and np.isfinite(mean.point[:n_tones]).all()):
        return None
    added = added_by(seeds, asked.ranked, mean, n_tones)
    return minimum_detectable_difference(sample_of(mean, added, defined).variance)
