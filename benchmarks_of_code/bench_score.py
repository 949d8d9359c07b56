"""How long scoring takes: `python benchmarks_of_code/bench_score.py`.

Two sizes: the Fitzpatrick17k test set of 3,203 images with its tone counts, 20 epochs, 3 classes
(wanted: all epochs fully scored in 2 s), and the same with 114 classes. The ratio compares with one
fairlearn MetricFrame of scikit-learn's metrics, which gives 6 of the 14 metrics and treats a hole as
a number.
"""

import sys
import time
import warnings

import numpy as np
from fairlearn.metrics import MetricFrame, selection_rate
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score

from tonegap.scores.metrics import score_table
from tonegap.scores.predictions import Labelled
from tonegap.scores.rules import ScoringRules
from tonegap.scores.selection import select
from tonegap.scores.tables import SELECTION_METRICS

TONE_COUNTS = {"I": 598, "II": 923, "III": 688, "IV": 571, "V": 309, "VI": 114}
N_EPOCHS = 20


def draw_images(n_classes, seed=0):
    """Predictions of 20 epochs that grow better, for 3,203 images of six types."""
    rng = np.random.default_rng(seed)
    tones = np.repeat(list(TONE_COUNTS), list(TONE_COUNTS.values()))
    shares = rng.dirichlet(np.full(n_classes, 2.0))
    y = rng.choice(n_classes, len(tones), p=shares)
    y[:n_classes] = np.arange(n_classes)
    p = rng.dirichlet(np.ones(n_classes), (N_EPOCHS, len(tones)))
    certainty = np.linspace(0, 0.5, N_EPOCHS)[:, None, None]
    p = (1 - certainty) * p + certainty * np.eye(n_classes)[y]
    classes = tuple(f"class {c}" for c in range(n_classes))
    ids = tuple(f"{i}" for i in range(len(tones)))
    return Labelled(classes, ids, tuple(range(N_EPOCHS)), p, y, tuple(tones))


def seconds_to_score(images, rules):
    """Wall seconds to score every epoch."""
    start = time.perf_counter()
    for p in images.p:
        score_table(p, images.y, images.tones, rules)
    return time.perf_counter() - start


def seconds_of_one_frame_per_epoch(images):
    """Wall seconds for MetricFrame with scikit-learn's metrics, one class against the rest."""
    metrics = {
        "accuracy": accuracy_score,
        "balanced_accuracy": balanced_accuracy_score,
        "f1": f1_score,
        "sensitivity": recall_score,
        "specificity": lambda y, called: recall_score(1 - y, 1 - called),
        "selection_rate": selection_rate,
    }
    y = (images.y == 1).astype(int)
    start = time.perf_counter()
    for p in images.p:
        called = (p.argmax(axis=1) == 1).astype(int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            MetricFrame(
                metrics=metrics, y_true=y, y_pred=called, sensitive_features=np.array(images.tones)
            )
    return time.perf_counter() - start


def main():
    """Writes one line per figure."""
    say = sys.stdout.write
    for n_classes in (3, 114):
        images = draw_images(n_classes)
        positive = images.classes[1:2] if n_classes == 3 else ()
        rules = ScoringRules(images.classes, positive)
        score_table(images.p[0], images.y, images.tones, rules)
        ours = min(seconds_to_score(images, rules) for _ in range(3))
        say(f"{n_classes} classes: 3,203 images x 20 epochs x 14 metrics in {ours:.2f} s\n")
        if n_classes == 3:
            naive = seconds_of_one_frame_per_epoch(images)
            say(f"  MetricFrame with 6 metrics of scikit-learn: {naive:.2f} s ")
            say(f"({naive / ours:.1f} times as long)\n")
        for metric in SELECTION_METRICS:
            start = time.perf_counter()
            select(images, metric, rules)
            say(f"  select by {metric}: {time.perf_counter() - start:.3f} s\n")


if __name__ == "__main__":
    main()
