"""An entry against the reference, and against itself with the epoch picked on the test set.

The mistake it exists to prevent: a change counted from another backbone, or from other seeds.
"""

from collections.abc import Collection

from tonegap.formats.record import EntryId
from tonegap.results.model import Comparison, Difference, MeanScores
from tonegap.results.seeds import difference
from tonegap.results.settings import Reference

# Differences below this come from the order of additions, not from images.
ROUNDING = 1e-9


def reference_of(
    entry: EntryId, reference: Reference, others: Collection[EntryId]
) -> EntryId | None:
    """The reference for an entry among `others`: its own backbone and variant, else no variant."""
    for variant in (entry.variant, ""):
        wanted = EntryId(reference.method, reference.baseline, entry.backbone, variant)
        if wanted in others:
            return wanted
    return None


def compare(own: MeanScores, reference: MeanScores) -> Comparison:
    """Change of an entry's scores against the reference's, over the same seeds."""
    overall = difference(own.overall, reference.overall)
    if not (own.worst and own.gap and reference.worst and reference.gap):
        return Comparison(overall, None, None)
    worst, gap = difference(own.worst, reference.worst), difference(own.gap, reference.gap)
    return Comparison(overall, worst, gap)


def incomparable(own: MeanScores, reason: str) -> Comparison:
    """The change where there is nothing to compare with."""
    none = Difference(None, (), reason)
    per_tone = none if own.gap else None
    return Comparison(none, per_tone, per_tone)
