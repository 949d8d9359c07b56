"""What the page shows before any script runs: the main view of each table, ready to be printed.

The mistake it exists to prevent: a page that is empty, or says something else, without its script.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tonegap.formats.record import EntryId
from tonegap.report.grid import Footnotes, GridCell
from tonegap.report.label_text import LabelPart, label_part
from tonegap.report.notes import event_note, images_note
from tonegap.report.pages.charts import Scale
from tonegap.report.pages.details import DataNote, Details, data_notes, entry_details
from tonegap.report.pages.names import FOLDER, entry_pages
from tonegap.report.pages.payload import table_payload
from tonegap.report.pages.plots import panel_scale, strip, strip_scale, tone_colour, tone_panel
from tonegap.report.phrases import (
    answer,
    metric_label,
    n_of_tone,
    percent,
    points,
    ranking_rule,
    shared_marks,
    small_label,
    spread,
    table_title,
)
from tonegap.report.power_text import table_reach
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims
from tonegap.results.model import Difference, LeaderboardTable, Mean, Row
from tonegap.results.verdict import rank_ranges
from tonegap.scores.tables import WORST, metric_named


@dataclass(frozen=True, slots=True)
class Number:
    """A cell of numbers: the value, a smaller line below it, a footnote, a style."""

    text: str
    small: str = ""
    note: int | None = None
    why: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class PageRow:
    """A row of the main view; `href` is its entry's page, if there is one; `ranks` those of its tie group, `1–4`."""

    row: Row
    label: str
    small: str
    marks: tuple[str, ...]
    rank: GridCell
    numbers: tuple[Number, ...]
    strip: str
    href: str = ""
    ranks: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A column's name, a smaller line below it, and what the script sorts it by (empty: not)."""

    name: str
    small: str
    key: str


@dataclass(frozen=True, slots=True)
class EntryPanel:
    """A chart with its entry's name."""

    label: str
    svg: str


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table as the templates read it."""

    id: str
    table: LeaderboardTable
    title: str
    images_note: str | None
    answer: tuple[str, ...]
    shared_marks: tuple[str, ...]
    caption: str
    heads: tuple[Head, ...]
    per_tone: bool
    shrunken: bool
    rows: tuple[PageRow, ...]
    controls: tuple[PageRow, ...]
    n_without_row: int
    chance: str
    notes: tuple[str, ...]
    tones: tuple[tuple[str, int], ...]
    panels: tuple[EntryPanel, ...]
    n_without_panel: int
    details: tuple[Details, ...]
    n_without_details: int
    data: tuple[DataNote, ...]
    shows: tuple[str, ...]
    labels: LabelPart | None
    payload: str


def page_table(board: Leaderboard, table: LeaderboardTable, number: int) -> PageTable:
    """The table as the templates read it; `number` makes its ids unique in the page."""
    settings = board.settings
    notes = Footnotes()
    panels = _panels(table, settings.n_plots)
    shown = (*table.rows[: settings.n_rows], *table.controls)
    claims = board.claims_of(table)
    whiskers = worst_whiskers(claims)
    scale = strip_scale(table, whiskers)
    frame = RowFrame(table, scale, notes, (*shared_marks(table), "control"), whiskers)
    ranks = rank_ranges(claims)
    pages = {entry: f"{FOLDER}/{name}.html" for entry, name in entry_pages(board, table).items()}
    page_rows = tuple(
        replace(
            _page_row(row, frame),
            href=pages.get(row.entry, ""),
            ranks=rank_text(ranks.get(row.entry)),
        )
        for row in shown
    )
    names = table.tones(table.ranked[1])
    detailed = table.all_rows[: settings.n_details]
    return PageTable(
        id=f"t{number}",
        table=table,
        title=table_title(table).replace(" [stand-in images]", ""),
        images_note=images_note(table),
        answer=answer(board, table),
        shared_marks=shared_marks(table),
        caption=_caption(board, table),
        heads=_heads(table, scale),
        per_tone=_is_per_tone(table),
        shrunken=bool(table.ranking.believed),
        rows=page_rows[: len(page_rows) - len(table.controls)],
        controls=page_rows[len(page_rows) - len(table.controls) :],
        n_without_row=len(table.rows) + len(table.controls) - len(page_rows),
        chance=_chance(table),
        notes=tuple(notes.numbers),
        tones=tuple((tone, tone_colour(tone)) for tone in names),
        panels=panels,
        n_without_panel=max(sum(bool(row.records) for row in table.rows) - len(panels), 0),
        details=tuple(entry_details(row, f"t{number}-entry-{i}") for i, row in enumerate(detailed)),
        n_without_details=len(table.all_rows) - len(detailed),
        data=data_notes(table),
        shows=table_reach(table),
        labels=label_part(board.claims_of(table)),
        payload=table_payload(table, pages, ranks, whiskers),
    )


def worst_whiskers(claims: Claims | None) -> dict[EntryId, tuple[float, float]]:
    """Both ends of the worst tone's interval of each entry that has one, as its page shows it."""
    found = {}
    for row in claims.rows if claims else ():
        interval = row.shown.get(WORST)
        if interval and interval.low is not None and interval.high is not None:
            found[row.row.entry] = interval.low, interval.high
    return found


def rank_text(ranks: tuple[int, int] | None) -> str:
    """`1–4`; empty for a tie group of one, or none."""
    return "" if ranks is None or ranks[0] == ranks[1] else f"{ranks[0]}–{ranks[1]}"


def _caption(board: Leaderboard, table: LeaderboardTable) -> str:
    return (
        f"Ranks: by {ranking_rule(table)}; below, in small, the ranks of the tie group, whose order may be "
        "chance. The thin line below the dots is the worst tone's 95 % interval. Percent, means over seeds; "
        "below, in small, the smallest and largest over seeds. Worst tone and gap are those of the means. Changes "
        f"(Δ) are points against {board.settings.reference.label}. {event_note(table)}"
    )


def _chance(table: LeaderboardTable) -> str:
    """What guessing scores, metrics of the same value together."""
    by_value: dict[str, list[str]] = {}
    for metric, value in table.chance.items():
        by_value.setdefault(percent(value), []).append(metric_label(metric))
    known = ", ".join(f"{value} in {' and '.join(names)}" for value, names in by_value.items())
    return f"guessing every class equally often scores {known}"


def _is_per_tone(table: LeaderboardTable) -> bool:
    return metric_named(table.ranked[2]).per_tone


def _heads(table: LeaderboardTable, scale: Scale) -> tuple[Head, ...]:
    label = metric_label(table.ranked[2])
    choices = (
        Head("Under test-oracle", "", "oracle"),
        Head("Selection gain", "cross-fitted", "gain"),
    )
    if not _is_per_tone(table):
        value = Head(label, "", "all")
        return (value, Head("change", "", "dAll"), *choices)
    names = table.tones(table.ranked[1])
    counted = [
        Head(tone, f"n {n_of_tone(table, table.ranked, i)}", f"tone{i}")
        for i, tone in enumerate(names)
    ]
    return (
        Head("Worst tone", "", "worst"),
        *([Head("Shrunken", "worst tone", "shrunken")] if table.ranking.believed else []),
        Head("Gap", "", "gap"),
        Head("Tones", f"{scale.low * 100:.0f} to {scale.high * 100:.0f}", ""),
        Head("All", "", "all"),
        *counted,
        Head("Δ\u00a0worst", "", "dWorst"),
        Head("Δ\u00a0gap", "", "dGap"),
        *choices,
    )


@dataclass(frozen=True, slots=True)
class RowFrame:
    """What the rows of a table share; `unsaid` are marks that are said elsewhere."""

    table: LeaderboardTable
    scale: Scale
    notes: Footnotes
    unsaid: tuple[str, ...]
    whiskers: Mapping[EntryId, tuple[float, float]]


def _page_row(row: Row, frame: RowFrame) -> PageRow:
    table, notes = frame.table, frame.notes
    rank = GridCell(str(row.rank) if row.rank else "")
    if row.unranked:
        rank = notes.undefined(f"{row.entry.label} is not ranked: {row.unranked}")
    view = row.views.get(table.ranked)
    numbers = _numbers(row, table, notes) if view else _blanks(row, table, notes)
    return PageRow(
        row=row,
        label=f"{row.entry.method} + {row.entry.baseline}",
        small=small_label(row),
        marks=tuple(mark for mark in row.marks if mark not in frame.unsaid),
        rank=rank,
        numbers=tuple(numbers),
        strip=strip(row, table, frame.scale, frame.whiskers.get(row.entry)),
    )


def _numbers(row: Row, table: LeaderboardTable, notes: Footnotes) -> list[Number]:
    view = row.views[table.ranked]
    scores, change = view.scores, view.comparison
    choices = [_change(view.under_test_oracle, notes), _change(view.cross_fitted, notes)]
    if not (scores.worst and scores.gap):
        changed = _change(change.overall if change else None, notes)
        return [_score(scores.overall, notes), changed, *choices]
    at = "/".join(scores.worst_at)
    return [
        _score(scores.worst, notes, f"{at} · " if at and spread(scores.worst) else at, "worst"),
        *([_shrunken(row)] if table.ranking.believed else []),
        _score(scores.gap, notes, style="gap"),
        _score(scores.overall, notes),
        *(_score(tone, notes) for tone in scores.tones),
        _change(change.worst if change else None, notes),
        _change(change.gap if change else None, notes),
        *choices,
    ]


def _shrunken(row: Row) -> Number:
    found = row.shrunken
    return (
        Number(percent(found.worst), "/".join(found.worst_at), style="worst")
        if found
        else Number("")
    )


def _score(mean: Mean, notes: Footnotes, before: str = "", style: str = "") -> Number:
    if mean.value is None:
        return _undefined(mean.reason, notes)
    return Number(percent(mean.value), before + spread(mean).replace(" to ", "–"), style=style)


def _change(difference: Difference | Mean | None, notes: Footnotes) -> Number:
    if difference is None:
        return Number("")
    if difference.value is None:
        return _undefined(difference.reason, notes)
    return Number(points(difference.value))


def _undefined(reason: str | None, notes: Footnotes) -> Number:
    why = reason or "no reason given"
    cell = notes.undefined(why)
    return Number(cell.text, note=cell.note, why=why)


def _blanks(row: Row, table: LeaderboardTable, notes: Footnotes) -> list[Number]:
    why = next(s.hole.text for s in row.seeds if s.hole)
    n_tones, shrunken = len(table.tones(table.ranked[1])), bool(table.ranking.believed)
    n_columns = n_tones + 7 + shrunken if _is_per_tone(table) else 4
    return [_undefined(f"{row.entry.label}: {why}", notes)] * n_columns


def _panels(table: LeaderboardTable, n_plots: int) -> tuple[EntryPanel, ...]:
    scale = panel_scale(table)
    reference = next((row for row in table.rows if "reference" in row.marks), None)
    plotted = [(row, tone_panel(row, reference, table, scale)) for row in table.rows[:n_plots]]
    return tuple(EntryPanel(_panel_label(row), svg) for row, svg in plotted if svg)


def _panel_label(row: Row) -> str:
    return f"{row.entry.label}, the reference" if "reference" in row.marks else row.entry.label
