"""Holds the words of a report, the same in every format: numbers, titles, what a table says in a sentence.

The mistake it exists to prevent: an incomplete or levelled-down result that reads like a win.
"""

import json
import math
import re
from collections import Counter

from tonegap.formats.job import Parameter
from tonegap.formats.record import group_word
from tonegap.formats.repeats import Repeats
from tonegap.lines import counted, percent_span
from tonegap.results.board import Leaderboard
from tonegap.results.claims import RowClaims
from tonegap.results.model import MARKS, Hole, LeaderboardTable, Mean, Row, View
from tonegap.results.ranking import SHRUNKEN
from tonegap.results.verdict import verdict
from tonegap.scores.evidence.intervals import ONE_RUN
from tonegap.scores.evidence.nulls import N_DEALS
from tonegap.scores.repeats import standard_deviation
from tonegap.scores.tables import ALL, GAP, WORST, metric_named

UNDEFINED = "–"
UNDER_ORACLE = "under test-oracle"
SELECTION_GAIN = "selection gain (cross-fitted)"
SHRUNKEN_LABEL = "of the worst tone, shrunken"
_CERTAIN = 0.001
_LEAST_P = 1 / (N_DEALS + 1) + 1e-12
_NAMED = 4
_DIGEST = re.compile(r"(#sha256=[0-9a-f]{12})[0-9a-f]+")
_LABELS = {
    "macro_f1": "macro F1",
    "auc": "ROC-AUC",
    "ece": "ECE",
    "pqd": "PQD",
    "dpm": "DPM",
    "eom": "EOM",
    "nar": "NAR",
}
SELECTION_MEANING = {
    "validation": "epoch picked on validation images",
    "last": "last epoch",
    "test-oracle": "epoch picked on the test images themselves; never ranked",
}
SELECTION_CHOICE = {
    "validation": "picked on validation images",
    "last": "the last one",
    "test-oracle": "picked on test images (never ranked)",
}
AXIS_LABEL = {
    "types": "Fitzpatrick types",
    "groups": "tone groups",
    "monk": "tones of the Monk scale",
}


def metric_label(name: str) -> str:
    """A metric as people read it."""
    return _LABELS.get(name, name.replace("_", " "))


def percent(value: float | None) -> str:
    """A fraction in percent with one decimal, without the sign %; – if undefined."""
    return UNDEFINED if value is None else f"{value * 100:.1f}"


def p_text(p: float) -> str:
    """A p-value: `0.034`, or `< 0.001`."""
    return "< 0.001" if p < _CERTAIN else f"{p:.3f}"


def null_p_text(p: float) -> str:
    """A p-value out of permutations: `0.034`, or `≤ 0.0025` where none of 400 was as extreme."""
    return "≤ 0.0025" if p <= _LEAST_P else p_text(p)


def tenths(value: float) -> int:
    """What `percent` prints, without the point: 612 for 61.2."""
    return int(percent(value).replace(".", ""))


def points(value: float | None) -> str:
    """A difference in percentage points, signed; – if undefined."""
    if value is None:
        return UNDEFINED
    text = f"{value * 100:+.1f}"
    return "0.0" if text in {"+0.0", "-0.0"} else text.replace("-", "−")


def percent_range(low: float, high: float) -> str:
    """`54.1 to 62.0`; two ends that would print alike are rounded outwards, as no interval is without width."""
    if percent(low) == percent(high):
        low, high = _outwards(low, high)
    return f"{percent(low)} to {percent(high)}"


def points_range(low: float, high: float) -> str:
    """`−0.4 to +2.1`, as `percent_range`."""
    if points(low) == points(high):
        low, high = _outwards(low, high)
    return f"{points(low)} to {points(high)}"


def _outwards(low: float, high: float) -> tuple[float, float]:
    return math.floor(low * 1000) / 1000, math.ceil(high * 1000) / 1000


def shrunken_text(row: Row) -> str:
    """The shrunken worst tone of a row, `58.9 V-VI`; empty where there is none."""
    found = row.shrunken
    return f"{percent(found.worst)} {'/'.join(found.worst_at)}" if found else ""


def spread(mean: Mean) -> str:
    """The range over seeds, `58.0 to 64.4`; empty if there is none."""
    return "" if mean.low is None else f"{percent(mean.low)} to {percent(mean.high)}"


def images(low: int, high: int) -> str:
    """How many images: `40`, or `38–41` where seeds or entries differ."""
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def n_of_tone(table: LeaderboardTable, view: tuple[str, str, str], index: int) -> str:
    """How many test images the tone has in that view, over all rows; empty without any."""
    found = [
        row.views[view].scores.tones[index]
        for row in table.all_rows
        if view in row.views and row.views[view].scores.tones
    ]
    if not found:
        return ""
    return images(min(m.n_low for m in found), max(m.n_high for m in found))


def report_title(board: Leaderboard) -> str:
    """The title, which says first of all if a control or the truth is wrong, or runs are missing."""
    parts = list(dict.fromkeys(kind for kind, _ in board.stamps))
    if board.holes:
        parts.append(f"INCOMPLETE: {missing(board.holes, board.n_cells)}")
    return " – ".join([*parts, board.settings.title])


def missing(holes: tuple[Hole, ...], n_runs: int) -> str:
    """`3 of 14 runs missing (2 method-error, 1 never ran)`."""
    causes = ", ".join(f"{n} {cause}" for cause, n in Counter(h.cause for h in holes).items())
    return f"{len(holes)} of {n_runs} runs missing ({causes})"


def table_title(table: LeaderboardTable) -> str:
    """The task, that its images are stand-ins or a subset where they are, and that patients are on both sides."""
    parts = (table_name(table), split_note(table))
    return " ".join(part for part in parts if part)


def table_name(table: LeaderboardTable) -> str:
    """The task, and that its images are stand-ins, a subset or without those of a list where they are."""
    stand_in = table.question is not None and table.question.stand_in
    parts = (
        table.task,
        subset_note(table),
        exclusion_note(table),
        "[stand-in images]" if stand_in else "",
    )
    return " ".join(part for part in parts if part)


def split_note(table: LeaderboardTable) -> str:
    """`[split by image, not by patient: 39.1 % of test images are of a patient in training]`; empty where none is.

    Of several columns that leak the one with the largest share is first; seeds without a leak count as 0.
    """
    shares: dict[str, list[tuple[float, int]]] = {}
    for record in (record for row in table.all_rows for record in row.records):
        for column, leak in record.leaks.groups.items():
            share = 100 * leak.n_test_images / record.partitions["test"].n
            shares.setdefault(column, []).append((share, leak.n_pairs))
    leaking = [column for column, found in shares.items() if max(found)[0]]
    leaking.sort(key=lambda column: max(shares[column]), reverse=True)
    said = [
        f"{percent_span([share for share, _ in shares[column]])}"
        f"{' of test images are' if column == leaking[0] else ''} of a {group_word(column)} in training"
        for column in leaking
    ]
    words = " or ".join(map(group_word, leaking))
    return f"[split by image, not by {words}: {', '.join(said)}]" if said else ""


def subset_note(table: LeaderboardTable) -> str:
    """`[subset of 600 images]`; empty where all of the task's images were used."""
    question = table.question
    if question is None or question.subset is None:
        return ""
    return f"[subset of {question.subset:,} images]"


def exclusion_note(table: LeaderboardTable) -> str:
    """`[without errors.txt (1a2b3c4d5e6f)]`; empty where no list left images out."""
    lists = table.question.exclusions if table.question else ()
    return f"[without {', '.join(lists)}]" if lists else ""


def ranking_rule(table: LeaderboardTable) -> str:
    """By what the rows are ranked, in words."""
    selection, _, metric = table.ranked
    of = {ALL: "over all images", WORST: "of the worst tone"}.get(table.ranking.by, SHRUNKEN_LABEL)
    why = f" ({table.ranking.why})" if table.ranking.why else ""
    return f"{metric_label(metric)} {of}{why}, {SELECTION_MEANING[selection]}"


def small_label(row: Row) -> str:
    """What goes below method and baseline: `resnet18, 2 seeds`."""
    seeds = "1 seed" if (len(row.records), len(row.seeds)) == (1, 1) else f"{seeds_done(row)} seeds"
    return ", ".join(part for part in (row.entry.backbone, row.entry.variant, seeds) if part)


def shared_marks(table: LeaderboardTable) -> tuple[str, ...]:
    """Marks that every row with a result has: the page says them once, above the table."""
    each = [set(row.marks) for row in table.all_rows if row.records]
    if len(each) < 2:
        return ()
    return tuple(mark for mark in MARKS if all(mark in marks for marks in each))


def marks_used(board: Leaderboard) -> dict[str, str]:
    """The marks that any row of a report has, with their meanings."""
    used = {mark for table in board.tables for row in table.all_rows for mark in row.marks}
    return {mark: meaning for mark, meaning in MARKS.items() if mark in used}


def seeds_done(row: Row) -> str:
    """How many seeds a row has: `2`, or `1 of 2` where some are missing."""
    done, declared = len(row.records), len(row.seeds)
    return str(done) if done == declared else f"{done} of {declared}"


def answer(board: Leaderboard, table: LeaderboardTable) -> tuple[str, ...]:
    """What the table says, in sentences: first whether any entry is better than the controls, then which is best."""
    ranked = [row for row in table.rows if row.rank is not None]
    if not ranked:
        return ("No entry can be ranked yet; the table says why for each.",)
    first = [row for row in ranked if row.rank == 1]
    view = first[0].views[table.ranked]
    sentences = [*_verdict(board, table), _best(first, view, board, table)]
    if len(first) == 1:
        sure = _claims_of(first[0], table, board)
        sentences += _against_reference(first[0], board, table.ranked, sure)
        sentences += (
            _ties(sure, table, board) if sure else _overlap_over_seeds(ranked, table, board)
        )
    sentences += _above_controls(ranked, table, board)
    return tuple(sentences)


def rank_mean(row: Row, table: LeaderboardTable, board: Leaderboard) -> Mean:
    """The score of a row that ranks it."""
    scores = row.views[table.ranked].scores
    worst = scores.worst if board.settings.by_worst(table.ranked[2]) else None
    return worst or scores.overall


def _verdict(board: Leaderboard, table: LeaderboardTable) -> list[str]:
    """Which entries are significantly better than the best control; nothing where no control has a score."""
    claims = board.claims_of(table)
    found = verdict(claims, board.settings) if claims else None
    if found is None:
        return []
    what = f"{'worst-tone ' if found.score == WORST else ''}{metric_label(table.ranked[2])}"
    if not found.n:
        return [
            f"No entry is called better than the best control, {found.control}: each was trained once."
        ]
    if not found.better:
        return [
            f"No entry is significantly better than the best control, {found.control}, in {what}."
        ]
    lead, others = found.better[0], len(found.better) - 1
    more = f"; so {'is' if others == 1 else 'are'} {counted(others, 'other')}" if others else ""
    ends = points_range(lead.low, lead.high)
    return [
        f"{lead.label} is significantly better than the best control, {found.control}, in {what}: "
        f"{points(lead.difference)} points ({ends}; p {p_text(lead.p)}, corrected for "
        f"{'1 entry' if found.n == 1 else f'{found.n} entries'}){more}."
    ]


def _best(first: list[Row], view: View, board: Leaderboard, table: LeaderboardTable) -> str:
    metric = table.ranked[2]
    names = " and ".join(row.entry.label for row in first)
    verb = "share" if len(first) > 1 else "has"
    scores, label = view.scores, metric_label(metric)
    if not (board.settings.by_worst(metric) and scores.worst):
        return f"{names} {verb} the best {label}: {percent(scores.overall.value)} %."
    at = "" if len(first) > 1 else f" ({' or '.join(scores.worst_at)})"
    shrunken = first[0].shrunken
    if table.ranking.by == SHRUNKEN and shrunken:
        at = (
            ""
            if len(first) > 1
            else f" ({' or '.join(shrunken.worst_at)}; as measured {percent(scores.worst.value)} %)"
        )
        return f"{names} {verb} the best worst-tone {label} after shrinkage: {percent(shrunken.worst)} %{at}."
    return f"{names} {verb} the best worst-tone {label}: {percent(scores.worst.value)} %{at}."


def _claims_of(row: Row, table: LeaderboardTable, board: Leaderboard) -> RowClaims | None:
    claims = board.claims_of(table)
    found = (r for r in claims.rows if r.row.entry == row.entry) if claims else iter(())
    return next((r for r in found if r.tie_group is not None), None)


def _ties(sure: RowClaims, table: LeaderboardTable, board: Leaderboard) -> list[str]:
    """The interval of the best entry's score, and which other entries are statistically tied with it."""
    by_worst_tone = board.settings.by_worst(table.ranked[2])
    what = "worst-tone score" if by_worst_tone else "score"
    interval = sure.shown.get(WORST if by_worst_tone else ALL)
    found = []
    if interval and interval.low is not None and interval.high is not None:
        ends = percent_range(interval.low, interval.high).replace(" to ", " and ")
        of = (
            "of these networks on" if sure.trained_once else "of the method, over training runs and"
        )
        found.append(f"The {what} {of} all such images lies between {ends} % (95 % interval).")
    if sure.trained_once:
        return [*found, f"{ONE_RUN.capitalize()}, so no entry is called better than another."]
    claims = board.claims_of(table)
    others = [r for r in claims.rows if r.tie_group is not None and r is not sure] if claims else []
    tied = [r.row.entry.label for r in others if r.tie_group == sure.tie_group]
    if tied:
        named = _named(tied)
        return [
            *found,
            f"By its lead alone it is statistically tied with {named}: their order may be chance.",
        ]
    if others:
        found.append(
            "By its lead alone it is significantly different from every other entry that has an interval."
        )
    return found


def _named(labels: list[str]) -> str:
    """`a, b and c`, or `a, b and 5 more`."""
    shown = labels if len(labels) <= _NAMED else labels[: _NAMED - 1]
    left = len(labels) - len(shown)
    parts = [*shown, f"{left} more"] if left else shown
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _against_reference(
    row: Row, board: Leaderboard, ranked: tuple[str, str, str], sure: RowClaims | None
) -> list[str]:
    view, metric = row.views[ranked], ranked[2]
    scores, change = view.scores, view.comparison
    if scores.gap is None:
        return []
    gap = f"Its {metric_label(metric)} differs by {percent(scores.gap.value)} points between tones"
    if change is None:
        return [f"{gap}. It is the reference itself: no other entry ranks above it."]
    if change.gap is None or change.gap.value is None:
        return [f"{gap}; there is no reference to compare with."]
    reference = board.settings.reference.label
    text = f"{gap}, {_moved(change.gap.value, 'less', 'more')} than with {reference}{_p(sure, GAP)}"
    if change.worst and change.worst.value is not None:
        text += (
            f"; its worst tone is {_moved(change.worst.value, 'lower', 'higher')}{_p(sure, WORST)}"
        )
    levelling = " The smaller gap comes with a worse worst tone, both significant: levelling down."
    return [text + "." + (levelling if "levelling down" in row.marks else "")]


def _p(sure: RowClaims | None, score: str) -> str:
    """` (corrected p 0.034)` of a change from the reference; empty where there is none."""
    change = sure.changes.get(score) if sure else None
    return f" (corrected p {p_text(change.p)})" if change else ""


def _moved(value: float, down: str, up: str) -> str:
    """`6.3 points less`, or `no different` where it would print as 0.0."""
    if points(value) == "0.0":
        return f"0.0 points {up}"
    return f"{percent(abs(value))} points {up if value > 0 else down}"


def _overlap_over_seeds(
    ranked: list[Row], table: LeaderboardTable, board: Leaderboard
) -> list[str]:
    """Whether the first two overlap over seeds."""
    best = rank_mean(ranked[0], table, board)
    if best.low is None or best.high is None:
        return [f"{ONE_RUN.capitalize()}."]
    what = "worst-tone score" if board.settings.by_worst(table.ranked[2]) else "score"
    text = f"Over {len(best.values)} seeds its {what} ranges from {spread(best)}"
    if len(ranked) < 2:
        return [text + "."]
    second = rank_mean(ranked[1], table, board)
    if second.low is None or second.high is None:
        return [text + "."]
    disjoint = best.low > second.high or best.high < second.low
    next_range = f"that of the next entry, {ranked[1].entry.label} ({spread(second)})"
    if disjoint:
        return [f"{text} and does not overlap {next_range}."]
    return [f"{text} and overlaps {next_range}: their order may be chance."]


def _above_controls(ranked: list[Row], table: LeaderboardTable, board: Leaderboard) -> list[str]:
    """How many entries do not rise above the best control."""
    scored = [row for row in table.controls if table.ranked in row.views]
    values = [(rank_mean(row, table, board).value, row.entry.label) for row in scored]
    controls = [(value, label) for value, label in values if value is not None]
    if not controls:
        return ["No control has a score, so nothing here can be read against chance."]
    larger = metric_named(table.ranked[2]).larger_is_better
    bar, control = max(controls) if larger else min(controls)
    best = f"the best control, {control} ({percent(bar)})"
    means = [rank_mean(row, table, board).value for row in ranked]
    below = [v for v in means if v is not None and (v <= bar if larger else v >= bar)]
    if table.ranking.by == SHRUNKEN:
        best += (
            ", as measured"  # what is shrunken is shrunken towards entries, and controls are none
        )
    if below:
        verb = "is" if len(below) == 1 else "are"
        return [
            f"By the numbers alone, {len(below)} of {len(ranked)} ranked entries {verb} not ahead of {best}."
        ]
    return [f"By the numbers alone, every ranked entry is ahead of {best}."]


def spread_words(repeats: Repeats, name: str) -> str:
    """How far a score spreads from run to run, in points, for a reader."""
    if repeats.are_identical:
        return f"0: identical bytes in {repeats.n} runs"
    found = standard_deviation(repeats.scores.get(name, ()))
    if found is None:
        return f"undefined in one of {repeats.n} runs"
    return f"{100 * found:.1f} points (standard deviation of {repeats.n} runs)"


def spelled(value: Parameter) -> str:
    """A parameter's value as a suite file has it, without the quotes of a text; long digests are cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _DIGEST.sub(r"\1…", text)
