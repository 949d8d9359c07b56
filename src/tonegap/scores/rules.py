"""The rules a task scores by: which classes are the event, from which threshold, for which tones.

The mistake it exists to prevent: a score whose positive class was guessed somewhere on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tonegap.arguments import as_found, is_number, is_whole
from tonegap.errors import BadRequest

MOST_PROBABLE = "most probable class"
_USUAL_EVENT = "malignant"


@dataclass(frozen=True)
class Event:
    """A set of classes against the rest: their indices, and what to call images of each side."""

    members: tuple[int, ...]
    positive_name: str
    negative_name: str


@dataclass(frozen=True)
class ScoringRules:
    """How predictions are scored.

    `positive` names the classes whose probabilities add up to the event; empty means no event.
    `threshold` calls an image positive from that probability on; None means that the most probable
    class decides. `tones` lists the tones that must be there; None takes those found.

    Raises BadRequest where the parts contradict each other.
    """

    classes: tuple[str, ...]
    positive: tuple[str, ...] = ()
    threshold: float | None = None
    min_support: int = 1
    tones: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        classes, threshold = self.classes, self.threshold
        if len(classes) < 2:
            raise BadRequest(f"a score needs two classes or more, there is {len(classes)}")
        unknown = [name for name in self.positive if name not in classes]
        if unknown:
            known = ", ".join(classes[:10]) + (", …" if len(classes) > 10 else "")
            raise BadRequest(f"positive class {unknown[0]!r} is none of the classes ({known})")
        if set(self.positive) == set(classes):
            raise BadRequest("every class is declared positive; leave at least one as negative")
        if not is_whole(self.min_support, 1):
            raise BadRequest(
                f"min_support: found {as_found(self.min_support)}, wanted a whole number of images from 1"
            )
        if threshold is not None and not (is_number(threshold) and 0 <= threshold <= 1):
            raise BadRequest(f"threshold: found {as_found(threshold)}, wanted a number from 0 to 1")
        if threshold is not None and not self.positive:
            raise BadRequest("a threshold needs a positive class, and none is declared")

    @property
    def called(self) -> float | str | None:
        """From which probability an image is predicted positive, or by what else; None without an event."""
        if not self.positive:
            return None
        return MOST_PROBABLE if self.threshold is None else self.threshold

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The declared event alone, or else every class against the rest."""
        if not self.positive:
            return tuple(Event((i,), c, f"non-{c}") for i, c in enumerate(self.classes))
        members = tuple(i for i, c in enumerate(self.classes) if c in self.positive)
        if len(members) > 1:
            return (Event(members, "positive", "negative"),)
        name = self.classes[members[0]]
        rest = [c for c in self.classes if c != name]
        return (Event(members, name, rest[0] if len(rest) == 1 else f"non-{name}"),)


def default_positive(classes: Sequence[str]) -> tuple[str, ...]:
    """The event when none is declared: `malignant`, else the second of two classes, else none."""
    if _USUAL_EVENT in classes:
        return (_USUAL_EVENT,)
    return (classes[1],) if len(classes) == 2 else ()
