"""How often intervals hold the truth: `python tests/benchmarks/bench_coverage.py [DRAWS]`.

500 test sets are drawn from known accuracies by tone, of the size of DDI's and of Fitzpatrick17k's test
split. Beside each interval of this suite: that of plain bootstrap percentiles.
"""

import sys

import numpy as np

from tonegap.evidence.extremes import Sample, gap_interval, worst_interval

SIZES = {"DDI": (42, 48, 41), "Fitzpatrick17k": (589, 962, 662, 556, 307, 127)}
TRUTHS = {
    "DDI": [(0.82, 0.82, 0.82), (0.85, 0.82, 0.80), (0.85, 0.75, 0.85), (0.90, 0.73, 0.85)],
    "Fitzpatrick17k": [
        (0.80,) * 6,
        (0.82, 0.81, 0.80, 0.79, 0.78, 0.77),
        (0.84, 0.83, 0.80, 0.79, 0.78, 0.74),
        (0.85, 0.84, 0.82, 0.78, 0.72, 0.65),
    ],
}
N_IMAGE_DRAWS = 1000


def coverage(n, truth, n_sets, rng):
    """Shares of test sets whose interval holds the truth: gap, worst, gap by percentiles."""
    n, truth = np.array(n), np.array(truth)
    gap, held = np.ptp(truth), np.zeros(3)
    for _ in range(n_sets):
        scores = rng.binomial(n, truth) / n
        drawn = rng.binomial(n, scores, size=(N_IMAGE_DRAWS, len(n))) / n
        sample = [Sample(scores, drawn - scores)]
        low, high = gap_interval(sample, 0.95)
        held[0] += low - 1e-9 <= gap <= high + 1e-9
        low, high = worst_interval(sample, 0.95, larger_is_better=True)
        held[1] += low <= truth.min() <= high
        low, high = np.quantile(np.ptp(drawn, axis=1), [0.025, 0.975])
        held[2] += low <= gap <= high
    return held / n_sets


def main(n_sets):
    rng = np.random.default_rng(0)
    sys.stdout.write("test set        true gap     gap   worst  gap, percentiles\n")
    for name, truths in TRUTHS.items():
        for truth in truths:
            gap, worst, plain = coverage(SIZES[name], truth, n_sets, rng)
            sys.stdout.write(
                f"{name:15} {np.ptp(truth):8.2f} {gap:7.1%} {worst:7.1%} {plain:17.1%}\n"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
