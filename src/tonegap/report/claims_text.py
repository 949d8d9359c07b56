"""Writes a table's intervals, changes and nulls, and its gaps under two annotations of tone, as text of all formats."""

from dataclasses import dataclass

from tonegap.formats.record import group_word
from tonegap.report.phrases import (
    LEAST_P,
    UNDEFINED,
    metric_label,
    null_p_text,
    p_text,
    percent,
    percent_range,
    points,
    points_range,
)
from tonegap.results.claims import Claims, RowClaims
from tonegap.results.tone_labels import AGREED, FIRST, SECOND, TRUE, LabelledGap, LabelRow
from tonegap.scores.evidence.intervals import ONE_RUN, Interval
from tonegap.scores.evidence.nulls import N_PERMUTATIONS
from tonegap.scores.evidence.parity import attainable
from tonegap.scores.tables import ALL, GAP, WORST

ONE_TRAINING = "one training run"
_ABOUT = (
    "95 % intervals of the method, over test images and training runs: whole groups of {units} are resampled "
    "within each tone, the same for every entry, 2,000 times; what training seeds add is measured on the seeds of all "
    "entries together. Shares have Wilson's interval, areas under the ROC curve DeLong's on the logit scale; those of "
    "worst tone and gap, both of the mean over seeds, come from inverting a test, since noise alone makes a gap. "
    "Entries of one tie group are statistically tied with its best at the 5 % level: "
    "its lead is held against the largest that chance gives among as many. "
    "p of a change is two-sided, paired by image, and corrected for all entries and scores (Holm); the change's "
    "interval is at the level that it is tested at, so it leaves 0 out just where p is below 0.05."
)
_NULLS = (
    "The null gap is that of permuted tone labels, permuted among all images, and among those of one class: classes "
    "that differ by tone make the first p small, too. Both p are of their row alone, not corrected for the others; "
    f"{N_PERMUTATIONS} permutations give none below {LEAST_P}."
)
_ONCE = (
    "Of an entry that was trained once the intervals are of these networks on all such images: "
    f"{ONE_RUN}, so it has no p and is not called better."
)

_LABEL_HEADER = (
    "Entry",
    "gap, these labels",
    "gap, second labels",
    "gap where both agree",
    "gap between true tones",
    "rank by worst tone: these; second",
)


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """A row's cells, aligned with `claims_header`."""

    label: str
    control: bool
    cells: tuple[str, ...]


def claims_about(claims: Claims) -> str:
    """How the intervals are made, and what stands behind a gap."""
    columns = dict.fromkeys(c for record in claims.table.records for c in record.leaks.groups)
    of_one = "".join(f" and images of one {group_word(column)}" for column in columns)
    parts = [_ABOUT.format(units=f"near-duplicates{of_one}")]
    if claims.seeds:
        parts.append(
            f"σ̂ is the standard deviation over training seeds in points, pooled over the {claims.seeds.n_entries} "
            "entries with two seeds or more (of a control: its own)."
        )
    if any(row.parity for row in claims.rows):
        parts.append(_NULLS)
    if any(row.trained_once for row in claims.rows):
        parts.append(_ONCE)
    if claims.n_left:
        parts.append(
            f"Of this long table {len(claims.table.all_rows) - claims.n_left:,} rows (the first, references and "
            f"controls) have intervals and tie groups, and p is corrected for them; {claims.n_left:,} have none."
        )
    if claims.positives:
        listed = ", ".join(
            f"{tone} {low if low == high else f'{low} to {high}'}"
            for tone, (low, high) in claims.positives.items()
        )
        seeds = (
            " (over seeds)" if any(low < high for low, high in claims.positives.values()) else ""
        )
        parts.append(f"Positive test images by tone{seeds}: {listed}.")
    if claims.without:
        parts.append(
            f"Without kept predictions, and so without intervals: {', '.join(claims.without)}."
        )
    return " ".join(parts)


def claims_header(claims: Claims) -> tuple[str, ...]:
    """Names of the columns after the entry's."""
    label = metric_label(claims.table.ranked[2])
    if not _has_gap(claims):
        return ("tie group", label, f"Δ {label}", "p", "σ̂ over seeds")
    return (
        "tie group",
        f"{label}, worst tone",
        "gap",
        "null gap; within class",
        "minimum detectable difference",
        f"{label}, all",
        "Δ worst",
        "p",
        "Δ gap",
        "p",
        "σ̂ over seeds: all; tones",
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
    tie_group = (
        "" if row.tie_group is None else ONE_TRAINING if row.trained_once else str(row.tie_group)
    )
    if not gap:
        return (tie_group, _interval(row, ALL), *_change(row, ALL), _seeds(row))
    return (
        tie_group,
        _interval(row, WORST),
        _interval(row, GAP),
        _parity(row),
        minimum_difference_text(row.minimum_detectable_difference),
        _interval(row, ALL),
        *_change(row, WORST),
        *_change(row, GAP),
        _seeds(row),
    )


def _interval(row: RowClaims, score: str) -> str:
    text = interval_text(row.shown.get(score))
    return text if text == UNDEFINED else text + seeds_note(len(row.row.records))


def seeds_note(n_seeds: int) -> str:
    """What must be said beside an interval that rests on so few training runs; empty from three on."""
    return {1: " (these networks)", 2: " (two seeds)"}.get(n_seeds, "")


def interval_words(interval: Interval | None) -> str:
    """`54.1 to 62.0` in percent; empty where there is none, or none with a width: that is no certainty."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return percent_range(interval.low, interval.high) if interval.low < interval.high else ""


def interval_text(interval: Interval | None) -> str:
    """As `interval_words`, with – where there is none."""
    return interval_words(interval) or UNDEFINED


def minimum_difference_text(difference: float | None) -> str:
    """The minimum detectable difference in points, or that none is detectable; a dash where it is undefined."""
    if difference is None:
        return UNDEFINED
    return (
        "more than 100: not detectable" if attainable(difference) is None else percent(difference)
    )


def _parity(row: RowClaims) -> str:
    if row.parity is None:
        return UNDEFINED
    text = f"{percent(row.parity.expected)} (p {null_p_text(row.parity.p)})"
    within = row.parity_within
    return f"{text}; {percent(within.expected)} (p {null_p_text(within.p)})" if within else text


def _change(row: RowClaims, score: str) -> tuple[str, str]:
    change, networks = row.changes.get(score), row.network_changes.get(score)
    if change is not None:
        ends = points_range(change.low, change.high)
        return f"{points(change.paired.difference)} ({ends})", p_text(change.p)
    if networks is None:
        return "", ""
    ends = points_range(networks.low, networks.high)
    return f"{points(networks.difference)} ({ends}; these networks)", ONE_TRAINING


def _seeds(row: RowClaims) -> str:
    """`1.2; 0.9 to 2.4`: of all images, then of the tones."""
    known = {tone: sigma for tone, sigma in row.seed_spread.items() if sigma is not None}
    of_tones = [sigma for tone, sigma in known.items() if tone != ALL]
    if not known:
        return ONE_TRAINING
    if not of_tones:
        return percent(known[ALL])
    return f"{percent(known[ALL])}; {percent(min(of_tones))} to {percent(max(of_tones))}"


_LABEL_CHOICES = {
    FIRST: "by these labels",
    SECOND: "by the second labels",
    AGREED: "where both agree",
    TRUE: "between true tones",
}


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
    if found.undefined.keys() & {FIRST, SECOND}:
        rank = "Ranks are not compared."
    undefined = "".join(
        f" Undefined {_LABEL_CHOICES[name]}: {why}." for name, why in found.undefined.items()
    )
    raters = found.raters
    about = (
        f"Gaps of accuracy with 95 % intervals. Two annotations of {raters.n:,} test images agree on the tone group in "
        f"{100 * raters.alike:.0f} %, on the tone scored here in {found.n_agreed:,} images; the reliability of one is "
        f"{raters.reliability:.2f}, ±0.10. True tones are groups (I-II, III-IV, V-VI): their gap is that by these "
        f"labels, corrected for label errors that are alike in all classes. {rank}{undefined}"
    )
    return LabelPart(_LABEL_HEADER, tuple(_label_line(row) for row in found.rows), about)


def _label_line(row: LabelRow) -> tuple[str, ...]:
    gaps = [_label_gap(row.gaps.get(name)) for name in (FIRST, SECOND, AGREED)]
    true = UNDEFINED
    if row.true:
        true = f"{percent(row.true[0])} ({percent_range(row.true[1], row.true[2])})"
    ranks = [str(row.gaps[n].rank) if n in row.gaps else UNDEFINED for n in (FIRST, SECOND)]
    return (row.entry.label, *gaps, true, f"{ranks[0]}; {ranks[1]}{' moves' if row.moves else ''}")


def _label_gap(found: LabelledGap | None) -> str:
    return UNDEFINED if found is None else f"{percent(found.gap)} ({interval_text(found.interval)})"
