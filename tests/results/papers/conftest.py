"""One seed of one entry, scored as a run scores it."""

import numpy as np
import pytest
from records import CLASSES, plain_record

from tonegap.formats.matrix import RunId, RunOutcome
from tonegap.formats.record import SELECTIONS, EntryId, Selected
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.metrics import score_table
from tonegap.scores.results import columns_of
from tonegap.scores.rules import ScoringRules
from tonegap.scores.task_rules import tone_axes
from tonegap.tones import TYPES


def answers_of(n=300):
    """Two classes, six types, four of five right and fewer on types V and VI."""
    rng = np.random.default_rng(0)
    tone, y = np.arange(n) % 6, np.arange(n) // 6 % 2
    right = rng.random(n) < np.where(tone > 3, 0.65, 0.85)
    p_right = np.where(right, 0.8, 0.3)
    p = np.where(np.eye(2)[y] > 0, p_right[:, None], 1 - p_right[:, None])
    return TestAnswers(
        ids=tuple(map(str, range(n))),
        labels=tuple(CLASSES[i] for i in y),
        tones=tuple(TYPES[t] for t in tone),
        units=tuple(range(n)),
        classes=CLASSES,
        p=p,
        epoch=1,
        threshold=None,
    )


def record_of(answers):
    """The record of these answers, the same under every selection rule."""
    tables = {}
    for axis, tones, scored in tone_axes(answers.tones, TYPES):
        rules = ScoringRules(CLASSES, ("malignant",), None, 1, scored)
        tables[axis] = columns_of(score_table(answers.p, answers.y, tones, rules))
    return plain_record(
        entry=EntryId("none", "erm", "resnet18"),
        baseline_parameters={"epochs": 20, "weights": "none"},
        tones=TYPES,
        published_selection="test-oracle",
        scores=dict.fromkeys(SELECTIONS, Selected(1, None, tables)),
    )


@pytest.fixture(scope="session")
def record_and_answers():
    answers = answers_of()
    record = record_of(answers)
    return RunOutcome(
        RunId(record.entry, record.task, 0, "key", control=False), record, None
    ), answers
