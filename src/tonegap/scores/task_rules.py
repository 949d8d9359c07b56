"""Holds the rules that a task's predictions are scored by, and its tone axes."""

from collections.abc import Sequence
from dataclasses import dataclass

from tonegap.scores.rules import ScoringRules
from tonegap.tones import COARSE, FINE, tone_group


@dataclass(frozen=True, slots=True)
class Rules:
    """What a task says of how its predictions are scored; fields as in a record."""

    classes: tuple[str, ...]
    positive: tuple[str, ...]
    tones: tuple[str, ...]
    min_support: int
    selection_metric: str

    @property
    def plain(self) -> ScoringRules:
        """On the task's own tones, without a threshold."""
        return self.on(self.tones, None)

    def on(self, tones: tuple[str, ...], threshold: float | None) -> ScoringRules:
        """On the tones of an axis, at a threshold."""
        return ScoringRules(self.classes, self.positive, threshold, self.min_support, tones)


def tone_axes(
    tones: Sequence[str | None], scored: Sequence[str]
) -> list[tuple[str, tuple[str | None, ...], tuple[str, ...]]]:
    """The axes a test set can be scored on: (name, tone of each image, tones expected).

    Types, or the tones of the Monk scale, pool into three groups; groups cannot be split further.
    """
    groups = tuple(tone_group(tone) if tone else None for tone in tones)
    expected = tuple(g for g in COARSE if g in {tone_group(tone) for tone in scored})
    axes = [("groups", groups, expected)]
    if all(tone in FINE for tone in scored):
        axes.insert(0, ("types", tuple(tones), tuple(scored)))
    return axes
