"""A leaderboard as one self-contained page: no network, no fonts, readable without its script."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tonegap.errors import BadRoom
from tonegap.report.claims_text import ClaimLine, claim_lines, claims_about, claims_header
from tonegap.report.pages.names import PAGE as COMPARE
from tonegap.report.pages.names import pair_links
from tonegap.report.pages.page import page_table
from tonegap.report.phrases import metric_label, missing, report_title
from tonegap.report.quality_lines import SUMMARY_ABOUT, SUMMARY_HEADER, set_lines
from tonegap.results.board import Leaderboard
from tonegap.results.model import MARKS, LeaderboardTable
from tonegap.results.settings import LeaderboardSettings
from tonegap.scores.tables import metric_named

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = "report.html.j2"


@dataclass(frozen=True, slots=True)
class MetricNote:
    """What the page says about a metric."""

    label: str
    meaning: str
    better: str
    source: str


@dataclass(frozen=True, slots=True)
class ClaimsPart:
    """The claims of a table as the template reads them; the header begins after the entry's column.

    `links`: by entry's label, where it is compared with its reference.
    """

    about: str
    header: tuple[str, ...]
    lines: tuple[ClaimLine, ...]
    links: Mapping[str, str]


def render_html(board: Leaderboard) -> str:
    """The page, from the templates in the settings; the same board gives the same text.

    Raises BadRoom if a template is missing or wrong.
    """
    tables = [page_table(board, table, i) for i, table in enumerate(board.tables, 1)]
    values = {
        "board": board,
        "title": report_title(board),
        "missing": missing(board.holes, board.n_cells) if board.holes else "",
        "tables": tables,
        "metrics": [_metric_note(name) for name in board.settings.metrics],
        "marks": _marks_used(board),
        "mark_meaning": MARKS,
        "sets": {table.task: set_lines(board.sheets, table.task) for table in board.tables},
        "sets_header": SUMMARY_HEADER,
        "sets_about": SUMMARY_ABOUT,
        "claims": [_claims_part(board, page.table) for page in tables],
        "compare": COMPARE if board.site and any(c.pairs for c in board.claims) else "",
    }
    return render_template(board.settings, PAGE, values)


def render_template(settings: LeaderboardSettings, name: str, values: Mapping[str, object]) -> str:
    """A page from the templates in the settings. Raises BadRoom if one is missing or wrong."""
    import jinja2

    try:
        template = _environment(tuple(settings.templates.items())).get_template(name)
        return template.render(values) + "\n"
    except jinja2.TemplateError as e:
        raise BadRoom(f"reports/templates: {name}: {type(e).__name__}: {e}") from None


@lru_cache(maxsize=4)
def _environment(templates: tuple[tuple[str, str], ...]) -> "Environment":
    """Where templates are compiled, each once for all pages of a report."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.DictLoader(dict(templates)),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _claims_part(board: Leaderboard, table: LeaderboardTable) -> ClaimsPart | None:
    claims = board.claims_of(table)
    if claims is None:
        return None
    links = pair_links(board, claims)
    return ClaimsPart(claims_about(claims), claims_header(claims), claim_lines(claims), links)


def _metric_note(name: str) -> MetricNote:
    metric = metric_named(name)
    better = "larger is better" if metric.larger_is_better else "smaller is better"
    return MetricNote(metric_label(name), metric.meaning, better, metric.source)


def _marks_used(board: Leaderboard) -> list[tuple[str, str]]:
    used = {mark for table in board.tables for row in table.all_rows for mark in row.marks}
    return [(mark, meaning) for mark, meaning in MARKS.items() if mark in used]
