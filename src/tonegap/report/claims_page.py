"""Claims in words and cells, the same in every format."""

from dataclasses import dataclass

from tonegap.evidence.intervals import Interval
from tonegap.report.claims import Change, Claims, RowClaims
from tonegap.report.words import UNDEFINED, metric_label, p_text, percent, points
from tonegap.score.tables import ALL, GAP, WORST

_ABOUT = (
    "95 % intervals over test images: whole groups of near-duplicates are drawn anew within each tone, the same for "
    "every entry, 2,000 times; a mean over seeds is drawn as one. Intervals of worst tone and gap come from inverting "
    "a test, since noise alone makes a gap. Entries of one band cannot be told from its best at the 5 % level, "
    "its lead held against the largest that chance gives among as many. "
    "p is two-sided, paired by image, and corrected for all entries (Holm)."
)


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """A row's cells, aligned with `claims_header`."""

    label: str
    control: bool
    cells: tuple[str, ...]


def claims_about(claims: Claims) -> str:
    """How the intervals are made, and what stands behind a gap."""
    parts = [_ABOUT]
    if claims.n_left:
        parts.append(
            f"Of this long table {len(claims.table.all_rows) - claims.n_left:,} rows (the first, references and "
            f"controls) have intervals and bands, and p is corrected for them; {claims.n_left:,} have none."
        )
    if claims.positives:
        listed = ", ".join(f"{tone} {n}" for tone, n in claims.positives.items())
        parts.append(f"Positive test images by tone: {listed}.")
    if claims.without:
        parts.append(
            f"Without kept answers, and so without intervals: {', '.join(claims.without)}."
        )
    return " ".join(parts)


def claims_header(claims: Claims) -> tuple[str, ...]:
    """Names of the columns after the entry's."""
    label = metric_label(claims.table.ranked[2])
    if not _has_gap(claims):
        return ("band", label, f"Δ {label}", "p")
    return (
        "band",
        f"{label}, worst tone",
        "gap",
        "gap if tones were alike",
        "detectable",
        f"{label}, all",
        "Δ worst",
        "p",
        "Δ gap",
        "p",
    )


def claim_lines(claims: Claims) -> tuple[ClaimLine, ...]:
    """The rows of the table, ranked ones first."""
    return tuple(
        ClaimLine(r.row.entry.label, r.row.control, _cells(r, gap=_has_gap(claims)))
        for r in claims.rows
    )


def _has_gap(claims: Claims) -> bool:
    return any(GAP in row.intervals for row in claims.rows)


def _cells(row: RowClaims, *, gap: bool) -> tuple[str, ...]:
    band = "" if row.band is None else str(row.band)
    if not gap:
        return (band, _interval(row, ALL), *_change(row.changes.get(ALL)))
    return (
        band,
        _interval(row, WORST),
        _interval(row, GAP),
        _parity(row),
        UNDEFINED if row.detectable is None else percent(row.detectable),
        _interval(row, ALL),
        *_change(row.changes.get(WORST)),
        *_change(row.changes.get(GAP)),
    )


def _interval(row: RowClaims, score: str) -> str:
    return interval_text(row.intervals.get(score))


def interval_text(interval: Interval | None) -> str:
    """`54.1 to 62.0` in percent; – where there is none."""
    if interval is None or interval.low is None or interval.high is None:
        return UNDEFINED
    return f"{percent(interval.low)} to {percent(interval.high)}"


def _parity(row: RowClaims) -> str:
    if row.parity is None:
        return UNDEFINED
    return f"{percent(row.parity.expected)} (p {p_text(row.parity.p)})"


def _change(change: Change | None) -> tuple[str, str]:
    if change is None:
        return "", ""
    paired = change.paired
    text = f"{points(paired.difference)} ({points(paired.low)} to {points(paired.high)})"
    return text, p_text(change.p)
