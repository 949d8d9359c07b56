"""Finds images that belong together (of a patient, of a lesion), keeps them on one side, counts where they are not."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from tonegap.data.groups import joined_rows
from tonegap.formats.record import GroupLeak
from tonegap.split.validation import ranked
from tonegap.texts import is_label

Columns = Mapping[str, Sequence[str]]
StratumValues = tuple[str, ...]


def components(columns: Columns, n: int) -> list[int]:
    """For each of n rows the first row that it belongs with: by an equal cell in any column, or through others.

    A blank cell and `nan` belong with none.
    """
    pairs = []
    for cells in columns.values():
        first: dict[str, int] = {}
        pairs += [(first.setdefault(c.strip(), i), i) for i, c in enumerate(cells) if is_label(c)]
    return joined_rows(n, pairs)


def held_out(
    groups: Sequence[int],
    ids: Sequence[str],
    strata: Sequence[StratumValues],
    fraction: float,
    key: str,
) -> set[int]:
    """The rows of whole groups that make up about `fraction` of the images of each stratum.

    Groups are ranked by a SHA-256 of `key` and their first id, and taken while that brings the count nearer to the
    share. What a stratum lacks or has too much of is made up for in the next one, so that rare ones count together.
    """
    found: set[int] = set()
    owed = Fraction(0)
    for wholes in _by_stratum(groups, ids, strata, key):
        owed += Fraction(str(fraction)) * sum(map(len, wholes))
        for rows in wholes:
            if 2 * owed >= len(rows):
                found.update(rows)
                owed -= len(rows)
    return found


def folds(
    groups: Sequence[int], ids: Sequence[str], strata: Sequence[StratumValues], k: int, key: str
) -> list[int]:
    """The fold of each row: whole groups, the largest first, go where their stratum has the fewest images.

    Of equal folds the one with the fewest images in all. Groups of one size are ranked as in `held_out`.
    """
    found = [0] * len(ids)
    in_all = [0] * k
    for wholes in _by_stratum(groups, ids, strata, key):
        here = [0] * k
        for rows in sorted(wholes, key=len, reverse=True):
            fold = min(range(k), key=lambda f: (here[f], in_all[f], f))
            here[fold] += len(rows)
            in_all[fold] += len(rows)
            for i in rows:
                found[i] = fold
    return found


def _by_stratum(
    groups: Sequence[int], ids: Sequence[str], strata: Sequence[StratumValues], key: str
) -> Iterator[list[list[int]]]:
    """The groups of each stratum in the order of their ranks; a group's stratum is the commonest of its rows."""
    members: dict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    found: dict[StratumValues, list[list[int]]] = defaultdict(list)
    for rows in members.values():
        counts = Counter(strata[i] for i in rows)
        found[min(counts, key=lambda s: (-counts[s], s))].append(rows)
    for _, wholes in sorted(found.items()):
        yield sorted(wholes, key=lambda rows: ranked(key, min(ids[i] for i in rows)))


def group_leak(cells: Sequence[str], parts: Sequence[str]) -> GroupLeak:
    """What crosses between partitions by equal cells of one column; both align with the rows of the metadata."""
    images: dict[str, Counter[str]] = defaultdict(Counter)
    used = [pair for pair in zip(cells, parts, strict=True) if pair[1] != "unused"]
    for cell, part in used:
        if is_label(cell):
            images[cell.strip()][part] += 1
    n_test = n_validation = n_pairs = 0
    for n in images.values():
        seen = n["train"] + n["validation"]
        n_test += n["test"] if seen else 0
        n_validation += n["validation"] if n["train"] else 0
        n_pairs += n["test"] * seen
    n_blank = sum(not is_label(cell) for cell, _ in used)
    return GroupLeak(n_test, n_validation, n_pairs, n_blank, len(used))
