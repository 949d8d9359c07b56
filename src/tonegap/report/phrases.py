"""Holds the words of a report, the same in every format: numbers, titles, labels; sentences are in `answer_text`.

The mistake it exists to prevent: an incomplete result that reads like a whole one.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable

from tonegap.formats.job import Parameter
from tonegap.formats.record import EntryId, group_word
from tonegap.formats.repeats import Repeats
from tonegap.lines import percent_span
from tonegap.results.board import Leaderboard
from tonegap.results.model import MARKS, Hole, LeaderboardTable, Mean, Row
from tonegap.scores.evidence.nulls import N_PERMUTATIONS
from tonegap.scores.repeats import standard_deviation
from tonegap.scores.tables import ALL, WORST

UNDEFINED = "–"
UNDER_ORACLE = "under test-oracle"
SELECTION_GAIN = "selection gain (cross-fitted)"
SHRUNKEN_LABEL = "of the worst tone, shrunken"
_CERTAIN = 0.001
_LEAST_P = 1 / (N_PERMUTATIONS + 1) + 1e-12
LEAST_P = f"{_LEAST_P:.4f}"
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
    """A p-value out of permutations: `0.034`, or `≤ ` and LEAST_P where none of them was as extreme."""
    return f"≤ {LEAST_P}" if p <= _LEAST_P else p_text(p)


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
    return _range(percent, low, high)


def points_range(low: float, high: float) -> str:
    """`−0.4 to +2.1`, as `percent_range`."""
    return _range(points, low, high)


def _range(shown: Callable[[float], str], low: float, high: float) -> str:
    if shown(low) == shown(high):
        low, high = math.floor(low * 1000) / 1000, math.ceil(high * 1000) / 1000
    return f"{shown(low)} to {shown(high)}"


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
        parts.append(f"INCOMPLETE: {missing(board.holes, board.n_runs)}")
    return " – ".join([*parts, board.settings.title])


def missing(holes: tuple[Hole, ...], n_runs: int) -> str:
    """`3 of 14 runs missing (2 method-error, 1 never ran)`."""
    causes = ", ".join(f"{n} {cause}" for cause, n in Counter(h.cause for h in holes).items())
    return f"{len(holes)} of {n_runs} runs missing ({causes})"


def table_title(table: LeaderboardTable) -> str:
    """The task, that its images are stand-ins or a subset where they are, and that patients are on both sides."""
    return " ".join(part for part in (table_name(table), split_note(table)) if part)


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
    shares = table.leaks()
    leaking = list(shares)
    said = [
        f"{percent_span(shares[column])}"
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


def named(row: Row) -> str:
    """An entry as people read it, with the mark of one that is not known to be clean: `… (vit) (exposure unknown)`."""
    return named_among(row.entry, [row])


def named_among(entry: EntryId, rows: Iterable[Row]) -> str:
    """The same of an entry that has several rows (of several tasks); the worst of them counts."""
    found = {mark for row in rows if row.entry == entry for mark in row.marks}
    mark = next((m for m in ("seen test data", "exposure unknown") if m in found), "")
    return f"{entry.label} ({mark})" if mark else entry.label


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
