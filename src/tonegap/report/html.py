"""A leaderboard as one self-contained page: no network, no fonts, readable without its script."""

from dataclasses import dataclass

from tonegap.errors import BadRoom
from tonegap.report.model import MARKS, Leaderboard
from tonegap.report.page import page_table
from tonegap.report.words import metric_label, missing, report_title
from tonegap.score.tables import metric_named

PAGE = "report.html.j2"


@dataclass(frozen=True, slots=True)
class MetricNote:
    """What the page says about a metric."""

    label: str
    meaning: str
    better: str
    source: str


def render_html(board: Leaderboard) -> str:
    """The page, from the templates in the settings; the same board gives the same text.

    Raises BadRoom if a template is missing or wrong.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.DictLoader(board.settings.templates),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    tables = [page_table(board, table, i) for i, table in enumerate(board.tables, 1)]
    try:
        return environment.get_template(PAGE).render(
            board=board,
            title=report_title(board),
            missing=missing(board.holes, board.n_cells) if board.holes else "",
            tables=tables,
            metrics=[_metric_note(name) for name in board.settings.metrics],
            marks=_marks_used(board),
            mark_meaning=MARKS,
        ) + "\n"  # fmt: skip
    except jinja2.TemplateError as e:
        raise BadRoom(f"reports/templates: {PAGE}: {type(e).__name__}: {e}") from None


def _metric_note(name: str) -> MetricNote:
    metric = metric_named(name)
    better = "larger is better" if metric.larger_is_better else "smaller is better"
    return MetricNote(metric_label(name), metric.meaning, better, metric.source)


def _marks_used(board: Leaderboard) -> list[tuple[str, str]]:
    used = {mark for table in board.tables for row in table.all_rows for mark in row.marks}
    return [(mark, meaning) for mark, meaning in MARKS.items() if mark in used]
