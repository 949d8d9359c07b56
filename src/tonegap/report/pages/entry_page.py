"""One entry on one task as a page: scores by tone with intervals, confusion matrices, calibration, how to run it.

The mistake it exists to prevent: a rank that nobody looks behind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tonegap.report.notes import images_note
from tonegap.report.pages.details import SeedLine, seed_lines
from tonegap.report.pages.entry_facts import (
    SeedFacts,
    StageLine,
    circumstances,
    seed_facts,
    stage_lines,
)
from tonegap.report.pages.entry_kept import EntryKept
from tonegap.report.pages.entry_nulls import nulls_table
from tonegap.report.pages.entry_suite import Reproduction
from tonegap.report.pages.entry_tables import (
    ConfusionMatrix,
    ScoreRows,
    bins_table,
    calibration_errors,
    event_table,
    frequent_confusions,
    gap_sentence,
    interval_words,
    matrices,
    metrics_table,
    tone_table,
)
from tonegap.report.pages.names import CARDS, card_name, pair_links
from tonegap.report.pages.names import PAGE as COMPARE
from tonegap.report.pages.plots import curve_chart, curve_panel
from tonegap.report.pages.plots_entry import WIDE, interval_chart, reliability_chart
from tonegap.report.phrases import metric_label, percent, ranking_rule, table_title
from tonegap.results.model import MARKS
from tonegap.results.quality import FOLDER as QUALITY
from tonegap.results.quality import SetSheet
from tonegap.scores.tables import ALL, GAP, WORST


@dataclass(frozen=True, slots=True)
class Links:
    """Where the page may lead: paths from its folder; empty where there is no such page."""

    report: str
    method: str
    baseline: str
    compared: str
    sets: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Confused:
    """The confusion matrices by tone, or with many classes the most frequent confusions."""

    events: ScoreRows
    threshold: str
    matrices: tuple[ConfusionMatrix, ...]
    frequent: tuple[tuple[str, ...], ...]
    min_support: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Accuracy over confidence by tone: chart, bins as text, calibration error by tone."""

    chart: str
    tones: tuple[str, ...]
    bins: tuple[tuple[str, ...], ...]
    errors: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EntryPage:
    """An entry's page as the template reads it."""

    title: str
    task: str
    stand_in: bool
    images_note: str
    marks: tuple[tuple[str, str], ...]
    answer: tuple[str, ...]
    kept: bool
    tone_chart: str
    tones: ScoreRows
    gap: str
    metrics: ScoreRows
    nulls: ScoreRows
    confused: Confused | None
    calibration: Calibration | None
    curve: str
    curve_about: str
    seeds: tuple[SeedLine, ...]
    stages: tuple[StageLine, ...]
    seed_facts: tuple[SeedFacts, ...]
    facts: tuple[tuple[str, str], ...]
    links: Links
    again: Reproduction


def entry_page(kept: EntryKept, links: Links, again: Reproduction) -> EntryPage:
    """The page of a row that has a record."""
    row, table = kept.row, kept.table
    said = kept.said
    curve, about = _learning(kept)
    return EntryPage(
        title=row.entry.label,
        task=table_title(table).replace(" [stand-in images]", ""),
        stand_in=kept.question.stand_in,
        images_note=images_note(table) or "",
        marks=tuple((mark, MARKS[mark]) for mark in row.marks),
        answer=_answer(kept),
        kept=said is not None,
        tone_chart=_tone_chart(kept),
        tones=tone_table(kept),
        gap=gap_sentence(kept),
        metrics=metrics_table(kept),
        nulls=nulls_table(kept),
        confused=_confused(kept),
        calibration=_calibration(kept),
        curve=curve,
        curve_about=about,
        seeds=seed_lines(row),
        stages=stage_lines(kept),
        seed_facts=seed_facts(kept),
        facts=circumstances(kept),
        links=links,
        again=again,
    )


def links_of(kept: EntryKept, sheets: Sequence[SetSheet], is_there: Callable[[str], bool]) -> Links:
    """Where the page leads, of what is there: paths below the report."""
    entry = kept.row.entry
    stages = {stage.key for record in kept.row.records for stage in record.stages}

    def link(path: str) -> str:
        return f"../{path}" if is_there(path) else ""

    sets = [
        (link(f"{QUALITY}/{made.page}.html"), f"{made.label}, seed {made.seed}")
        for made in sheets
        if made.page and made.sheet and made.sheet.set.stage in stages
    ]
    return Links(
        report=link("index.html"),
        method=link(f"{CARDS}/{card_name('method', entry.method)}.html"),
        baseline=link(f"{CARDS}/{card_name('baseline', entry.baseline)}.html"),
        compared=_compared(kept) if is_there(COMPARE) else "",
        sets=tuple((path.removesuffix(".html"), label) for path, label in sets if path),
    )


def _compared(kept: EntryKept) -> str:
    """Where the entry is compared with its reference; empty where it is not."""
    claims = kept.board.claims_of(kept.table)
    links = pair_links(kept.board, claims) if claims else {}
    found = links.get(kept.row.entry.label)
    return f"../{found}" if found else ""


def _answer(kept: EntryKept) -> tuple[str, ...]:
    """Rank, worst tone and gap in sentences, or why there is none of them."""
    row, table, board = kept.row, kept.table, kept.board
    metric = metric_label(table.ranked[2])
    scores = row.views[table.ranked].scores
    found = [_place(kept)]
    if scores.worst is None or scores.gap is None:
        return (*found, _sentence(metric, percent(scores.overall.value), kept, ALL))
    if scores.worst.value is None:
        return (*found, f"Its worst tone and gap are undefined: {scores.worst.reason}.")
    at = "/".join(scores.worst_at)
    found.append(
        _sentence(f"{metric} of the worst tone ({at})", percent(scores.worst.value), kept, WORST)
    )
    found.append(_sentence("gap between tones", percent(scores.gap.value), kept, GAP))
    if "levelling down" in row.marks:
        reference = board.settings.reference.label
        found.append(
            f"The gap is smaller than with {reference}, and so is the worst tone's score: levelling down."
        )
    return tuple(found)


def _place(kept: EntryKept) -> str:
    row, table = kept.row, kept.table
    ranked = [other for other in table.rows if other.rank is not None]
    rule = ranking_rule(table)
    if row.rank is not None:
        group = kept.claims.band if kept.claims else None
        within = [r for r in _tie_groups(kept) if r == group] if group is not None else []
        tied = (
            f", in a tie group of {len(within)} that are statistically tied with its best"
            if len(within) > 1
            else ""
        )
        return f"Rank {row.rank} of {len(ranked)}{tied}, by {rule}."
    return (
        f"A control, never ranked (ranks go by {rule})."
        if row.control
        else f"Not ranked: {row.unranked}."
    )


def _tie_groups(kept: EntryKept) -> list[int]:
    claims = kept.board.claims_of(kept.table)
    return [r.band for r in claims.rows if r.band is not None] if claims else []


def _sentence(what: str, value: str, kept: EntryKept, score: str) -> str:
    """`The gap between tones is 26.7 (95 % interval 18.0 to 34.0).`"""
    metric = kept.table.ranked[2]
    found = kept.said.intervals.get((metric, score)) if kept.said else None
    between = interval_words(found)
    return (
        f"The {what} is {value} (95 % interval {between})."
        if between
        else f"The {what} is {value}."
    )


def _tone_chart(kept: EntryKept) -> str:
    scores, metric = kept.row.views[kept.table.ranked].scores, kept.table.ranked[2]
    if not scores.tones:
        return ""
    found = kept.said.intervals if kept.said else {}
    of_metric = {tone: found[metric, tone] for tone in kept.axis.tones if (metric, tone) in found}
    return interval_chart(f"{metric_label(metric)} by tone", kept.axis.tones, scores, of_metric)


def _confused(kept: EntryKept) -> Confused | None:
    if kept.said is None:
        return None
    classes, support = kept.question.classes, kept.question.min_support
    many = not matrices(kept.said.confusions, classes, support)
    thresholds = [record.scores[kept.table.ranked[0]].threshold for record in kept.row.records]
    return Confused(
        events=event_table(kept.said.events, support),
        threshold=", ".join("–" if t is None else f"{t:.3f}" for t in thresholds),
        matrices=matrices(kept.said.confusions, classes, support),
        frequent=frequent_confusions(kept.said.confusions, classes) if many else (),
        min_support=support,
    )


def _calibration(kept: EntryKept) -> Calibration | None:
    if kept.said is None:
        return None
    found = kept.said.reliabilities
    errors = calibration_errors(kept)
    return Calibration(
        chart=reliability_chart("Accuracy over confidence", found, kept.question.min_support),
        tones=tuple(each.tone for each in found),
        bins=bins_table(found, kept.question.min_support),
        errors=tuple(
            (tone, errors.get(tone, "not among the report's metrics"))
            for tone in (e.tone for e in found)
        ),
    )


def _learning(kept: EntryKept) -> tuple[str, str]:
    """The curve and what it shows; of the selection metric where only the record has one."""
    row = kept.row
    if kept.said and kept.said.curves:
        metric = metric_label(kept.table.ranked[2])
        said = f"{metric} by epoch on validation and test images"
        return curve_chart(kept.said.curves, said, WIDE), said
    if any(record.curve for record in row.records):
        metric = metric_label(row.records[0].selection_metric)
        return curve_panel(
            row.records, row.entry.label
        ), f"{metric}, which picks the epoch, by epoch on validation and test images"
    return "", ""
