"""Reported scores against each other and their own bounds, whatever the counts: shares, spreads, worst tone and gap.

The mistake it exists to prevent: a table checked cell by cell whose cells contradict each other.
"""

from collections.abc import Iterator
from itertools import product

from tonegap.declared.paper import SHARES
from tonegap.results.papers.audit_reading import (
    IMPOSSIBLE,
    MOST_SEARCHED,
    Reading,
    share_text,
)
from tonegap.scores.evidence import grim as could
from tonegap.scores.evidence.grim import Rounded
from tonegap.scores.evidence.grimmer import widest_spread
from tonegap.scores.tables import ALL, GAP, METRIC_NAMES, WORST, metric_named

# The others sum over classes or divide by a mean.
_WITHIN = frozenset({*METRIC_NAMES, "f1"} - {"nar"})
# Images of a test set whose numbers of positives are all tried.
_MOST_SPLIT = 20_000


def _range(r: Reading) -> None:
    """Shares outside 0 to 100 %, which no other test reads."""
    for row, name in product(r.rows, r.columns(*_WITHIN, gaps=True)):
        share = r.cells[row.name].get(name)
        if share is None or (share.low <= 1 and share.high >= 0):
            continue
        del r.cells[row.name][name]
        why = f"{share_text(share.value, share)} lies outside 0 to 100 %"
        r.say("range of a share", IMPOSSIBLE, why, row.name, name)


def _widest(r: Reading) -> None:
    """Spreads beyond that of shares which are all 0 or 100 %."""
    sets = max(r.tests.sets, 2)
    for row, name in product(r.rows, r.columns(*_WITHIN, gaps=True)):
        share = r.cells[row.name].get(name)
        if share is None or share.spread is None:
            continue
        most = widest_spread(share, sets)
        if share.spreads[0] > most and not r.flagged(row.name, name):
            of = f"{sets} shares" if r.tests.sets > 1 else "shares"
            why = f"{of} with this mean have a standard deviation of at most {share_text(most, share)}"
            r.say("largest spread", IMPOSSIBLE, why, row.name, name)


def _worst_and_gap(r: Reading) -> None:
    """Whether the worst tone and the gap beside tones are theirs.

    Of one test set they follow; of the mean of several the worst is no better, and the gap no smaller.
    """
    for metric in dict.fromkeys(c.metric for c in r.table.columns if c.metric in _WITHIN):
        names = r.columns(metric, by_tone=True)
        for row in r.rows:
            tones = [c for name in names if (c := r.cells[row.name].get(name))]
            exact = r.tests.sets == 1 and len(tones) == len(names)
            for column, least, most in _of_tones(r, row.name, metric, tones, exact=exact):
                share = r.cells[row.name].get(column)
                if share is None or (share.high >= least and share.low <= most):
                    continue
                ends = dict.fromkeys(share_text(x, share) for x in (least, most))
                why = f"the scores by tone give {' to '.join(ends)}"
                r.say("worst tone and gap", IMPOSSIBLE, why, row.name, column)


def _of_tones(
    r: Reading, row: str, metric: str, tones: list[Rounded], *, exact: bool
) -> Iterator[tuple[str, float, float]]:
    """Columns of the worst tone and the gap with the least and the greatest value that the tones shown leave."""
    better = metric not in METRIC_NAMES or metric_named(metric).larger_is_better
    lows, highs = [t.low for t in tones], [t.high for t in tones]
    for column in (c for c in r.table.columns if c.metric == metric):
        if column.tone == GAP and len(tones) > 1:
            yield (
                column.name,
                max(max(lows) - min(highs), 0.0),
                max(highs) - min(lows) if exact else 1.0,
            )
        if column.tone == WORST and tones and better:
            yield column.name, min(lows) if exact else 0.0, min(highs)
        if column.tone == WORST and tones and not better:
            yield column.name, max(lows), max(highs) if exact else 1.0
        if column.tone == WORST and not tones and metric in SHARES and not r.tests.unknown:
            whole = r.one(row, metric)
            yield column.name, 0.0, whole.high if whole else 1.0


def _classes(r: Reading) -> None:
    """Whether accuracy is a mean of sensitivity and specificity, as it is of two classes at one threshold."""
    places = {(c.metric, c.tone): c.name for c in r.table.columns}
    tones = dict.fromkeys(tone for metric, tone in places if metric == "accuracy")
    for row in r.rows:
        for tone in (t for t in tones if t not in {WORST, GAP}):
            names = [places.get((m, tone), "") for m in ("accuracy", "sensitivity", "specificity")]
            accuracy, *sides = (r.cells[row.name].get(name) for name in names)
            both = [side for side in sides if side]
            if accuracy is None or len(both) < 2 or r.flagged(row.name, names[0]):
                continue
            least, most = _mean_of_classes(r, names, both, tone)
            if accuracy.high < least or accuracy.low > most:
                ends = dict.fromkeys(share_text(x, accuracy) for x in (least, most))
                why = f"of two classes at one threshold, sensitivity and specificity give {' to '.join(ends)}"
                r.say("accuracy of the classes", IMPOSSIBLE, why, row.name, names[0])


def _mean_of_classes(
    r: Reading, names: list[str], sides: list[Rounded], tone: str
) -> tuple[float, float]:
    """The least and the greatest accuracy of two classes, as far as their images are known; 0 and 1 if not at all."""
    n, *images = (r.tests.images.get(name, 0) for name in names)
    totals = r.tests.totals or (0, 1)
    n = n or (totals[0] if tone == ALL and totals[0] == totals[1] else 0)
    if n and any(images):
        images = [k or n - sum(images) for k in images]
    if all(k > 0 for k in images):
        return could.weighted_range(sides, [k * r.tests.sets for k in images])
    if r.tests.sets > 1:
        return 0.0, 1.0
    ends = min(s.low for s in sides), max(s.high for s in sides)
    able = [
        could.weighted_range(sides, (k, n - k))
        for k in range(1, n if n <= _MOST_SPLIT else 0)
        if could.counts_of(sides[0], k) and could.counts_of(sides[1], n - k)
    ]
    return (min(a for a, _ in able), max(b for _, b in able)) if able else ends


def _f1(r: Reading) -> None:
    """F1 of one class among known numbers of images of one test set."""
    totals = r.tests.totals or (0, 1)
    for row in r.rows if r.tests.sets == 1 else ():
        for column in (c for c in r.table.columns if c.metric == "f1"):
            share = r.cells[row.name].get(column.name)
            n = r.tests.images.get(column.name, 0)
            n = n or (totals[0] if column.tone == ALL and totals[0] == totals[1] else 0)
            if share is None or not n or column.tone == GAP or could.f1_fits(share, n):
                continue
            why = f"no counts of {n} images give one class this F1"
            r.say("F1 of known images", IMPOSSIBLE, why, row.name, column.name)


def _unread(r: Reading) -> None:
    """What was said of images or is in a column that no test reads."""
    read = {*SHARES, *(("f1",) if r.tests.sets == 1 else ())}
    for column in r.table.columns:
        if column.name in r.tests.images and (column.metric not in read or column.tone == GAP):
            why = f"images of {column.name} are known, and no test here reads them"
            r.say("columns read", "not testable", why, "", column.name)
    if r.tests.sets == 1 and r.tests.totals and r.tests.totals[1] > MOST_SEARCHED:
        low, high = r.tests.totals
        if low != high:
            why = f"test sets of {low} to {high} images are not searched; up to {MOST_SEARCHED} are"
            r.say("one test set, searched", "not testable", why)


FIRST, TESTS = (_range,), (_worst_and_gap, _classes, _f1, _widest, _unread)
