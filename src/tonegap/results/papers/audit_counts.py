"""Reported shares against arithmetic: which counts of images give them, alone and together.

The mistake it exists to prevent: a claim that rests on a number that no count of images gives.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy.stats import hypergeom

from tonegap.arrays import FloatArray
from tonegap.declared.paper import SHARES
from tonegap.results.papers.audit_reading import (
    IMPOSSIBLE,
    IMPROBABLE,
    MOST_SEARCHED,
    RARE,
    AuditVerdict,
    Reading,
    chance_text,
    images_of,
    share_text,
)
from tonegap.scores.evidence import grim as could
from tonegap.scores.evidence.grim import Rounded
from tonegap.scores.evidence.grimmer import spread_fits
from tonegap.scores.tables import ALL, WORST


def _grim(r: Reading) -> None:
    """Shares of known numbers of images, and means and spreads of as many test sets (GRIM, GRIMMER)."""
    tested, values = 0, []
    totals = r.tests.totals or (0, 1)
    exact = totals[0] == totals[1]
    whole = {name: totals[0] for name in r.columns("accuracy", by_tone=False) if exact}
    for row, name in product(r.rows, r.columns(*SHARES)):
        share, n = r.cells[row.name].get(name), r.tests.images.get(name) or whole.get(name)
        if share is None or not n:
            continue
        tested += 1
        values.append(min(2 * share.half * n * r.tests.sets, 1.0))
        _judge_count(r, row.name, name, share, n)
    if tested:
        why = f"shares of known numbers of images: {tested}; {np.mean(values):.0%} of all values would pass"
        r.say("counts behind a share", "possible", why)


def _judge_count(r: Reading, row: str, column: str, share: Rounded, n: int) -> bool:
    """Whether a share of n images can be; says so if not."""
    sets = r.tests.sets
    images = f"{n} images" if sets == 1 else f"{sets} test sets of {n} images"
    if not could.counts_of(share, n * sets):
        k = share.value * n * sets
        near = " or ".join(
            f"{c:.0f}/{n * sets} = {share_text(c / (n * sets), share)}"
            for c in (np.floor(k), np.ceil(k))
        )
        r.say(
            "counts behind a share",
            IMPOSSIBLE,
            f"no count of {images} gives {share_text(share.value, share)}: {near}",
            row,
            column,
        )
        return False
    if sets > 1 and not spread_fits(share, n, sets):
        r.say(
            "mean and spread of counts",
            IMPOSSIBLE,
            f"no {images} have this mean and this standard deviation",
            row,
            column,
        )
        return False
    return True


def _searched(r: Reading) -> None:
    """The sizes of one test set that most cells of several rows fit, where its images are unknown."""
    if r.tests.sets != 1 or not r.tests.totals or r.tests.totals[1] > MOST_SEARCHED or not r.tones:
        return
    rows = [row.name for row in r.rows if r.of_tones(row.name) and r.one(row.name, "accuracy")]
    if len(rows) < 2 or r.tests.totals[0] == r.tests.totals[1]:
        return
    low, high = r.tests.totals
    by_tone = [_misfits([r.cells[row][name] for row in rows], high) for name in r.tones]
    whole = _misfits([c for row in rows if (c := r.one(row, "accuracy"))], high)
    best, sizes = _least_misfits(by_tone, whole)
    order = np.argsort(best[low : high + 1], kind="stable") + low
    total, cells = int(order[0]), len(rows) * (1 + len(r.tones))
    # Every share of n images is one of 2 n.
    second = next((int(t) for t in order if t % total), total)
    if best[total] > cells / 4:
        left = f"the best leaves {best[total]:.0f} of {cells} cells"
        why = f"no test set of {low} to {high} images gives these rows; {left}"
        r.say("one test set, searched", IMPOSSIBLE, why)
        return
    r.sizes = sizes[total] if best[second] > best[total] else ()
    why = (
        f"{cells - best[total]:.0f} of {cells} cells fit {total} images ({'/'.join(map(str, sizes[total]))} by tone); "
        f"the next best number that is no multiple, {second}, leaves {best[second]:.0f}"
    )
    r.say("one test set, searched", "possible", why)
    if not best[total] or not r.sizes:
        return
    names = r.columns("accuracy", by_tone=False) + r.tones
    for row, (name, n) in product(rows, zip(names, (total, *r.sizes), strict=True)):
        _judge_count(r, row, name, r.cells[row][name], n)


def _misfits(shares: Sequence[Rounded], most: int) -> FloatArray:
    """How many of the shares no count of n images gives, for n from 0 to `most`."""
    return np.array(
        [np.inf, *(sum(not could.counts_of(s, n) for s in shares) for n in range(1, most + 1))]
    )


def _least_misfits(
    by_tone: Sequence[FloatArray], whole: FloatArray
) -> tuple[FloatArray, list[tuple[int, ...]]]:
    """The fewest misfits for each total, and the images by tone that have them."""
    best = by_tone[0].copy()
    sizes: list[tuple[int, ...]] = [(n,) for n in range(len(whole))]
    for misfits in by_tone[1:]:
        joint = np.full(len(whole), np.inf)
        split: list[tuple[int, ...]] = [()] * len(whole)
        for total in range(2, len(whole)):
            sums = best[1:total] + misfits[1:total][::-1]
            at = int(sums.argmin())
            joint[total], split[total] = sums[at], (*sizes[at + 1], total - at - 1)
        best, sizes = joint, split
    summed: FloatArray = best + whole
    return summed, sizes


def _one_set(r: Reading) -> None:
    """Whether a row said to be a mean of test sets is what one alone gives; or whether one set can have its ratios."""
    # Sizes that were found are the likeliest, not the only ones: they contradict nothing.
    if not (2 <= len(r.tones) <= 3) or (r.sizes and r.tests.sets == 1):
        return
    known = [r.tests.images.get(name, 0) for name in r.tones]
    known = known if all(known) else []
    first, last = r.tests.totals or (1, 0)
    totals = (sum(known),) if known else tuple(range(first, last + 1))
    if not totals or totals[-1] > MOST_SEARCHED:
        return
    for row in r.rows:
        tones = r.of_tones(row.name)
        if not tones:
            continue
        # A single set has no spread: cells are tested by their values.
        mean, pqd = r.one(row.name, "accuracy"), r.one(row.name, "pqd")
        if known and _others(r, sum(known)):
            mean = None
        r.fits[row.name] = could.one_sets(tones, totals, mean, pqd, known)
        if r.tests.sets == 1 and not r.fits[row.name] and not r.flagged(row.name):
            why = f"no test set of {_span(totals)} images gives its accuracies and PQD together"
            r.say("one test set", IMPOSSIBLE, why, row.name)
    fitting = [row for row, sets in r.fits.items() if sets]
    if r.tests.sets > 1:
        _say_single(r, fitting, totals)
    elif fitting:
        _ratios(r, fitting)


def _say_single(r: Reading, fitting: Sequence[str], totals: Sequence[int]) -> None:
    """Names the rows of a mean of several sets that one set gives, and how often a true mean would."""
    without = [row for row in r.fits if row not in fitting]
    if without:
        why = f"no single test set of {_span(totals)} images gives them, as expected of means"
        r.say("one test set", "possible", why, "; ".join(without))
    if not fitting:
        return
    sizes = set.intersection(*({s.n for s in r.fits[row]} for row in fitting))
    for row in fitting:
        shared = [s for s in r.fits[row] if s.n in sizes] or r.fits[row]
        r.fits[row] = shared
        n, k = ("/".join(map(str, values)) for values in (shared[0].n, shared[0].k))
        p = _chance_of_single(r, row, totals)
        with_pqd = " and the PQD" if r.one(row, "pqd") else ""
        few = f"; so do {len(shared) - 1} others" if len(shared) > 1 else ""
        why = (
            f"one test set of {n} images with {k} right gives every accuracy{with_pqd}{few}; "
            f"a mean of {r.tests.sets} sets does so with p {chance_text(p)}"
        )
        verdict: AuditVerdict = IMPROBABLE if p < RARE else "possible"
        r.say("one test set", verdict, why, row, p=p)
    if len(sizes) == 1:
        r.sizes = next(iter(sizes))
        _ratios(r, fitting)


def _chance_of_single(r: Reading, row: str, totals: Sequence[int], draws: int = 300) -> float:
    """How often a mean of several random test sets has a single set that gives it, at the row's accuracies."""
    share = np.array([t.value for t in r.of_tones(row)])
    pool = np.array(r.tests.pool or [(1, 0)] * len(share)).sum(axis=1)
    mean, pqd = r.one(row, "accuracy"), r.one(row, "pqd")
    half = r.of_tones(row)[0].half
    hits = 0
    for _ in range(draws):
        n = np.maximum(r.rng.multinomial(totals[-1], pool / pool.sum(), r.tests.sets), 1)
        right = r.rng.binomial(n, share)
        by_tone = right / n
        tones = [_as_reported(x, half) for x in by_tone.mean(axis=0)]
        best = by_tone.max(axis=1)
        # Without anything right a PQD is reported as 0, where it is reported.
        ratio = np.divide(by_tone.min(axis=1), best, out=np.zeros_like(best), where=best > 0).mean()
        whole = (
            _as_reported(float((right.sum(axis=1) / n.sum(axis=1)).mean()), mean.half)
            if mean
            else None
        )
        hits += bool(
            could.one_sets(
                tones, totals, whole, _as_reported(float(ratio), pqd.half) if pqd else None
            )
        )
    return (1 + hits) / (1 + draws)


def _as_reported(value: float, half: float) -> Rounded:
    return Rounded(float(np.round(value / (2 * half)) * 2 * half), half)


def _ratios(r: Reading, rows: Sequence[str]) -> None:
    """The positive images by tone that give rows of one test set their DPM and EOM."""
    asked = [row for row in rows if r.one(row, "eom") or r.one(row, "dpm")]
    if not asked or not r.tests.pool:
        return
    able = [_usual(pool, n) for pool, n in zip(r.tests.pool, r.fits[asked[0]][0].n, strict=True)]
    found = [
        could.positives_of(r.fits[row][0], able, r.one(row, "dpm"), r.one(row, "eom"))
        for row in asked
    ]
    shared = sorted(set.intersection(*map(set, found)))
    tried = int(np.prod([len(a) for a in able]))
    names = "; ".join(asked)
    if not shared:
        r.say(
            "DPM and EOM of one test set",
            IMPOSSIBLE,
            f"none of {tried} numbers of positive images by tone gives them",
            names,
        )
        return
    r.positives = shared[0] if len(shared) == 1 else ()
    hits = " and ".join("/".join(map(str, f[shared[0]])) for f in found)
    many = (
        f"{len(shared)} of {tried} numbers of positive images by tone give them, such as"
        if len(shared) > 1
        else f"of {tried} numbers of positive images by tone one gives them,"
    )
    r.say(
        "DPM and EOM of one test set",
        "possible",
        f"{many} {'/'.join(map(str, shared[0]))}, recognised {hits}",
        names,
    )


def _usual(pool: tuple[int, int], n: int) -> range:
    """The numbers of positive images among n drawn from a pool, but for one chance in ten thousand to each side."""
    low, high = hypergeom.ppf((1e-4, 1 - 1e-4), sum(pool), pool[1], min(n, sum(pool)))
    return range(max(int(low), 1), min(int(high), n - 1) + 1)


def _span(totals: Sequence[int]) -> str:
    return str(totals[0]) if len(totals) == 1 else f"{totals[0]} to {totals[-1]}"


def _ratio_of_tones(r: Reading) -> None:
    """Whether the PQD is the lowest over the highest of the accuracies beside it, in one test set.

    In each of several it is at most one minus their difference, and so is its mean.
    """
    for row in r.rows:
        tones, pqd = r.of_tones(row.name), r.one(row.name, "pqd")
        if not tones or pqd is None or r.flagged(row.name):
            continue
        low, high = [], []
        for name, tone in zip(r.tones, tones, strict=True):
            n = r.tests.images.get(name, 0)
            n *= r.tests.sets
            counts = could.counts_of(tone, n) if n else ()
            low.append(counts[0] / n if counts else max(tone.low, 0.0))
            high.append(counts[-1] / n if counts else tone.high)
        if max(low) <= 0:
            continue
        one = r.tests.sets == 1
        least = min(low) / max(high) if one else 0.0
        most = min(high) / max(low) if one else 1 - max(max(low) - min(high), 0.0)
        if not least <= pqd.high or not pqd.low <= most:
            ends = (share_text(least, pqd), share_text(most, pqd))
            why = f"the accuracies by tone give {' to '.join(dict.fromkeys(ends))}"
            r.say("PQD of the tones", IMPOSSIBLE, why, row.name, r.columns("pqd")[0])


def _moments(r: Reading) -> None:
    """Whether means and spreads by tone allow the mean PQD."""
    if r.tests.sets < 2:
        return
    for row in r.rows:
        tones, pqd = r.of_tones(row.name), r.one(row.name, "pqd")
        if not tones or pqd is None or any(t.spread is None for t in tones):
            continue
        margin = pqd.half + 1e-4  # what the solver may leave
        low, high = could.ratio_range(tones, r.tests.sets, (pqd.value + margin, pqd.value - margin))
        if np.isfinite(low) and not low - margin <= pqd.value <= high + margin:
            ends = (share_text(end, pqd) for end in could.ratio_range(tones, r.tests.sets))
            allowed = " to ".join(ends)
            why = f"means and standard deviations by tone over {r.tests.sets} sets allow no mean PQD outside {allowed}"
            r.say("PQD from means and spreads", IMPOSSIBLE, why, row.name, r.columns("pqd")[0])


def _even(r: Reading) -> None:
    """Spreads over random test sets that are smaller than sampling of images makes them."""
    for row in r.rows if r.tests.sets > 1 else ():
        for name, n in images_of(r, row.name).items():
            share = r.cells[row.name].get(name)
            if share is None or share.spread is None:
                continue
            p = could.too_even(share, n, r.tests.sets)
            if p >= RARE:
                continue
            why = f"{r.tests.sets} random test sets of {n:.0f} images spread as little with p {chance_text(p)}"
            r.say("spread too small", IMPROBABLE, why, row.name, name, p)


def _f1(r: Reading) -> None:
    """The smallest test set of each tone that gives every F1, where its images are not known; a mean is no F1."""
    exact = r.tests.totals is not None and r.tests.totals[0] == r.tests.totals[1]
    known = {WORST, *((ALL,) if exact else ())}  # the worst tone is another in each row
    tones = {c.name: c.tone for c in r.table.columns if c.name not in r.tests.images}
    for tone in dict.fromkeys(tones.values()) if r.tests.sets == 1 else ():
        names = [name for name in r.columns("f1") if tones.get(name) == tone]
        shown = [c for row in r.rows for name in names if (c := r.cells[row.name].get(name))]
        if len(shown) >= 4 and tone not in known:
            _f1_of(r, shown, "" if tone == ALL else f" of {tone}")


def _f1_of(r: Reading, shown: list[Rounded], of: str) -> None:
    sizes = could.f1_sizes(shown, 24)
    if not sizes:
        r.say(
            "F1 denominators",
            "possible",
            f"no set of up to 24 positive and 24 negative images gives all{of}; more may",
        )
        return
    first = sizes[0]
    twice = (2 * first[0], 2 * first[1])
    p = could.f1_share(
        [Rounded(v, shown[0].half) for v in could.f1_values(twice, distinct=False)], first
    )
    p **= len(shown)
    why = (
        f"all {len(shown)} F1{of} fit {first[0]} positive and {first[1]} negative images, and no smaller number; "
        f"of {twice[0]} and {twice[1]} images that many would with p {chance_text(p)}"
    )
    r.say("F1 denominators", "possible", why, p=p)


def _others(r: Reading, n: int) -> int:
    """Images that the overall score holds beside the n of the tones shown, as far as its own number is known."""
    whole = r.columns("accuracy", by_tone=False)
    return max(r.tests.images.get(whole[0], n) - n, 0) if len(whole) == 1 else 0


def _weighted(r: Reading) -> None:
    """Whether the score over all images is a mean of those by tone; of several sets where each has as many images."""
    for row in r.rows:
        mean = r.one(row.name, "accuracy")
        shown = {name: c for name in r.tones if (c := r.cells[row.name].get(name))}
        n = [r.tests.images.get(name, 0) * r.tests.sets for name in shown]
        if (
            mean is None
            or len(shown) < 2
            or (n and all(n) and len(shown) < len([x for x in r.tones if x in r.tests.images]))
        ):
            continue
        column = r.columns("accuracy", by_tone=False)[0]
        if not all(n):
            low, high = min(s.low for s in shown.values()), max(s.high for s in shown.values())
            all_shown = r.tests.sets == 1 and len(shown) == len(r.tones)
            if all_shown and not (low <= mean.high and mean.low <= high):
                r.say(
                    "mean of the tones", IMPOSSIBLE, "it lies outside all tones", row.name, column
                )
            continue
        low, high = could.weighted_range(list(shown.values()), n)
        others = _others(r, sum(n) // r.tests.sets) * r.tests.sets
        low, high = (x * sum(n) / (sum(n) + others) for x in (low, high))
        high += others / (sum(n) + others)
        if mean.low <= high and low <= mean.high:
            continue
        why = f"images of known tone give {share_text(low, mean)} to {share_text(high, mean)}"
        unknown = r.tests.unknown * r.tests.sets
        right = could.counts_of(mean, sum(n) + unknown)
        if unknown and right:
            ends = (right[0] - round(high * sum(n)), right[-1] - round(low * sum(n)))
            of_unknown = [share_text(min(max(e / unknown, 0), 1), mean) for e in ends]
            why += f"; with {r.tests.unknown} images of unknown tone, these have {' to '.join(of_unknown)}"
        r.say("mean of the tones", IMPOSSIBLE, why, row.name, column)


TESTS = (_grim, _searched, _weighted, _ratio_of_tones, _one_set, _moments, _even, _f1)
