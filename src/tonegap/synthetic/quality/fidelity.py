"""Compares tones asked for with tones measured: a confusion matrix, and the share that is as asked. Pure."""

from collections import Counter
from collections.abc import Sequence
from math import fsum
from statistics import median

from tonegap.formats.quality_sheet import Agreement, Share, ToneTable
from tonegap.scores.evidence.proportions import student, wilson
from tonegap.synthetic.quality.skin import Skin
from tonegap.tones import GROUPS, SCALES, TYPES, tone_group

NOT_MEASURABLE = "not measurable"
_NONE_ASKED = "no image has a tone that was asked for"
_LEVEL = 0.95


def tone_table(
    asked: Sequence[str | None], shown: Sequence[Skin], units: Sequence[int] = ()
) -> ToneTable:
    """The table of a set of images: tones asked for (annotated) against what their skin shows, row by row.

    `asked` are types or groups (None: none was asked for; such an image is counted and left out). An image whose skin
    cannot be measured has a column of its own and is in no share. `units` numbers what is of one patient or lesion;
    without it each image is on its own.
    """
    angled = SCALES["fitzpatrick"]
    told = [
        (a, skin.type, unit)
        for a, skin, unit in zip(asked, shown, units or range(len(asked)), strict=True)
        if a is not None and a in angled
    ]
    axis = TYPES if any(a in TYPES for a, *_ in told) else GROUPS
    rows = tuple(tone for tone in axis if any(a == tone for a, *_ in told))
    columns = (*axis, NOT_MEASURABLE)
    counts = {row: dict.fromkeys(columns, 0) for row in rows}
    for tone, found, _ in told:
        column = found if axis is TYPES or found is None else tone_group(found)
        counts[tone][column or NOT_MEASURABLE] += 1
    pairs = [(a, m) for a, m, _ in told if m is not None]
    reason = "the skin of no image can be measured" if told else _NONE_ASKED
    if not told and any(asked):
        reason = "the classes of the angle are those of Fitzpatrick types, and tones here are of another scale"
    return ToneTable(
        asked=rows,
        measured=columns,
        counts=tuple(tuple(counts[row].values()) for row in rows),
        n_without_tone=sum(a is None for a in asked),
        same_tone=_share([a == (m if axis is TYPES else tone_group(m)) for a, m in pairs], reason),
        same_group=_share([tone_group(a) == tone_group(m) for a, m in pairs], reason),
        same_group_by_tone=tuple(
            _share([tone_group(a) == tone_group(m) for a, m in pairs if a == row], reason)
            for row in rows
        ),
        agreement=_agreement(
            [(tone_group(a), tone_group(m)) for a, m in pairs],
            [unit for _, m, unit in told if m is not None],
            "" if told else reason,
        ),
        n_not_measurable=len(told) - len(pairs),
        n_by_mask=sum(skin.by_mask for skin in shown),
        skin_share=median(skin.share for skin in shown) if shown else None,
    )


def _agreement(pairs: Sequence[tuple[str, str]], units: Sequence[int], why: str) -> Agreement:
    """Cohen's kappa of groups, with a 95 % interval that takes what is drawn together, by `units`, as one draw.

    Wilson's interval of the share in the same group, carried over to kappa, at the number of independent images with
    kappa's variance: linearised, margins included, summed within units. `why` no image has a tone to compare.

    Sources: Cohen 1960, Educational and Psychological Measurement 20(1), 37-46; Liang and Zeger 1986, Biometrika
    73(1), 13-22 (sums within units).
    """
    n = len(pairs)
    asked, shown = Counter(a for a, _ in pairs), Counter(m for _, m in pairs)
    if len(asked) < 2:
        return Agreement(None, None, None, None, n, why or "fewer than two tone groups")
    same = sum(a == m for a, m in pairs) / n
    chance = sum(asked[group] * shown[group] for group in asked) / n**2
    pull = dict.fromkeys(units, 0.0)
    for (a, m), unit in zip(pairs, units, strict=True):
        of_margins = (shown[a] + asked[m]) / n - 2 * chance
        pull[unit] += (a == m) - same - (1 - same) / (1 - chance) * of_margins
    df = max(len(pull) - 1, 1)
    variance = fsum(value**2 for value in pull.values()) / n**2 * len(pull) / df
    worth = same * (1 - same) / variance if variance else len(pull)
    ends = wilson(same, max(worth, 1.0), student(df, _LEVEL))
    kappa, low, high = ((share - chance) / (1 - chance) for share in (same, *ends))
    return Agreement(kappa, low, high, chance, n)


def _share(hits: Sequence[bool], reason: str) -> Share:
    return Share(sum(hits) / len(hits), len(hits)) if hits else Share(None, 0, reason)
