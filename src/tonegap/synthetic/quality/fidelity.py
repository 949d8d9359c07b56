"""Tones asked for against tones measured: a confusion table, and the share that is as asked. Pure."""

from collections import Counter
from collections.abc import Sequence

from tonegap.formats.quality_sheet import Agreement, Share, ToneTable
from tonegap.scores.evidence.shares import wilson
from tonegap.tones import GROUPS, TYPES, tone_group

NO_SKIN = "no skin"
_Z = 1.959964  # standard errors of a 95 % interval


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
        agreement=_agreement([(tone_group(a), m and tone_group(m)) for a, m in told]),
    )


def _agreement(pairs: Sequence[tuple[str, str | None]]) -> Agreement:
    """Cohen's kappa of groups; its interval is Wilson's of the share in the same group, the margins held.

    Source: Cohen 1960, Educational and Psychological Measurement 20(1), 37-46.
    """
    n = len(pairs)
    asked, shown = Counter(a for a, _ in pairs), Counter(m for _, m in pairs)
    if len(asked) < 2:
        return Agreement(None, None, None, None, n, "fewer than two tone groups")
    same = sum(a == m for a, m in pairs) / n
    chance = sum(asked[group] * shown[group] for group in asked) / n**2
    kappa, low, high = ((share - chance) / (1 - chance) for share in (same, *wilson(same, n, _Z)))
    return Agreement(kappa, low, high, chance, n)


def _same_group(asked: str, measured: str | None) -> bool:
    return measured is not None and tone_group(asked) == tone_group(measured)


def _share(hits: Sequence[bool]) -> Share:
    if not hits:
        return Share(None, 0, "no image has a tone that was asked for")
    return Share(sum(hits) / len(hits), len(hits))
