"""Computes the numbers of a quality sheet from features of real and synthetic images. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonegap.formats.lineage import UNKNOWN_SOURCE
from tonegap.formats.quality_sheet import (
    ALL,
    CellDiversity,
    Coverage,
    FeatureScores,
    Memory,
    Pair,
    ProbeGain,
    SetDistance,
    Share,
    Vendi,
)
from tonegap.synthetic.quality.distance import (
    MIN_IMAGES,
    density_and_coverage,
    expected_coverage,
    frechet_distance,
    frechet_reason,
    jackknifed,
    kernel_distance,
    kernel_reason,
    mean_pairwise_distance,
    nearest_rows,
    subsample,
    vendi_score,
)
from tonegap.synthetic.quality.features import Array, Features
from tonegap.synthetic.quality.utility import probe_gains, tone_rows

N_PAIRS = 5
_QUANTILE = 0.05
_MOST = 1000  # images of a set whose neighbours are counted; more are sampled evenly


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of images, row by row; `sources` are the real ids each was made from.

    `from_text`: made by what learned from no image of the task, so that a row without sources has none.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    tones: tuple[str | None, ...]
    sources: tuple[tuple[str, ...], ...] = ()
    from_text: bool = False


def measure(features: Features, real: Listed, made: Listed, tones: Sequence[str]) -> FeatureScores:
    """All numbers of a set; `tones` are those of the task's axis, in order. `made` has at least one row."""
    asked = [tone for tone in tones if tone in made.tones]
    picked = {ALL: (features.train, features.synthetic)} | {
        tone: (features.train[_of(real, tone)], features.synthetic[_of(made, tone)])
        for tone in asked
    }
    halves = (features.train[::2], features.train[1::2])
    return FeatureScores(
        n_features=features.train.shape[1],
        fid=tuple(_fid(tone, *pair) for tone, pair in picked.items()),
        kid=tuple(_kid(tone, *pair) for tone, pair in picked.items()),
        halves=_kid("real halves", *halves),
        diversity=_diversity(features, real, made, asked),
        vendi=tuple(_vendi(tone, *pair, features.train) for tone, pair in picked.items()),
        memory=_memory(features, real, made),
        coverage=tuple(_coverage(tone, *pair) for tone, pair in picked.items()),
        gain=_gain(features, real, made, tones),
    )


def radiomic_distances(
    real: Array, made: Array, of_real: Listed, of_made: Listed, tones: Sequence[str]
) -> tuple[SetDistance, ...]:
    """Fréchet distances of radiomic features [n, d] and [m, d]: all, each tone asked for, and two halves of the real.

    Features are z-scores of the real images; those that are the same in all of them are left out. Undefined below two
    images for each feature in either set. Source: Konz, Osuala et al. 2024 (FRD), arXiv 2412.01496.
    """
    if len(real):
        middle, spread = real.mean(axis=0), real.std(axis=0)
        able = spread > 1e-9
        real, made = ((rows[:, able] - middle[able]) / spread[able] for rows in (real, made))
    pairs = {ALL: (real, made)}
    for tone in (tone for tone in tones if tone in of_made.tones):
        pairs[tone] = real[_of(of_real, tone)], made[_of(of_made, tone)]
    pairs["real halves"] = real[::2], real[1::2]
    return tuple(_radiomic(tone, *pair) for tone, pair in pairs.items())


def _radiomic(tone: str, real: Array, made: Array) -> SetDistance:
    least = 2 * real.shape[1]
    for rows, what in ((real, "real training"), (made, "synthetic")):
        if len(rows) < least:
            why = f"{len(rows)} {what} images; at least {least} are wanted, two for each radiomic feature"
            return SetDistance(tone, len(real), len(made), None, why)
    error = jackknifed(len(real), len(made), lambda a, b: frechet_distance(real[a], made[b]))
    return SetDistance(tone, len(real), len(made), frechet_distance(real, made), None, float(error))


def _coverage(tone: str, real: Array, made: Array) -> Coverage:
    sizes = len(real), len(made)
    reason = kernel_reason(*sizes)
    if reason:
        return Coverage(tone, *sizes, reason=reason)
    ours, theirs = subsample(made, _MOST), subsample(real, _MOST)
    (density, coverage), errors = density_and_coverage(theirs, ours)
    expected = expected_coverage(len(theirs), len(ours))
    return Coverage(
        tone,
        *sizes,
        density=float(density),
        density_error=float(errors[0]),
        coverage=float(coverage),
        coverage_error=float(errors[1]),
        expected=expected,
    )


def _gain(
    features: Features, real: Listed, made: Listed, tones: Sequence[str]
) -> tuple[ProbeGain, ...]:
    row_of = {name: i for i, name in enumerate(real.ids)}
    sources = made.sources or ((),) * len(made.ids)
    held_by = [[row_of[name] for name in names if name in row_of] for names in sources]
    shown = tone_rows(real.tones, [tone for tone in tones if tone in real.tones])
    strange = sum(UNKNOWN_SOURCE in of or not (of or made.from_text) for of in sources)
    if strange:
        of_all = f"{strange} of the {len(sources)} images"
        why = f"where {of_all} come from is not known; they may be copies of held-out ones"
        return tuple(ProbeGain(tone, int(rows.sum()), reason=why) for tone, rows in shown.items())
    return probe_gains(
        features.train, features.synthetic, (real.labels, made.labels), held_by, shown
    )


def _of(listed: Listed, tone: str, label: str | None = None) -> NDArray[np.bool_]:
    rows = zip(listed.tones, listed.labels, strict=True)
    return np.array([t == tone and label in {None, y} for t, y in rows], bool)


def _fid(tone: str, real: Array, made: Array) -> SetDistance:
    reason = frechet_reason(len(real), len(made), real.shape[1])
    value = None if reason else frechet_distance(real, made)
    return SetDistance(tone, len(real), len(made), value, reason)


def _kid(tone: str, real: Array, made: Array) -> SetDistance:
    reason = kernel_reason(len(real), len(made))
    if reason:
        return SetDistance(tone, len(real), len(made), None, reason)
    kid = kernel_distance(real, made)
    return SetDistance(tone, len(real), len(made), kid.value, None, kid.standard_error, kid.blocks)


def _diversity(
    features: Features, real: Listed, made: Listed, tones: Sequence[str]
) -> tuple[CellDiversity, ...]:
    """A cell for each class and tone that has a synthetic image."""
    found = []
    for label in dict.fromkeys(sorted(made.labels)):
        for tone in tones:
            ours, theirs = _of(made, tone, label), _of(real, tone, label)
            if ours.any():
                found.append(
                    CellDiversity(
                        label,
                        tone,
                        int(theirs.sum()),
                        int(ours.sum()),
                        mean_pairwise_distance(features.train[theirs]),
                        mean_pairwise_distance(features.synthetic[ours]),
                    )
                )
    return tuple(found)


def _vendi(tone: str, real: Array, made: Array, train: Array) -> Vendi:
    n = min(len(real), len(made))
    if n < MIN_IMAGES:
        reason = kernel_reason(len(real), len(made))
        return Vendi(tone, n, None, None, reason)
    middle = train.mean(axis=0)
    ours, theirs = (vendi_score(subsample(rows, n), middle) for rows in (made, real))
    reason = None if ours and theirs else "all images have the same features"
    return Vendi(tone, n, theirs, ours, reason)


def _memory(features: Features, real: Listed, made: Listed) -> Memory:
    rows, distances = nearest_rows(features.synthetic, features.train, is_same=False)
    names = [real.ids[row] for row in rows]
    is_source = [name in sources for name, sources in zip(names, made.sources, strict=True)]
    first = np.argsort(distances, kind="stable")[:N_PAIRS]
    pairs = [Pair(made.ids[i], names[i], float(distances[i]), is_source[i]) for i in first]
    n = len(made.ids)
    if len(real.ids) < MIN_IMAGES:
        reason = f"{len(real.ids)} real training images; at least {MIN_IMAGES} are wanted"
        threshold, median, near = None, None, Share(None, n, reason)
    else:
        _, between = nearest_rows(features.train, features.train, is_same=True)
        threshold, median = float(np.quantile(between, _QUANTILE)), float(np.median(between))
        # At or below: of a set with doubles the threshold may be 0, and a copy is 0 away.
        near = Share(float((distances <= threshold).mean()), n)
    return Memory(
        threshold=threshold,
        near=near,
        own_source=Share(sum(is_source) / n, n),
        median_real=median,
        median_synthetic=float(np.median(distances)),
        nearest=tuple(pairs),
    )
