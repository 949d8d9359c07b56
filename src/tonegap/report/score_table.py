"""A score table into JSON, CSV or lines of text.

The mistake it exists to prevent: an undefined score printed as a number. It is null, an empty cell,
or "–" with a footnote.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from tonegap.lines import counted, one_line
from tonegap.lines import table as aligned
from tonegap.scores.rules import MOST_PROBABLE, ScoringRules
from tonegap.scores.tables import ALL, GAP, METRIC_NAMES, METRICS, WORST, Score, ScoreTable
from tonegap.spreadsheet import safe_csv

_COLUMNS = ("metric", "tone", "value", "n", "reason", "positive", "threshold")


@dataclass(frozen=True)
class TextGrid:
    """Text in rows and columns; the first column holds names, the others numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Page:
    """A score table as text: metrics of each tone, metrics between tones, and the footnotes."""

    per_tone: TextGrid
    between: TextGrid
    notes: tuple[str, ...]


EpochTable = tuple[int | None, ScoreTable]
# What both ends of a score's interval are, by metric and tone.
Ends = Mapping[tuple[str, str], tuple[float | None, float | None]]


def what_was_scored(tones: Sequence[str | None], rules: ScoringRules) -> str:
    """How many images, and by which rules, in one line; names of classes may be anybody's."""
    unknown = list(tones).count(None)
    more = f", {unknown:,} of unknown tone (in all only)" if unknown else ""
    event = f"positive: {' or '.join(rules.positive)}" if rules.positive else "no positive class"
    called = MOST_PROBABLE if rules.threshold is None else f"from {rules.threshold:g} on"
    return one_line(f"{counted(len(tones), 'image')}{more}; {event}, called by: {called}")


def as_json(
    tables: Iterable[EpochTable], rules: ScoringRules, ends: Sequence[Ends] | None = None
) -> str:
    """A list of {"metric", "tone", "value", "n", "reason", "positive", "threshold"}, "epoch" first where it is given.

    With `ends`, one for each table, also "low" and "high" of the 95 % interval, null where there is none.

    `positive` lists the event's classes, `threshold` is its probability or says that the most probable class decides.
    """
    event = {"positive": rules.positive, "threshold": rules.called}
    rows = [record | event for record in _records(tables, ends)]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)


def as_csv(
    tables: Sequence[EpochTable], rules: ScoringRules, ends: Sequence[Ends] | None = None
) -> str:
    """The same as CSV with LF, safe in a spreadsheet; undefined is an empty cell, `;` joins classes."""
    event = {"positive": ";".join(rules.positive), "threshold": rules.called}
    named = any(epoch is not None for epoch, _ in tables)
    columns: tuple[str, ...] = ("epoch", *_COLUMNS) if named else _COLUMNS
    columns += ("low", "high") if ends else ()
    records = (record | event for record in _records(tables, ends))
    rows = ([record.get(name) for name in columns] for record in records)
    return safe_csv(columns, rows).removesuffix("\n")


def as_page(table: ScoreTable, ends: Ends | None = None) -> Page:
    """The table as two grids; reasons become numbered footnotes, each reason once.

    With `ends` a line below each metric has the 95 % intervals.
    """
    notes: dict[str, int] = {}
    columns = (*table.tones, ALL, WORST, GAP)
    images = ["" if c in (WORST, GAP) else f"{table.score('accuracy', c).n:,}" for c in columns]
    rows = [("images", *images)]
    for metric in METRICS:
        if metric.per_tone:
            cells = (_cell(table.score(metric.name, column), notes) for column in columns)
            rows.append((metric.name, *cells))
            if ends:
                rows.append(("  95 %", *(_ends(ends.get((metric.name, c))) for c in columns)))
    between = tuple(
        (m.name, _cell(table.score(m.name, ALL), notes)) for m in METRICS if not m.per_tone
    )
    return Page(
        per_tone=TextGrid(("", *columns), tuple(rows)),
        between=TextGrid(("between tones", "value"), between),
        notes=tuple(f"[{number}] {one_line(reason)}" for reason, number in notes.items()),
    )


def as_lines(page: Page) -> str:
    """The page as aligned plain text."""
    grids = (aligned(grid.header, grid.rows) for grid in (page.per_tone, page.between))
    parts = ["\n".join(line[2:].rstrip() for line in lines) for lines in grids]
    if page.notes:
        parts.append("\n".join(page.notes))
    return "\n\n".join(parts)


def _records(
    tables: Iterable[EpochTable], ends: Sequence[Ends] | None
) -> Iterable[dict[str, object]]:
    for index, (epoch, table) in enumerate(tables):
        for score in table:
            record: dict[str, object] = {} if epoch is None else {"epoch": epoch}
            record |= asdict(score)
            if ends:
                low, high = ends[index].get((score.metric, score.tone), (None, None))
                record |= {"low": low, "high": high}
            yield record


def as_list(table: ScoreTable) -> list[str]:
    """The scores that are no metric of a leaderboard, a line each, after an empty one; nothing without any."""
    others = [s for s in table if s.metric not in METRIC_NAMES]
    if not others:
        return []
    width = max(len(s.metric) for s in others)
    lines = [
        f"{s.metric:<{width}}  {s.tone:<6}  {'–' if s.value is None else format(s.value, '.4f'):>8}  {s.reason or ''}"
        for s in others
    ]
    return ["", *(line.rstrip() for line in lines)]


def _cell(score: Score, notes: dict[str, int]) -> str:
    if score.value is not None:
        return f"{score.value:.3f}"
    return f"–[{notes.setdefault(score.reason or '', len(notes) + 1)}]"


def _ends(ends: tuple[float | None, float | None] | None) -> str:
    low, high = ends or (None, None)
    return "" if low is None or high is None else f"{low:.3f}–{high:.3f}"
