"""The evidence of all entries of a table at once: what seeds vary by is measured on all of them together."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tonegap.scores.evidence.entries import (
    N_DRAWS,
    EntryEvidence,
    EvidenceRequest,
    entry_means,
    evidence_of,
)
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.seeds import SeedVariance, pooled

K = TypeVar("K")


def table_evidence(
    entries: Mapping[K, Sequence[TestAnswers]], asked: EvidenceRequest, n_draws: int = N_DRAWS
) -> dict[K, EntryEvidence]:
    """The evidence of each entry of a table from its answers at every seed."""
    return pooled_evidence(entries, asked, n_draws)[0]


def pooled_evidence(
    entries: Mapping[K, Sequence[TestAnswers]], asked: EvidenceRequest, n_draws: int = N_DRAWS
) -> tuple[dict[K, EntryEvidence], SeedVariance | None]:
    """As `table_evidence`, and by how much training seeds differ; None where no entry has two."""
    # Two at a time: sums over draws do not hold the interpreter.
    with ThreadPoolExecutor(2) as pool:
        means = list(pool.map(lambda seeds: entry_means(seeds, asked, n_draws), entries.values()))
        seeds = pooled([entry.means for entry in means])
        found = pool.map(lambda entry: evidence_of(entry, asked, seeds), means)
        return dict(zip(entries, found, strict=True)), seeds


def shown_intervals(
    seeds: Sequence[TestAnswers],
    asked: EvidenceRequest,
    among: SeedVariance | None,
    n_draws: int = N_DRAWS,
) -> Mapping[tuple[str, str], Interval]:
    """The intervals that a page shows of an entry; `among`: by how much seeds differ in its table, if that is known."""
    entry = entry_means(seeds, asked, n_draws)
    return evidence_of(entry, asked, among or pooled([entry.means])).shown
