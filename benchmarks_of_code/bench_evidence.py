"""How long intervals take: `python benchmarks_of_code/bench_evidence.py`.

10 entries on 3,203 images of six types (wanted: 2,000 draws of all metrics in 10 s), and fairlearn's own
bootstrap of metrics that both have (wanted: 500 times as long a draw). Ratios are of processor time.
"""

import sys
import time
import warnings

import numpy as np
from fairlearn.metrics import MetricFrame
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from tonegap.scores import counts
from tonegap.scores.evidence.bootstrap import draw_weights
from tonegap.scores.evidence.entries import EvidenceRequest, entry_evidence
from tonegap.scores.evidence.images import TestAnswers, TestImages, tone_indices
from tonegap.scores.evidence.pairs import compare_all
from tonegap.scores.formulas import metric_values
from tonegap.scores.rules import ScoringRules

TONE_COUNTS = {"I": 598, "II": 923, "III": 688, "IV": 571, "V": 309, "VI": 114}
CLASSES = ("benign", "malignant", "non-neoplastic")
N_ENTRIES, N_DRAWS, N_FAIRLEARN = 10, 2000, 5


def entry(seed):
    """One entry's answers; all entries have the same images."""
    truth, rng = np.random.default_rng(0), np.random.default_rng([1, seed])
    tones = np.repeat(list(TONE_COUNTS), list(TONE_COUNTS.values()))
    y = truth.integers(len(CLASSES), size=len(tones))
    p = rng.dirichlet(np.ones(len(CLASSES)), len(tones))
    p[np.arange(len(y)), y] += 0.5
    return TestAnswers(
        ids=tuple(map(str, range(len(y)))),
        labels=tuple(CLASSES[i] for i in y),
        tones=tuple(tones),
        units=tuple(range(len(y))),
        classes=CLASSES,
        p=p / p.sum(axis=1, keepdims=True),
        epoch=1,
        threshold=None,
    )


def fairlearn_seconds(answers):
    """Processor seconds of one draw of fairlearn's own bootstrap, and its point values."""
    shared = {
        "accuracy": accuracy_score,
        "balanced_accuracy": balanced_accuracy_score,
        "macro_f1": lambda y, z: f1_score(y, z, average="macro"),
    }
    said = answers.p.argmax(axis=1)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = MetricFrame(
            metrics=shared,
            y_true=answers.y,
            y_pred=said,
            sensitive_features=np.array(answers.tones),
            n_boot=N_FAIRLEARN,
            ci_quantiles=[0.025, 0.975],
            random_state=0,
        )
    return (time.process_time() - start) / (N_FAIRLEARN + 1), frame


def our_seconds(answers):
    """Processor seconds of one of our draws: every metric but the areas under the ROC curve."""
    rules = ScoringRules(CLASSES, (), None, 1, tuple(TONE_COUNTS))
    tones = tone_indices(answers.tones, tuple(TONE_COUNTS))
    images = TestImages(answers.ids, answers.y, tones, np.array(answers.units), tuple(TONE_COUNTS))
    said = counts.answers(answers.p, answers.y, rules)
    start = time.process_time()
    weights = draw_weights((images,), N_DRAWS)[0]
    drawn = counts.count_draws(images.y, tones, len(TONE_COUNTS), said, weights, with_auc=False)
    metric_values(drawn, has_event=False)
    return (time.process_time() - start) / N_DRAWS


def pair_seconds(entries):
    """Processor seconds of all pairs of 40 entries in every score, and how many scores that are."""
    asked = EvidenceRequest((), tuple(TONE_COUNTS), "accuracy", everything=False, compared=True)
    scores = [entry_evidence([answers], asked, N_DRAWS).scores for answers in entries]
    forty = [scores[i % len(scores)] for i in range(40)]
    point = np.zeros((len(forty), len(scores[0].names)))
    start = time.process_time()
    pairs = compare_all(point, forty, np.ones(point.shape[1]))
    return time.process_time() - start, pairs.p.shape


def main():
    asked = EvidenceRequest((), tuple(TONE_COUNTS), "accuracy")
    entries = [entry(seed) for seed in range(N_ENTRIES)]
    start, wall = time.process_time(), time.perf_counter()
    evidence = [entry_evidence([answers], asked, N_DRAWS) for answers in entries]
    cpu, wall = time.process_time() - start, time.perf_counter() - wall
    ours = our_seconds(entries[0])
    of_pairs, (n_pairs, n_scores) = pair_seconds(entries)
    theirs, frame = fairlearn_seconds(entries[0])
    inside = all(
        evidence[0].shown[metric, tone].low
        <= frame.by_group[metric][tone]
        <= evidence[0].shown[metric, tone].high
        for metric in ("accuracy", "balanced_accuracy", "macro_f1")
        for tone in TONE_COUNTS
    )
    same = abs(evidence[0].drawn.point["all"] - frame.overall["accuracy"])
    sys.stdout.write(
        f"{N_ENTRIES} entries x {N_DRAWS} draws x all metrics and intervals: "
        f"{cpu:.2f} cpu-s, {wall:.2f} s wall\n"
        f"a draw of all metrics but auc: {1e3 * ours:.4f} ms; "
        f"of 3 of them by fairlearn: {1e3 * theirs:.0f} ms; ratio {theirs / ours:,.0f}\n"
        f"{n_pairs} pairs of 40 entries x {n_scores} scores x {N_DRAWS} draws: {of_pairs:.2f} cpu-s\n"
        f"overall accuracy differs from fairlearn's by {same:.1e}; "
        f"its values by tone are inside our intervals: {inside}\n"
    )


if __name__ == "__main__":
    main()
