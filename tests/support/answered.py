"""A leaderboard whose entries kept their answers: how often each is right is given by tone."""

import numpy as np

from tonegap.results.leaderboard import leaderboard
from tonegap.results.levelling import with_claims
from tonegap.scores.evidence.images import TestAnswers

TONES = ("I", "II", "III", "IV", "V", "VI")
CLASSES = ("acne", "eczema", "nevus", "psoriasis")
LEVELS = {
    "none+erm": (0.9, 0.9, 0.9, 0.85, 0.7, 0.55),
    "good+erm": (0.9, 0.9, 0.9, 0.9, 0.88, 0.86),
    "same+erm": (0.9, 0.9, 0.9, 0.9, 0.88, 0.86),
    "none+chance": (0.25,) * 6,
}


def answers_of(accuracy, seed, n=600):
    """Answers to n images, those of each tone right as often as `accuracy` says."""
    rng = np.random.default_rng(seed)
    tone, y = np.arange(n) % 6, np.arange(n) // 6 % 4
    right = rng.random(n) < np.array(accuracy)[tone]
    predicted = np.where(right, y, (y + 1) % 4)
    p = np.full((n, 4), 0.1)
    p[np.arange(n), predicted] = 0.7
    return TestAnswers(
        ids=tuple(map(str, range(n))),
        labels=tuple(CLASSES[i] for i in y),
        tones=tuple(TONES[t] for t in tone),
        units=tuple(range(n)),
        classes=CLASSES,
        p=p,
        epoch=1,
        threshold=None,
    )


def board_with_answers(make_record, entry, cell, settings):
    """A function that makes a board of entries by their accuracy; `kept`: those whose answers are there.

    Records say that the tones `undefined` have too few images.
    """

    def make(levels, kept=None, seeds=(0, 1), undefined=(), relabel=lambda said: said):
        cells, answers = [], {}
        for i, (name, accuracy) in enumerate(levels.items()):
            for seed in seeds:
                said = relabel(answers_of(accuracy, 10 * i + seed))
                right = said.p.argmax(axis=1) == said.y
                per_tone = {
                    t: float(right[np.arange(600) % 6 == k].mean()) for k, t in enumerate(TONES)
                }
                per_tone |= dict.fromkeys(undefined, "too few images (min_support 5)")
                control = name.endswith("chance")
                record = make_record(entry(name), seed, per_tone, float(right.mean()), control)
                cells.append(cell(record))
                answers[name, seed] = said if kept is None or name in kept else None

        def said_by(record):
            return answers[f"{record.entry.method}+{record.entry.baseline}", record.seed]

        return with_claims(leaderboard(cells, settings, said_by), said_by)

    return make
