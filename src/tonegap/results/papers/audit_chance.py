"""Reported gaps, ratios and leads against chance: what equal tones and equal entries report.

The mistake it exists to prevent: a difference taken for a finding that equal tones or equal entries show as often.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from tonegap.arrays import FloatArray, IntArray
from tonegap.results.papers.audit_reading import (
    ALPHA,
    AuditVerdict,
    Reading,
    chance_text,
    images_of,
    share_text,
)
from tonegap.scores.evidence import grim as could
from tonegap.scores.evidence.parity import parity

_RECALLS = (0.5, 0.65, 0.8)
_CORRELATIONS = (0.0, 0.5, 0.8)
_RATIOS = frozenset({"PQD", "DPM", "EOM"})


def _nulls(r: Reading) -> None:
    """Gap, PQD, DPM, EOM beside what tones of equal accuracy or recall report."""
    for row in r.rows:
        n = r.n_by_tone(row.name)
        tones, mean = r.of_tones(row.name), r.one(row.name, "accuracy")
        if not tones or mean is None or len(n) != len(tones):
            continue
        sets = 1 if r.fits.get(row.name) and r.tests.sets > 1 and r.sizes else r.tests.sets
        null = could.equal_tones(mean.value, n, sets, r.rng)
        gap = max(t.value for t in tones) - min(t.value for t in tones)
        _beside(r, row.name, "gap", gap, null.gap, f"accuracy {share_text(mean.value, mean)}")
        pqd = r.one(row.name, "pqd")
        if pqd:
            _beside(
                r, row.name, "PQD", pqd.value, null.pqd, f"accuracy {share_text(mean.value, mean)}"
            )
        _recall_nulls(r, row.name, mean.value, n, sets)


def _recall_nulls(r: Reading, row: str, accuracy: float, n: Sequence[float], sets: int) -> None:
    if not r.tests.pool:
        return
    pool = np.array(r.tests.pool, dtype=float)
    positive = (
        np.array(r.positives)
        if r.positives and r.fits.get(row)
        else pool[:, 1] / pool.sum(axis=1) * np.array(n)
    )
    images = np.column_stack((np.array(n) - positive, positive))
    rate = positive.sum() / sum(n)
    drawn: dict[str, list[FloatArray]] = {"dpm": [], "eom": []}
    for recall in _RECALLS:
        other = min((accuracy - recall * rate) / (1 - rate), 1.0)
        for name, values in could.equal_recall(
            (other, recall), images.tolist(), sets, r.rng
        ).items():
            drawn[name].append(values)
    for name, nulls in drawn.items():
        score = r.one(row, name)
        if score:
            closest = max(nulls, key=lambda null: min((null <= score.value).mean(), 0.5))
            _beside(
                r,
                row,
                name.upper(),
                score.value,
                closest,
                "equal recall of 50 to 80 % of the positives",
            )


def _beside(
    r: Reading,
    row: str,
    name: str,
    value: float,
    null: FloatArray,
    at: str,
) -> None:
    """Says where a score lies among those of equal tones."""
    alike = parity(value, null, larger_is_alike=name in _RATIOS)
    if alike is None:
        return
    scale, unit, digits = (100, " points", 1) if name == "gap" else (1, "", 3)
    shown = (f"{scale * x:.{digits}f}" for x in (value, alike.expected, alike.low, alike.high))
    why = "{} {}{}; equal tones at {} report {} ({} to {}), p {}".format(
        name, next(shown), unit, at, *shown, chance_text(alike.p)
    )
    verdict: AuditVerdict = (
        "within what equal tones print" if alike.p >= ALPHA else "beyond what equal tones print"
    )
    r.say(f"null of {name}", verdict, why, row, p=alike.p)


def _odds(r: Reading) -> None:
    """Eopp1 and Eodd beside those of two groups with the same recall of every class."""
    if not r.tests.cells:
        return
    images: IntArray = np.array(r.tests.cells)
    for row, name in product(r.rows, r.columns("eopp1", "eodd")):
        score = r.cells[row.name].get(name)
        if score is None:
            continue
        level = r.one(row.name, "macro_f1") or r.one(row.name, "accuracy")
        centre = level.value if level else 0.5
        half = 1.0 if name.lower().startswith("eopp") else 0.5
        spread = r.rng.beta(4 * centre, 4 * (1 - centre), (2000, len(images), 1))
        nulls = []
        for recall in (np.full_like(spread, centre), spread):
            shares = r.rng.binomial(images, recall) / np.maximum(images, 1)
            nulls.append(half * np.abs(shares[..., 0] - shares[..., 1]).mean(axis=1))
        closest = max(nulls, key=lambda null: float((null >= score.value).mean()))
        at = f"equal recall, {centre:.2f} in the mean, alike in all classes or not"
        _beside(r, row.name, name, score.value, closest, at)


def _claims(r: Reading) -> None:
    """The chance that the best row's lead over the next is luck, on one test set and over random splits."""
    whole = r.columns("accuracy", by_tone=False)
    if len(whole) != 1:
        return
    ranked = sorted(
        (row.name for row in r.rows if whole[0] in r.cells[row.name]),
        key=lambda row: -r.cells[row][whole[0]].value,
    )
    if len(ranked) < 2 or (r.tones and not r.n_by_tone(ranked[0])):
        return
    best, other = ranked[:2]
    n = images_of(r, best)
    for name in (whole[0], *r.tones):
        a, b = r.cells[best].get(name), r.cells[other].get(name)
        if a is None or b is None or not n.get(name) or a.value <= b.value:
            continue
        chances = [could.luck(a, b, n[name], c) for c in _CORRELATIONS]
        why = (
            f"ahead of {other} by {100 * (a.value - b.value):.1f} points: on one test set of {n[name]:.0f} images "
            f"p {' / '.join(map(chance_text, chances))} at correlation 0 / 0.5 / 0.8"
        )
        p = chances[1]
        if r.tests.sets > 1 and r.tests.training:
            over = could.luck_over_sets(a, b, r.tests.sets, n[whole[0]] / r.tests.training)
            if np.isfinite(over):
                why += f"; over {r.tests.sets} splits p {chance_text(over)}"
                p = max(p, over)
        r.say(
            "claim of outperformance",
            "luck not excluded" if p >= ALPHA else "luck unlikely",
            why,
            best,
            name,
            p,
        )


TESTS = (_nulls, _odds, _claims)
