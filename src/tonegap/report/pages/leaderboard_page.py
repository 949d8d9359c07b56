"""Renders a leaderboard as one self-contained page: no network, no fonts, readable without its script.

The mistake it exists to prevent: a page that is empty, or says something else, without its script.
"""

from collections.abc import Iterator, Mapping, Sequence

from tonegap.formats.record import EntryId
from tonegap.report.answer_text import answer
from tonegap.report.claims_text import claim_lines, claims_about, claims_header, label_part
from tonegap.report.exports.protocol import File
from tonegap.report.pages.charts import panel_scale, strip_scale, tone_scores
from tonegap.report.pages.leaderboard_views import table_payload
from tonegap.report.pages.links import COMPARE, ENTRIES, entry_pages, pair_links
from tonegap.report.pages.record_summary import cost_of, data_facts, facts_of, same_data
from tonegap.report.pages.templates import render_template
from tonegap.report.phrases import (
    marks_used,
    metric_label,
    missing,
    n_of_tone,
    percent,
    ranking_rule,
    report_title,
    shared_marks,
    table_title,
)
from tonegap.report.power_text import reach_note
from tonegap.report.quality_text import SUMMARY_ABOUT, SUMMARY_HEADER, set_lines
from tonegap.report.table_notes import event_note, images_note
from tonegap.report.text_table import Footnotes
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims
from tonegap.results.model import LeaderboardTable
from tonegap.results.verdict import rank_ranges
from tonegap.scores.tables import WORST, metric_named
from tonegap.store.source import ResultSource

_TEMPLATE = "report.html.j2"


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """`leaderboard.html`: the page as one file that stands alone."""
    yield "leaderboard.html", [render_html(board).encode()]


def render_html(board: Leaderboard, beside: Sequence[str] | None = None) -> str:
    """The page, from the templates in the settings; the same board gives the same text.

    `beside`: paths of files in its folder that other tools read, which it links as it links the other pages; None for
    a page that stands alone and links nothing. Raises BadSuiteFolder if a template is missing or wrong.
    """
    alone = beside is None
    values = {
        "board": board,
        "title": report_title(board),
        "missing": missing(board.holes, board.n_runs) if board.holes else "",
        "alone": alone,
        "beside": beside or (),
        "tables": [_table(board, table, i, alone) for i, table in enumerate(board.tables, 1)],
        "metrics": [metric_named(name) for name in board.settings.metrics],
        "marks": marks_used(board),
        "sets_header": SUMMARY_HEADER,
        "sets_about": SUMMARY_ABOUT,
        "compare": "" if alone or not any(c.pairs for c in board.claims) else COMPARE,
        "cost_of": cost_of,
        "data_facts": data_facts,
        "facts_of": facts_of,
    }
    return render_template(board.settings, _TEMPLATE, values)


def _table(
    board: Leaderboard, table: LeaderboardTable, number: int, alone: bool
) -> dict[str, object]:
    """What the templates read of a table beside the table; `number` makes its ids unique in the page.

    `notes` numbers the reasons of undefined scores as the page comes to them.
    """
    settings, claims = board.settings, board.claims_of(table)
    whiskers, ranks = worst_whiskers(claims), rank_ranges(claims)
    names = {} if alone else entry_pages(board, table)
    pages = {e: f"{ENTRIES}/{name}.html" for e, name in names.items()}
    shared, tones = shared_marks(table), table.tones(table.ranked[1])
    return {
        "id": f"t{number}",
        "table": table,
        "title": table_title(table).replace(" [stand-in images]", ""),
        "images_note": images_note(table),
        "answer": answer(board, table),
        "shared_marks": shared,
        "caption": _caption(board, table),
        "tones": [(tone, n_of_tone(table, table.ranked, i)) for i, tone in enumerate(tones)],
        "per_tone": metric_named(table.ranked[2]).per_tone,
        "shrunken": bool(table.ranking.believed),
        "rows": table.rows[: settings.n_rows],
        "pages": pages,
        "ranks": ranks,
        "whiskers": whiskers,
        "scale": strip_scale(table, whiskers),
        "unsaid": (*shared, "control"),
        "chance": _chance(table),
        "notes": Footnotes(),
        "plotted": [row for row in table.rows[: settings.n_plots] if tone_scores(row, table)],
        "panel_scale": panel_scale(table),
        "reference": next((row for row in table.rows if "reference" in row.marks), None),
        "data": same_data(table),
        "shows": reach_note(table),
        "labels": label_part(claims),
        "claims": claims and (claims_about(claims), claims_header(claims), claim_lines(claims)),
        "links": pair_links(board, claims) if claims and not alone else {},
        "sets": set_lines(board.sheets, table.task),
        "payload": table_payload(table, pages, ranks, whiskers),
    }


def worst_whiskers(claims: Claims | None) -> Mapping[EntryId, tuple[float, float]]:
    """Both ends of the worst tone's interval of each entry that has one, as its page shows it."""
    found = {}
    for row in claims.rows if claims else ():
        interval = row.shown.get(WORST)
        if interval and interval.low is not None and interval.high is not None:
            found[row.row.entry] = interval.low, interval.high
    return found


def _caption(board: Leaderboard, table: LeaderboardTable) -> str:
    return (
        f"Ranks: by {ranking_rule(table)}; below, in small, the ranks of the tie group, whose order may be "
        "chance. The thin line below the dots is the worst tone's 95 % interval. Percent, means over seeds; "
        "below, in small, the smallest and largest over seeds. Worst tone and gap are those of the means. Changes "
        f"(Δ) are in points, against {board.settings.reference.label}. {event_note(table)}"
    )


def _chance(table: LeaderboardTable) -> str:
    """What guessing scores, metrics of the same value together."""
    by_value: dict[str, list[str]] = {}
    for metric, value in table.chance.items():
        by_value.setdefault(percent(value), []).append(metric_label(metric))
    known = ", ".join(f"{value} in {' and '.join(names)}" for value, names in by_value.items())
    return f"guessing every class equally often scores {known}"
