"""The evidence of all entries of a table at once: what seeds vary by is measured on all of them together."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tonegap.evidence.answers import TestAnswers
from tonegap.evidence.entries import N_DRAWS, Asked, EntryEvidence, entry_evidence

K = TypeVar("K")


def table_evidence(
    entries: Mapping[K, Sequence[TestAnswers]], asked: Asked, n_draws: int = N_DRAWS
) -> dict[K, EntryEvidence]:
    """The evidence of each entry from its answers at every seed, two at a time: sums over draws run at once."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda seeds: entry_evidence(seeds, asked, n_draws), entries.values())
        return dict(zip(entries, found, strict=True))
