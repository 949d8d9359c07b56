"""How often a gap's interval holds the true one where tone labels have planted errors: `bench_raters.py [SETS]`.

Two raters see each tone with reliability 0.856, as those of Fitzpatrick17k; images are right with a chance that follows
the true tone. Coverage of the gap by label, of that on images where both labels agree, and of the corrected one.
Wanted of the corrected: 93 to 97 %.
"""

import sys

import numpy as np

from tonegap.scores.evidence.raters import corrected_gap, raters_of
from tonegap.scores.evidence.worst_and_gap import Sample, gap_interval

RELIABILITY = 0.856
PAIRS, TYPES = (0.484, 0.380, 0.136), (0.184, 0.300, 0.207, 0.174, 0.096, 0.039)
SETTINGS = {
    "pairs, 3,203 images": (3203, PAIRS, (0.85, 0.82, 0.75)),
    "pairs, 1,603 images": (1603, PAIRS, (0.85, 0.82, 0.75)),
    "pairs, 16,012 images": (16012, PAIRS, (0.85, 0.82, 0.75)),
    "pairs, 3,203 images, only dark lower": (3203, PAIRS, (0.84, 0.84, 0.74)),
    "types, 3,203 images": (3203, TYPES, (0.86, 0.85, 0.83, 0.82, 0.79, 0.75)),
}
_DRAWS = 1000


def sample_of(right, tone, n_tones, rng):
    """Accuracy by label and its noise over draws of images."""
    n = np.bincount(tone[tone >= 0], minlength=n_tones)
    scores = np.bincount(tone[tone >= 0], right[tone >= 0], n_tones) / n
    noise = rng.binomial(n, scores, (_DRAWS, n_tones)) / n - scores
    return Sample(scores, np.asfortranarray(noise), n.astype(float))


def main(n_sets):
    for name, (n, margins, accuracy) in SETTINGS.items():
        rng = np.random.default_rng(0)
        truth = np.ptp(accuracy)
        held = {"by label": [], "agreed": [], "corrected": []}
        wide, shown = {k: [] for k in held}, {k: [] for k in held}
        for _ in range(n_sets):
            latent = rng.normal(size=n)
            cuts = np.quantile(rng.normal(size=200_000), np.cumsum(margins)[:-1])
            seen = [
                np.sqrt(RELIABILITY) * latent + np.sqrt(1 - RELIABILITY) * rng.normal(size=n)
                for _ in range(2)
            ]
            true, first, second = (np.searchsorted(cuts, x) for x in (latent, *seen))
            right = rng.random(n) < np.array(accuracy)[true]
            raters = raters_of(first, second, len(margins))
            plain = sample_of(right, first, len(margins), rng)
            agreed = sample_of(right, np.where(first == second, first, -1), len(margins), rng)
            found = {
                "by label": (np.ptp(plain.scores), *gap_interval(plain, 0.95)),
                "agreed": (np.ptp(agreed.scores), *gap_interval(agreed, 0.95)),
                "corrected": corrected_gap(plain, raters, 0.95),
            }
            for key, (gap, low, high) in found.items():
                held[key].append(low <= truth <= high)
                wide[key].append(high - low)
                shown[key].append(gap)
        for key in held:
            sys.stdout.write(
                f"{name:37} {key:10} gap {100 * np.mean(shown[key]):5.1f} (true {100 * truth:.1f}), "
                f"holds it in {np.mean(held[key]):.1%}, width {100 * np.mean(wide[key]):.1f}\n"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
