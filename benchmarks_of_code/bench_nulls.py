"""How often a gap's null is rejected where no tone is harder: `python benchmarks_of_code/bench_nulls.py [SETS]`.

Test sets of Fitzpatrick17k's size and of DDI's; recall depends on the class alone. With the same classes in every
tone both nulls should be rejected in 5 %; with other shares of classes by tone, as in the published data, only the
one within class.
"""

import sys

import numpy as np

from tonegap.scores.counts import answers, count_once
from tonegap.scores.evidence.images import TestImages
from tonegap.scores.evidence.nulls import OVER_ALL, WITHIN_CLASS, tone_nulls
from tonegap.scores.formulas import metric_values
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, GAP

CLASSES = ("non-neoplastic", "benign", "malignant")
RECALL = np.array([0.92, 0.45, 0.60])
SIZES = {"Fitzpatrick17k": (589, 962, 662, 556, 307, 127), "DDI": (49, 45, 38)}
SHOWN = (("accuracy", GAP), ("pqd", ALL), ("eom", ALL))


def one_set(n, mix, rng):
    """p of each score's two nulls in one test set without any difference between tones within a class."""
    tone = np.repeat(np.arange(len(n)), n)
    y = np.array([rng.choice(len(CLASSES), p=mix[t]) for t in tone])
    right = rng.random(len(y)) < RECALL[y]
    predicted = np.where(right, y, (y + rng.integers(1, 3, len(y))) % 3)
    p = np.where(np.eye(3)[predicted] > 0, 0.8, 0.1)
    tones = tuple(map(str, range(len(n))))
    ids = tuple(map(str, range(len(y))))
    images = TestImages(ids, y, tone, np.arange(len(y)), tones)
    said = answers(p, y, ScoringRules(CLASSES, (), None, 1, tones))
    point = metric_values(count_once(y, tone, len(n), said, with_auc=False), has_event=False)
    return tone_nulls([(images, said)], [point], has_event=False, with_auc=False)


def main(n_sets):
    rng = np.random.default_rng(0)
    for name, n in SIZES.items():
        light = np.linspace(
            0.70, 0.80, len(n)
        )  # of non-neoplastic images, from the lightest tone on
        for about, share in (("same classes", np.full(len(n), 0.75)), ("other classes", light)):
            mix = np.column_stack((share, (1 - share) / 2, (1 - share) / 2))
            sets = [one_set(n, mix, rng) for _ in range(n_sets)]
            for metric, score in SHOWN:
                told = [
                    np.mean([s[metric, score, kind].p < 0.05 for s in sets if (metric, score, kind) in s])
                    for kind in (OVER_ALL, WITHIN_CLASS)
                ]  # fmt: skip
                sys.stdout.write(
                    f"{name:15} {about:14} {metric:9} p < 0.05 over all in {told[0]:5.1%}, "
                    f"within class in {told[1]:5.1%}\n"
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
