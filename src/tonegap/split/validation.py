"""The validation images: a share of the training images, by arithmetic that no library can change.

Images are ranked by a SHA-256 of task, seed and id, and counts are rounded with whole numbers, so
the result depends neither on the order of rows nor on any release of any library. Papers without a
validation set picked the epoch on the test set; this is what makes that unnecessary.
"""

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial


def hold_out(
    ids: Sequence[str], strata: Sequence[tuple[str, ...]], fraction: float, key: str
) -> frozenset[str]:
    """The ids to keep for validation: exactly `fraction` of them, a half rounded up.

    `strata[i]` names the strata of image i from outer to inner. The total is shared out over the
    outer strata by largest remainder, and each one's share over its inner strata in the same way,
    so that even a rare outer stratum gets its share. `key` seeds the ranks and the ties.
    """
    total = int(Fraction(str(fraction)) * len(ids) + Fraction(1, 2))
    return frozenset(take(sorted(zip(strata, ids, strict=True)), total, key))


def take(images: Sequence[tuple[tuple[str, ...], str]], count: int, key: str) -> list[str]:
    """The ids of `count` of the images, each given with its strata from outer to inner; see `hold_out`."""
    if not images or not images[0][0]:
        return sorted((image_id for _, image_id in images), key=partial(ranked, key))[:count]
    inner: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for (outer, *rest), image_id in images:
        inner.setdefault(outer, []).append((tuple(rest), image_id))
    counts = share_out({name: len(members) for name, members in inner.items()}, count, key)
    return [i for name, members in inner.items() for i in take(members, counts[name], key)]


def share_out(sizes: Mapping[str, int], total: int, key: str) -> dict[str, int]:
    """`total` shared out in proportion to sizes by largest remainder; ties go by the key's ranks.

    `total` must not exceed the sum of sizes; then no share exceeds its size.
    """
    n = sum(sizes.values())
    counts = {name: total * size // n for name, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda s: (-(total * sizes[s] % n), ranked(key, s)))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def ranked(key: str, name: str) -> tuple[bytes, str]:
    """What names are sorted by: a SHA-256 of key and name, so that no library decides their order."""
    return hashlib.sha256(f"{key}:{name}".encode()).digest(), name
