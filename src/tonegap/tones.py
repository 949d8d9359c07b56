"""The words for skin tones, and the only place that turns a cell of a CSV into one.

A tone is data about an image: a Fitzpatrick skin type `I` to `VI`, or a tone group `I-II`,
`III-IV`, `V-VI` where an annotation is no finer. Unknown is `None`, never a number.
"""

TYPES: tuple[str, ...] = ("I", "II", "III", "IV", "V", "VI")
GROUPS: tuple[str, ...] = ("I-II", "III-IV", "V-VI")

_GROUP_OF_TYPE = {t: GROUPS[i // 2] for i, t in enumerate(TYPES)}
_SPELLINGS = {
    **{str(i + 1): t for i, t in enumerate(TYPES)},
    **{t: t for t in TYPES},
    **{g: g for g in GROUPS},
    **{f"{2 * i + 1}{2 * i + 2}": g for i, g in enumerate(GROUPS)},  # 12, 34, 56, as DDI writes
}


def parse_tone(cell: str) -> str | None:
    """The tone a cell names, or None for an empty cell (unknown).

    Understands `1` to `6` (also `1.0`, as pandas writes a column with gaps), `I` to `VI`, a group's
    name, and `12`, `34`, `56`. Raises ValueError for anything else, `0` and `-1` included: an
    unknown tone is an empty cell, and a number would be counted as a tone.
    """
    text = cell.strip().removesuffix(".0")
    if not text:
        return None
    tone = _SPELLINGS.get(text.upper().replace("–", "-"))
    if tone is None:
        raise ValueError(f"{cell!r} is no skin tone")
    return tone


def tone_group(tone: str) -> str:
    """The tone group of a Fitzpatrick type; a group is its own group."""
    return _GROUP_OF_TYPE.get(tone, tone)


def tone_index(tone: str) -> int:
    """Position of a tone from light to dark: 0 to 5 for types, 0 to 2 for groups."""
    return TYPES.index(tone) if tone in TYPES else GROUPS.index(tone)
