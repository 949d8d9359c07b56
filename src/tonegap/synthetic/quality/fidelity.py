"""Tones asked for against tones measured: a confusion table, and the share that is as asked. Pure."""

from collections.abc import Sequence

from tonegap.formats.quality_sheet import Share, ToneTable
from tonegap.tones import GROUPS, TYPES, tone_group

NO_SKIN = "no skin"


def tone_table(asked: Sequence[str | None], measured: Sequence[str | None]) -> ToneTable:
    """The table of a set of images.

    `asked` are types or groups (None: none was asked for; such an image is counted and left out),
    `measured` types (None: no skin). An image without skin is not as asked.
    """
    told = [(a, m) for a, m in zip(asked, measured, strict=True) if a is not None]
    axis = TYPES if any(a in TYPES for a, _ in told) else GROUPS
    rows = tuple(tone for tone in axis if any(a == tone for a, _ in told))
    columns = (*axis, NO_SKIN)
    counts = {row: dict.fromkeys(columns, 0) for row in rows}
    for tone, found in told:
        shown = found if axis is TYPES or found is None else tone_group(found)
        counts[tone][shown or NO_SKIN] += 1
    return ToneTable(
        asked=rows,
        measured=columns,
        counts=tuple(tuple(counts[row].values()) for row in rows),
        n_without_tone=len(asked) - len(told),
        same_tone=_share([a == (m and (m if axis is TYPES else tone_group(m))) for a, m in told]),
        same_group=_share([_same_group(a, m) for a, m in told]),
        same_group_by_tone=tuple(
            _share([_same_group(a, m) for a, m in told if a == row]) for row in rows
        ),
    )


def _same_group(asked: str, measured: str | None) -> bool:
    return measured is not None and tone_group(asked) == tone_group(measured)


def _share(hits: Sequence[bool]) -> Share:
    if not hits:
        return Share(None, 0, "no image has a tone that was asked for")
    return Share(sum(hits) / len(hits), len(hits))
