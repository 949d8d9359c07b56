"""PQD, DPM and EOM from the integer counts of three published splits of DDI.

Stored results of FairDisCo's multi_evaluate notebook (five DDI splits, 132 test images each); the
counts of correct images per tone and class give them back to the four digits known.
"""

import numpy as np
import pytest

from tonegap.scores.metrics import score_table
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL

TONES = ("I-II", "III-IV", "V-VI")

# seed: ((benign, malignant) images by tone, (benign, malignant) correct by tone, published)
SPLITS = {
    123: (
        [(30, 8), (31, 16), (40, 7)],
        [(24, 6), (29, 5), (37, 4)],
        {"pqd": 0.8293, "dpm": 0.6378, "eom": 0.6359, "accuracy": 0.7955},
    ),
    0: (
        [(35, 8), (30, 16), (31, 12)],
        [(27, 7), (27, 8), (30, 6)],
        {"pqd": 0.9088, "dpm": 0.6222, "eom": 0.6843, "accuracy": 0.7955},
    ),
    64: (
        [(39, 5), (33, 13), (35, 7)],
        [(36, 0), (32, 2), (35, 4)],
        {"pqd": 0.7960, "dpm": 0.8263, "eom": 0.4615, "accuracy": 0.8258},
    ),
}


def images_of(totals, correct):
    """True class, called class and tone of each image."""
    y, called, tones = [], [], []
    for tone, n_images, n_correct in zip(TONES, totals, correct, strict=True):
        for label in (0, 1):
            right, wrong = n_correct[label], n_images[label] - n_correct[label]
            y += [label] * (right + wrong)
            called += [label] * right + [1 - label] * wrong
            tones += [tone] * (right + wrong)
    return np.array(y), np.array(called), tones


@pytest.mark.parametrize("metric", ["pqd", "dpm", "eom", "accuracy"])
@pytest.mark.parametrize("seed", SPLITS)
def test_integer_counts_give_the_published_value_to_four_digits(seed, metric):
    totals, correct, published = SPLITS[seed]
    y, called, tones = images_of(totals, correct)
    rules = ScoringRules(("benign", "malignant"), ("malignant",), tones=TONES)

    table = score_table(np.eye(2)[called], y, tones, rules)

    assert round(table.score(metric, ALL).value, 4) == published[metric]
