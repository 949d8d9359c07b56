"""Joins rows that belong together, directly or through others."""

from collections.abc import Iterable


def joined_rows(n: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of n rows the first row that it is joined with by pairs, itself where it is alone."""
    parents = list(range(n))

    def root(i: int) -> int:
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    for pair in pairs:
        first, other = sorted(map(root, pair))
        parents[other] = first
    return [root(i) for i in range(n)]
