"""Predicted against simulated: half-widths of intervals and power of the gap: `bench_power.py [SETS]`.

Half-widths are those that the suite's own intervals have on simulated test sets, of the networks; the gap is tested as
the suite tests it, by permuted tone labels. Wanted: predicted half-widths within 10 % of the simulated ones.
"""

import sys

import numpy as np

from tonegap.scores.evidence.entries import EvidenceRequest, entry_means, evidence_of
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.nulls import OVER_ALL
from tonegap.scores.evidence.power import gap_power, half_width, images_for_gap
from tonegap.scores.tables import ALL, GAP

CLASSES = ("benign", "malignant")
SIZES = {"DDI": (45, 44, 43), "PAD": (180, 90, 20), "F17k": (582, 966, 669, 559, 299, 128)}


def answers_of(n, p, malignant, rng):
    tone = np.repeat(np.arange(len(n)), n)
    y = np.concatenate([np.arange(k) < round(k * malignant) for k in n]).astype(int)
    right = rng.random(len(y)) < np.asarray(p)[tone]
    said = np.where(right, y, 1 - y)
    score = np.where(said == 1, 0.8, 0.2)
    return TestAnswers(
        ids=tuple(map(str, range(len(y)))),
        labels=tuple(CLASSES[i] for i in y),
        tones=tuple(f"t{t}" for t in tone),
        units=tuple(range(len(y))),
        classes=CLASSES,
        p=np.column_stack((1 - score, score)),
        epoch=1,
        threshold=0.5,
    )


def evidence(n, p, rng, *, nulls):
    tones = tuple(f"t{i}" for i in range(len(n)))
    asked = EvidenceRequest(("malignant",), tones, "accuracy", nulls=nulls)
    return evidence_of(entry_means([answers_of(n, p, 0.25, rng)], asked, 400), asked, None)


def widths(n_sets, rng):
    worst = 0.0
    for name, n in SIZES.items():
        for p in (0.7, 0.8, 0.9):
            found = {}
            for _ in range(n_sets):
                for key, interval in evidence(
                    n, (p,) * len(n), rng, nulls=False
                ).network_intervals.items():
                    if interval.low is not None:
                        found.setdefault(key, []).append((interval.high - interval.low) / 2)
            slots = {ALL: sum(n), **{f"t{i}": k for i, k in enumerate(n)}}
            for metric, share in (("accuracy", 1.0), ("sensitivity", 0.25), ("specificity", 0.75)):
                off = []
                for tone, k in slots.items():
                    images = sum(round(x * 0.25) for x in n) if tone == ALL else round(k * 0.25)
                    images = {1.0: k, 0.25: images, 0.75: k - images}[share]
                    off.append(half_width(p, images) / np.mean(found[metric, tone]) - 1)
                worst = max(worst, *map(abs, off))
                sys.stdout.write(
                    f"{name:5} {p:.1f} {metric:12} predicted over simulated {min(off):+.1%} to {max(off):+.1%}\n"
                )
    sys.stdout.write(f"largest difference {worst:.1%}\n")


def powers(n_sets, rng):
    n = images_for_gap(0.8, 0.1, 3)
    for tones in ((n,) * 3, SIZES["F17k"]):
        p = [0.7] + [0.8] * (len(tones) - 1)
        hits = [
            evidence(tones, p, rng, nulls=True).nulls["accuracy", GAP, OVER_ALL].p < 0.05
            for _ in range(n_sets)
        ]
        sys.stdout.write(
            f"first tone 10 points lower, images {tones}: predicted power {gap_power(tones, 0.8, 0, 0.1):.2f}, "
            f"found in {np.mean(hits):.2f} of {n_sets} sets\n"
        )


def main(n_sets):
    rng = np.random.default_rng(0)
    widths(n_sets, rng)
    powers(2 * n_sets, rng)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
