"""What two annotations of tone make of a table's gaps, in words and cells."""

from dataclasses import dataclass

from tonegap.report.claims_text import interval_text
from tonegap.report.phrases import UNDEFINED, percent, percent_range
from tonegap.results.claims import Claims
from tonegap.results.tone_labels import AGREED, FIRST, SECOND, LabelledGap, LabelRow

_HEADER = (
    "Entry",
    "gap, these labels",
    "gap, second labels",
    "gap where both agree",
    "gap between true tones",
    "rank by worst tone: these; second",
)


@dataclass(frozen=True, slots=True)
class LabelPart:
    """A table of gaps under two annotations: header, lines, what must be said of it."""

    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    about: str


def label_part(claims: Claims | None) -> LabelPart | None:
    """The gaps of accuracy of a table's entries under two annotations; None where there is one annotation."""
    if claims is None or claims.labels is None:
        return None
    found = claims.labels
    moved = [row.entry.label for row in found.rows if row.moves]
    rank = "No rank changes with the labels."
    if moved:
        rank = f"Another rank under the second labels: {', '.join(moved)}."
    raters = found.raters
    about = (
        f"Gaps of accuracy with 95 % intervals. Two annotations of {raters.n:,} test images agree on the tone group in "
        f"{100 * raters.alike:.0f} %, on the tone scored here in {found.n_agreed:,} images; the reliability of one is "
        f"{raters.reliability:.2f}, ±0.10. True tones are groups (I-II, III-IV, V-VI): their gap is that by these "
        f"labels, corrected for label errors that are alike in all classes. {rank}"
    )
    return LabelPart(_HEADER, tuple(_line(row) for row in found.rows), about)


def _line(row: LabelRow) -> tuple[str, ...]:
    gaps = [_gap(row.gaps.get(name)) for name in (FIRST, SECOND, AGREED)]
    true = UNDEFINED
    if row.true:
        true = f"{percent(row.true[0])} ({percent_range(row.true[1], row.true[2])})"
    ranks = [str(row.gaps[n].rank) if n in row.gaps else UNDEFINED for n in (FIRST, SECOND)]
    return (row.entry.label, *gaps, true, f"{ranks[0]}; {ranks[1]}{' moves' if row.moves else ''}")


def _gap(found: LabelledGap | None) -> str:
    return UNDEFINED if found is None else f"{percent(found.gap)} ({interval_text(found.interval)})"
