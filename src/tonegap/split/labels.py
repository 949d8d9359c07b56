"""Finds labels that differ from a class in spelling alone.

The mistake it exists to prevent: "YES" and "yes " beside the class "yes", lost in silence or made classes of their own.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from unicodedata import normalize

from tonegap.texts import is_label

_BETWEEN = re.compile(r"(?<=\w)[-_\s]+(?=\w)")
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0*")
_NOT_KNOWN = frozenset(
    (
        "unknown",
        "unspecified",
        "missing",
        "na",
        "n/a",
        "#n/a",
        "<na>",
        "none",
        "null",
        "-",
        "--",
        "–",
        "—",
        "?",
        "-1",
    )
)
_SHOWN = 5


def spelling(label: str) -> str:
    """What two spellings of one label have in common: `Yes ` and `yes`, `1.0` and `1`, `not_bad` and `not-bad`."""
    text = _BETWEEN.sub(" ", normalize("NFKC", label).strip().casefold())
    number = _WHOLE_NUMBER.fullmatch(text)
    return number[1].removeprefix("+") if number else text


def misspelt(cells: Sequence[str], taken: Collection[str], known: Collection[str]) -> str:
    """The cells that are not `taken` and differ from a `known` label in spelling alone, in words; "" for none."""
    alike = {spelling(label): label for label in known}
    left = ((c, n) for c, n in Counter(cells).most_common() if c not in taken)
    found = [(c, n, alike[spelling(c)]) for c, n in left if spelling(c) in alike]
    return _listed([f"{n} {label!r} beside {other!r}" for label, n, other in found], ", ")


def spelling_pairs(cells: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of ids that differ in spelling alone, each id beside the most frequent one; blanks around are no part.

    Unlike in labels, what stands between letters and digits counts (`P-1` and `P_1` are two ids).
    """
    spelled: dict[str, list[str]] = defaultdict(list)
    for name, _ in Counter(cell.strip() for cell in cells if is_label(cell)).most_common():
        text = normalize("NFC", name).casefold()
        number = _WHOLE_NUMBER.fullmatch(text)
        spelled[number[1] if number else text].append(name)
    return [(names[0], other) for names in spelled.values() for other in names[1:]]


def saying_nothing(cells: Sequence[str]) -> dict[str, int]:
    """How many images each group id has that reads as "not known" (`unknown`, `NA`, `-`) and has more than one.

    Blank cells and `nan` are no ids, and make no group.
    """
    counts = Counter(cell.strip() for cell in cells)
    return {c: n for c, n in counts.most_common() if n > 1 and c.casefold() in _NOT_KNOWN}


def doubled(names: Sequence[str]) -> str:
    """Classes that differ from each other in spelling alone, in words; "" for none."""
    spelled: dict[str, list[str]] = defaultdict(list)
    for name, n in Counter(names).most_common():
        spelled[spelling(name)].append(f"{n} {name!r}")
    several = [found for found in spelled.values() if len(found) > 1]
    return _listed([", ".join(found) for found in several], "; ")


def _listed(found: Sequence[str], between: str) -> str:
    more = len(found) - _SHOWN
    return between.join(found[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
