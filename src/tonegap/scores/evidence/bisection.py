"""Finds by halving where a condition stops to hold: the ends of intervals that come from inverting a test."""

from collections.abc import Callable


def bisected(keeps: Callable[[float], bool], kept: float, lost: float, halvings: int) -> float:
    """The value nearest to `lost` found to be kept, on the way there from one that is kept."""
    for _ in range(halvings):
        middle = (kept + lost) / 2
        kept, lost = (middle, lost) if keeps(middle) else (kept, middle)
    return kept
