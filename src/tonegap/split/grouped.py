"""Images that belong together (of a patient, of a lesion): found by columns, kept on one side, counted where not."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction

Columns = Mapping[str, Sequence[str]]


def components(columns: Columns, n: int) -> list[int]:
    """For each of n rows the first row that it belongs with: by an equal cell in any column, or through others.

    A blank cell belongs with none.
    """
    parents = list(range(n))

    def root(i: int) -> int:
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    for cells in columns.values():
        first: dict[str, int] = {}
        for i, cell in enumerate(cells):
            if cell.strip():
                one, other = sorted((root(first.setdefault(cell, i)), root(i)))
                parents[other] = one
    return [root(i) for i in range(n)]


def held_out(
    groups: Sequence[int], ids: Sequence[str], strata: Sequence[str], fraction: float, key: str
) -> set[int]:
    """The rows of whole groups that make up about `fraction` of the images of each stratum.

    A group's stratum is the commonest of its rows (the first in order, of equally common ones). Groups are ranked
    by a SHA-256 of `key` and their first id, and taken while that brings the count nearer to the share.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    by_stratum: dict[str, list[list[int]]] = defaultdict(list)
    for rows in members.values():
        counts = Counter(strata[i] for i in rows)
        by_stratum[min(counts, key=lambda s: (-counts[s], s))].append(rows)
    found: set[int] = set()
    for wholes in by_stratum.values():
        wanted, taken = Fraction(str(fraction)) * sum(map(len, wholes)), 0
        for rows in sorted(wholes, key=lambda rows: _rank(key, min(ids[i] for i in rows))):
            if 2 * (wanted - taken) >= len(rows):
                found.update(rows)
                taken += len(rows)
    return found


def shared_with_training(columns: Columns, ids: Sequence[str], parts: Mapping[str, str]) -> int:
    """How many test images belong with a training or validation image; `parts` maps used ids to their partition."""
    groups = components(columns, len(ids))
    seen = {g for i, g in zip(ids, groups, strict=True) if parts.get(i) in {"train", "validation"}}
    return sum(parts.get(i) == "test" and g in seen for i, g in zip(ids, groups, strict=True))


def _rank(key: str, name: str) -> tuple[bytes, str]:
    return hashlib.sha256(f"{key}:{name}".encode()).digest(), name
