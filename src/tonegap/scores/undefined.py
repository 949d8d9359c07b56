"""Says why a score is undefined, in words a footnote can carry."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tonegap.lines import first_few
from tonegap.scores.tables import ALL


@dataclass(frozen=True)
class Undefined:
    """A score that cannot be computed, and why."""

    reason: str


@dataclass(frozen=True)
class Support:
    """How many images of a kind a tone has; a formula divides by it. `kind` "" means any image."""

    tone: str
    kind: str
    n: int


def shortage(supports: Iterable[Support], min_support: int) -> Undefined | None:
    """Undefined, naming the first three supports below the minimum; None if all reach it."""
    short = [s for s in supports if s.n < min_support]
    if not short:
        return None
    shown = first_few([_in_words(s) for s in short], noun=" such")
    return Undefined(f"{shown} (min_support {min_support})")


def over_tones(reasons: Mapping[str, str]) -> Undefined:
    """Undefined because of some tones, given each one's own reason."""
    first = next(iter(reasons.values()))
    if len(set(reasons.values())) == 1:
        return Undefined(first)
    return Undefined(f"not defined for {', '.join(reasons)}: {first}, …")


def _in_words(support: Support) -> str:
    has = "the whole set has" if support.tone == ALL else f"{support.tone} has"
    kind = f"{support.kind} " if support.kind else ""
    return f"{has} {support.n:,} {kind}image{'' if support.n == 1 else 's'}"
