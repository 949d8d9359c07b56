"""The test images in two halves, for choosing on one and scoring on the other.

The mistake it exists to prevent: a picture in one half and its near-duplicate in the other.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from tonegap.arrays import BoolArray
from tonegap.scores.predictions import Labelled


def first_half(images: Labelled, units: Sequence[int]) -> BoolArray:
    """Which images are in the first of two halves, [n]; the same ids and units give the same halves in any order.

    The images of a unit (near-duplicates) stay together. Units are dealt within each class and tone, in the order
    of the SHA-256 of their smallest image id, larger units first; a unit goes to the half that has fewer images of
    its class and tone, then to the one that has fewer images at all. A unit's class and tone are those of that image.
    """
    rows_of: dict[int, list[int]] = {}
    for row, unit in enumerate(units):
        rows_of.setdefault(unit, []).append(row)
    strata: dict[tuple[int, str], list[tuple[int, str, list[int]]]] = {}
    for rows in rows_of.values():
        named = min(rows, key=lambda row: images.ids[row])
        stratum = int(images.y[named]), images.tones[named] or ""
        digest = hashlib.sha256(images.ids[named].encode()).hexdigest()
        strata.setdefault(stratum, []).append((-len(rows), digest, rows))
    in_first = np.zeros(len(images.ids), dtype=np.bool_)
    n_all = [0, 0]
    for _, dealt in sorted(strata.items()):
        n_own = [0, 0]
        for _, _, rows in sorted(dealt):
            half = min((0, 1), key=lambda h: (n_own[h], n_all[h], h))
            n_own[half] += len(rows)
            n_all[half] += len(rows)
            in_first[rows] = half == 0
    return in_first
