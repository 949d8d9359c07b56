"""How well the measured and the shrunken worst tone order entries: `python benchmarks_of_code/bench_worst_rank.py`.

20 entries, 5 seeds, sd of methods 2 points and of method by tone 1 or 3; image difficulty shared by all entries. The
truth is the smallest expected accuracy over tones. Prints Kendall's tau and how often the best entry is found.
"""

import sys

import numpy as np
from scipy.stats import kendalltau, norm

from tonegap.results.shrinkage import shrink

ENTRIES, SEEDS, SHARED = 20, 5, 0.8
FITZPATRICK = (589, 962, 662, 556, 307, 127), (0.84, 0.83, 0.82, 0.80, 0.78, 0.74)
SETTINGS = {
    "Fitzpatrick17k": (*FITZPATRICK, 60),
    "the same, VI of 20": ((589, 962, 662, 556, 307, 20), FITZPATRICK[1], 60),
    "DDI": ((49, 45, 38), (0.85, 0.76, 0.85), 200),
    "six tones of 20": ((20,) * 6, FITZPATRICK[1], 200),
}


def one_set(rng, n_images, accuracy, sd):
    """Scores [entries, seeds, tones], noise of each tone [tones], and the true worst of each entry."""
    tones = len(n_images)
    p = np.array(accuracy) + rng.normal(0, 0.02, (ENTRIES, 1)) + rng.normal(0, sd, (ENTRIES, tones))
    p = np.clip(p, 0.02, 0.98)
    scores, noise = np.zeros((ENTRIES, SEEDS, tones)), np.zeros(tones)
    rest = np.sqrt((1 - SHARED) / 2)
    for t, n in enumerate(n_images):
        shared = rng.normal(0, np.sqrt(SHARED), n)
        own = rng.normal(0, rest, (ENTRIES, 1, n)) + rng.normal(0, rest, (ENTRIES, SEEDS, n))
        right = norm.ppf(p[:, t])[:, None, None] + shared + own > 0
        scores[:, :, t] = right.mean(axis=2)
        left = right.mean(axis=1) - right.mean(axis=(0, 1))
        noise[t] = (left.var(axis=1, ddof=1) / n).sum() / (ENTRIES - 1)
    return scores, noise, p.min(axis=1)


def main() -> None:
    """Prints a Markdown table; a minute on one core."""
    rng = np.random.default_rng(1)
    lines = ["| test images | sd, method by tone | worst as measured | shrunken worst |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for name, (n_images, accuracy, sets) in SETTINGS.items():
        for sd in (0.01, 0.03):
            found = {"measured": [], "shrunken": []}
            for _ in range(sets):
                scores, noise, truth = one_set(rng, n_images, accuracy, sd)
                means = scores.mean(axis=1)
                shrunken = shrink(means, noise, np.ones(ENTRIES, dtype=np.bool_)).scores
                rules = {
                    "measured": scores.min(axis=2).mean(axis=1),
                    "shrunken": shrunken.min(axis=1),
                }
                for rule, value in rules.items():
                    best = value.argmax() == truth.argmax()
                    found[rule].append((kendalltau(value, truth)[0], best))
            cells = [np.mean(found[rule], axis=0) for rule in ("measured", "shrunken")]
            shown = " | ".join(f"{tau:.2f} / {100 * best:.0f} %" for tau, best in cells)
            lines.append(f"| {name} | {100 * sd:.0f} | {shown} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
