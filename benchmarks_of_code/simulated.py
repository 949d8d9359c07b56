"""Test sets and entries whose true scores are known, for benchmarks of intervals and tests.

An entry calls image i at training seed s rightly if its margin θ + seed + image + rest is above 0. θ belongs to the
tone; the seed's part is common to all images plus one for each tone; the image's own difficulty has a share of
0.8 of the variance of image and rest, 0.5 of it the same for every entry. All parts are normal.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from tonegap.scores.counts import N_BINS
from tonegap.scores.evidence.images import TestAnswers

TONES = {3: ("I-II", "III-IV", "V-VI"), 6: ("I", "II", "III", "IV", "V", "VI")}
CLASSES = ("benign", "malignant")
_SHARED, _OWN, _REST = np.sqrt([0.5, 0.3, 0.2])
_SURE = 1.3  # the entries are surer than they should be
_GRID = np.linspace(0, 6, 601)


@dataclass(frozen=True)
class Setting:
    """Images, accuracy and malignant images by tone; `pool`: how many test sets all images make."""

    name: str
    n: tuple[int, ...]
    accuracy: tuple[float, ...]
    malignant: tuple[int, ...]
    pool: int = 1

    @property
    def tones(self):
        return TONES[len(self.n)]


SETTINGS = {
    "ddi": Setting("DDI", (49, 45, 38), (0.85, 0.76, 0.85), (12, 11, 10)),
    "few": Setting("DDI, 5 malignant of V-VI", (45, 44, 43), (0.85, 0.76, 0.85), (11, 10, 5)),
    "f17k": Setting(
        "Fitzpatrick17k",
        (589, 962, 662, 556, 307, 127),
        (0.84, 0.83, 0.80, 0.79, 0.78, 0.74),
        (82, 135, 93, 78, 43, 18),
    ),
    "splits": Setting("DDI, other images by seed", (208, 241, 207), (0.85, 0.76, 0.85), (52, 60, 52), pool=5),
}  # fmt: skip


class Simulation:
    """One setting with seeds that move a tone's accuracy by `sd` points together and by as much each."""

    def __init__(self, setting, sd, n_seeds, n_entries):
        self.setting, self.sd = setting, sd
        self.n_seeds, self.n_entries = n_seeds, n_entries
        self.tone = np.repeat(np.arange(len(setting.n)), setting.n)
        plain = norm.ppf(setting.accuracy)
        one = sd / 100 / norm.pdf(plain)  # points of accuracy into units of the margin
        # Accuracy over seeds is norm.cdf(θ / sqrt(1 + variance of seeds)).
        self.seed_sd = one / np.sqrt(1 - 2 * one**2)
        self.theta = plain * np.sqrt(1 + 2 * self.seed_sd**2)
        self.slope = 2 * _SURE * self.theta.mean()
        share = np.array(setting.n) / sum(setting.n)
        self.share = share
        self.expected = self._truth(self._seeds(np.random.default_rng(0), 2000))

    def _seeds(self, rng, n):
        """What n seeds add to the margin of each tone, [n, tones]."""
        return self.seed_sd * (rng.normal(size=(n, 1)) + rng.normal(size=(n, len(self.theta))))

    def _truth(self, seeds):
        """True scores of a mean over networks with these seeds, by metric and tone."""
        margin = self.theta + seeds  # [seeds, tones]
        by_tone = norm.cdf(margin)
        accuracy = by_tone.mean(axis=0)
        ece, ece_all = self._ece(margin)
        auc = norm.cdf((margin[:, :, None] + margin[:, None, :]) / np.sqrt(2)).mean(axis=0)
        found = {
            ("accuracy", "all"): accuracy @ self.share,
            ("auc", "all"): self.share @ auc @ self.share,
        }
        found |= {("accuracy", "worst"): accuracy.min(), ("accuracy", "gap"): np.ptp(accuracy)}
        for name in ("worst", "gap"):
            found["balanced_accuracy", name] = found["accuracy", name]
        found |= {("sensitivity", "all"): accuracy @ self.share, ("ece", "all"): ece_all}
        for i, tone in enumerate(self.setting.tones):
            found["accuracy", tone] = found["sensitivity", tone] = accuracy[i]
            found["balanced_accuracy", tone] = accuracy[i]  # both classes are called alike
            found["auc", tone], found["ece", tone] = auc[i, i], ece[i]
        return found  # fmt: skip

    def _ece(self, margin):
        """Calibration errors by tone and of all, means over networks, from densities on a grid."""
        bins = np.digitize(expit(self.slope * _GRID), np.arange(1, N_BINS) / N_BINS, right=True)
        step, sure = _GRID[1] - _GRID[0], expit(self.slope * _GRID)
        by_tone, of_all = np.zeros(margin.shape[1]), 0.0
        used = margin[:200]
        for of_seed in used:
            right = norm.pdf(_GRID - of_seed[:, None])
            wrong = norm.pdf(_GRID + of_seed[:, None])
            offset = (right - sure * (right + wrong)) * step  # [tones, grid]
            binned = np.stack([np.bincount(bins, row, N_BINS) for row in offset])
            by_tone += np.abs(binned).sum(axis=1) / len(used)
            of_all += np.abs(self.share @ binned).sum() / len(used)
        return by_tone, of_all

    def draw(self, rng):
        """A test set with the answers of every entry at every seed, and the true scores of the first's networks."""
        n, s = len(self.tone), self.setting
        # As many malignant images of each tone each time, in another place.
        places = [np.arange(k) < of_tone for k, of_tone in zip(s.n, s.malignant, strict=True)]
        y = np.concatenate([rng.permutation(p) for p in places]).astype(np.int64)
        shared = _SHARED * rng.normal(size=n)
        tested = [np.arange(n)] * self.n_seeds
        if s.pool > 1:
            tested = [np.sort(rng.permutation(n)[: n // s.pool]) for _ in tested]
        entries, of_first = [], None
        for _ in range(self.n_entries):
            seeds = self._seeds(rng, self.n_seeds)
            own = shared + _OWN * rng.normal(size=n)
            margins = (
                (self.theta + seeds)[:, self.tone]
                + own
                + _REST * rng.normal(size=(self.n_seeds, n))
            )
            entries.append([self._answers(*each, y) for each in zip(margins, tested, strict=True)])
            of_first = of_first or self._truth(seeds)
        return entries, of_first  # fmt: skip

    def _answers(self, margin, tested, y):
        of_malignant = expit(self.slope * np.where(y == 1, margin, -margin))[tested]
        return TestAnswers(
            ids=tuple(map(str, tested)),
            labels=tuple(CLASSES[i] for i in y[tested]),
            tones=tuple(self.setting.tones[t] for t in self.tone[tested]),
            units=tuple(range(len(tested))),
            classes=CLASSES,
            p=np.column_stack((1 - of_malignant, of_malignant)),
            epoch=1,
            threshold=0.5,
        )
