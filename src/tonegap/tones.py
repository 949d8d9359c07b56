"""The words for skin tones, and the only place that turns a cell of a CSV into one.

A tone is data about an image: a Fitzpatrick skin type `I` to `VI` or a tone of the Monk scale `M1` to `M10`, or a tone
group (`I-II`, `III-IV`, `V-VI`; `M1-3`, `M4-7`, `M8-10`) where an annotation is no finer. Unknown is `None`, never a
number.
The scales are two: no tone of one says which of the other it is.
"""

from collections.abc import Collection
from typing import Literal

Scale = Literal["fitzpatrick", "monk"]

TYPES: tuple[str, ...] = ("I", "II", "III", "IV", "V", "VI")
GROUPS: tuple[str, ...] = ("I-II", "III-IV", "V-VI")
# Monk 2019, skintone.google; the scale has no groups of its own: these are light, medium and dark.
MONK: tuple[str, ...] = tuple(f"M{i}" for i in range(1, 11))
MONK_GROUPS: tuple[str, ...] = ("M1-3", "M4-7", "M8-10")

SCALES: dict[Scale, tuple[str, ...]] = {"fitzpatrick": TYPES + GROUPS, "monk": MONK + MONK_GROUPS}
FINE, COARSE = TYPES + MONK, GROUPS + MONK_GROUPS
TONES = FINE + COARSE
# What a message says that was wanted.
TONES_WANTED = "1 to 6, I to VI, M1 to M10, or a group: " + ", ".join(COARSE)

_GROUP_OF = {t: GROUPS[i // 2] for i, t in enumerate(TYPES)}
_GROUP_OF |= {t: MONK_GROUPS[(i > 2) + (i > 6)] for i, t in enumerate(MONK)}
_SPELLINGS = {
    "fitzpatrick": {
        **{str(i + 1): t for i, t in enumerate(TYPES)},
        **{t: t for t in TYPES + GROUPS},
        **{f"{2 * i + 1}{2 * i + 2}": g for i, g in enumerate(GROUPS)},  # 12, 34, 56, as DDI writes
    },
    "monk": {
        **{f"{prefix}{t[1:]}": t for t in MONK for prefix in ("", "M", "MST", "MST ")},
        **{g: g for g in MONK_GROUPS},
    },
}

_ANY = {t: t for t in TONES} | _SPELLINGS["fitzpatrick"]


def parse_tone(cell: str, scale: Scale | None = None) -> str | None:
    """The tone a cell names, or None for an empty cell (unknown).

    Understands `1` to `6` (also `1.0`, as pandas writes a column with gaps), `I` to `VI`, a group's
    name, and `12`, `34`, `56`; on the scale `monk` `1` to `10`, `M1` to `M10` (also `MST1`) and its groups. Without a
    scale numbers are Fitzpatrick types and names of either are understood. Raises ValueError for anything else, `0`
    and `-1` included: an unknown tone is an empty cell, and a number would be counted as a tone.
    """
    text = cell.strip().removesuffix(".0").upper().replace("–", "-")
    if not text:
        return None
    known = _SPELLINGS[scale] if scale else _ANY
    if text not in known:
        raise ValueError(f"{cell!r} is no skin tone")
    return known[text]


def tone_group(tone: str) -> str:
    """The tone group of a type or a tone of the Monk scale; a group is its own group."""
    return _GROUP_OF.get(tone, tone)


def pooled(tone: str | None, among: Collection[str]) -> str | None:
    """A tone as some others name it: a type or a tone of the Monk scale is its group where these are groups."""
    if tone is None or tone in among:
        return tone
    group = tone_group(tone)
    return group if group in among else tone


def tones_like(tone: str) -> tuple[str, ...]:
    """All tones of the same scale that are as fine, from light to dark. Raises ValueError for what is no tone."""
    for kind in (TYPES, GROUPS, MONK, MONK_GROUPS):
        if tone in kind:
            return kind
    raise ValueError(f"{tone!r} is no skin tone")


def tone_order(tone: str) -> float:
    """What tones are sorted by from light to dark where types and groups stand side by side: I, I-II, II, III.

    The mean position, among the types or the tones of the Monk scale, of those that are the tone or lie in its group.
    Raises ValueError for what is no tone.
    """
    fine = TYPES if tone in SCALES["fitzpatrick"] else MONK
    own = [i for i, one in enumerate(fine) if tone in (one, tone_group(one))]
    if not own:
        raise ValueError(f"{tone!r} is no skin tone")
    return sum(own) / len(own)


def tone_index(tone: str) -> int:
    """Position of a tone from light to dark: 0 to 5 for types, 0 to 2 for groups, 0 to 9 on the Monk scale."""
    return tones_like(tone).index(tone)
