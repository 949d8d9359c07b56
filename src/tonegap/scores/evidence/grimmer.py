"""Computes what a reported standard deviation over test sets can be: of whole counts, and of any shares.

The mistake it exists to prevent: a spread that no counts have, taken for how steady a score is.
Sources: Anaya 2016 (GRIMMER), PeerJ Preprints; Bhatia and Davis 2000, American Mathematical Monthly 107(4).
"""

from itertools import product
from math import ceil, floor, isqrt

from tonegap.scores.evidence.grim import Rounded, counts_of

# All sums of squares of one parity between the least and the greatest count as reached where a search would take more
# nanoseconds or so, and where so many of them, of five numbers or more, would do: of those few are never reached.
_MOST_WORK, _ENOUGH = 5e7, 64


def spread_fits(share: Rounded, n: int, sets: int) -> bool:
    """Whether `sets` counts out of n have the reported mean and spread, the population's or the sample's (GRIMMER).

    By the sums and sums of squares that whole numbers from 0 to n have together.
    """
    if share.spread is None:
        return bool(counts_of(share, n * sets))
    low, high = share.spreads
    for total, divisor in product(counts_of(share, n * sets), (sets, sets - 1)):
        around = total**2 / sets
        first = max(ceil(around + divisor * (low * n) ** 2 - 1e-6), 0)
        last = floor(around + divisor * (high * n) ** 2 + 1e-6)
        if _reached(n, sets, total, first, last):
            return True
    return False


def _reached(n: int, sets: int, total: int, first: int, last: int) -> bool:
    """Whether `sets` whole numbers from 0 to n with this sum have a sum of squares from `first` to `last`."""
    even, more = divmod(total, sets)
    full, rest = divmod(total, n)
    first = max(first, sets * even**2 + more * (2 * even + 1))
    first += (first - total) % 2  # squares are odd as often as numbers are
    last = min(last, full * n**2 + rest**2)
    if first > last:
        return False
    # Deviations from a middle have small squares; bit q of a sum's mask says that q is reached.
    middle = round(total / sets)
    moved = sets * middle**2 - 2 * middle * total
    first, last, rest = first + moved, last + moved, total - sets * middle
    far = isqrt(last)
    steps = range(max(-middle, -far), min(n - middle, far) + 1)
    sums = min(2 * isqrt(sets * last), len(steps) * (sets - 2))
    work = len(steps) * (1 + (sets - 2) * sums) * (200 + last / 64)
    if work > _MOST_WORK or (sets > 4 and last - first > _ENOUGH):
        return True
    masks, kept = {0: 1}, (1 << (last + 1)) - 1
    for _ in range(sets - 1):
        grown: dict[int, int] = {}
        for (at, mask), step in product(masks.items(), steps):
            grown[at + step] = grown.get(at + step, 0) | (mask << step**2)
        masks = {at: mask & kept for at, mask in grown.items() if mask & kept}
    return any((masks.get(rest - step, 0) << step**2 & kept) >> first for step in steps)


def widest_spread(share: Rounded, sets: int) -> float:
    """The largest standard deviation of `sets` shares with the reported mean, the sample's; none is larger.

    The root of p (1 - p) S / (S - 1), which all at 0 or 1 have.
    """
    p = min(max(0.5, share.low), share.high)
    return float((max(p * (1 - p), 0.0) * sets / (sets - 1)) ** 0.5)
