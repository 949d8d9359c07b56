"""Renders a page from the templates of a suite root: they read the model through the filters here."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.errors import BadSuiteFolder
from tonegap.lines import markdown_text
from tonegap.report import phrases
from tonegap.report.claims_text import interval_words
from tonegap.report.pages.charts import Frame, record_curves, scale_of, tone_colour
from tonegap.report.pages.links import sheet_page
from tonegap.report.paper_text import tally
from tonegap.report.quality_tables import share
from tonegap.report.text_table import Footnotes
from tonegap.results.board import Leaderboard

if TYPE_CHECKING:
    from jinja2 import Environment

FILTERS: Mapping[str, Callable[..., Any]] = {
    "barred": lambda text: text.replace("|", "\\|"),
    "decimal_names": lambda board: "\n".join(decimal_names(board)),
    "images": lambda ends: phrases.images(*ends),
    "interval": interval_words,
    "json": lambda value: json.dumps(value, ensure_ascii=False),
    "md": markdown_text,
    "md_cell": lambda cell: markdown_text(cell.text) + (f" ({cell.note})" if cell.note else ""),
    "metric_label": phrases.metric_label,
    "named": phrases.named,
    "named_in": lambda entry, tables: phrases.named_among(
        entry, [row for table in tables for row in table.all_rows]
    ),
    "null_p_text": phrases.null_p_text,
    "p_text": phrases.p_text,
    "percent": phrases.percent,
    "percent_range": lambda ends: phrases.percent_range(*ends),
    "points": phrases.points,
    "quoted": shlex.quote,
    "ranked_name": lambda table: phrases.metric_label(table.ranked[2]),
    "record_curves": record_curves,
    "share": share,
    "sheet_page": sheet_page,
    "small_label": phrases.small_label,
    "spelled": phrases.spelled,
    "spread": phrases.spread,
    "table_name": phrases.table_name,
    "tally": tally,
    "tone_colour": tone_colour,
    "thousands": "{:,}".format,
    "threshold": lambda value: phrases.UNDEFINED if value is None else f"{value:.3f}",
    "short": lambda digest: digest[:12],
    "whole": lambda value: phrases.UNDEFINED if value is None else f"{value:,.0f}",
    "sentence": lambda text: text[:1].upper() + text[1:],
}
_DECIMAL = re.compile(r"\d\.\d")
# Control characters but tab and line break, direction marks, lone surrogates: names of others may have them.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def decimal_names(board: Leaderboard) -> list[str]:
    """Names of entries, their parts and classes with a decimal number in them, which is no score; longest first."""
    entries = {row.entry for table in board.tables for row in table.all_rows}
    names = {n for e in entries for n in (e.label, e.name, e.variant, e.backbone)}
    names |= {n for table in board.tables if table.question for n in table.question.classes}
    return sorted((n for n in names if _DECIMAL.search(n)), key=lambda n: (-len(n), n))


def render_template(settings: LeaderboardSettings, name: str, values: Mapping[str, object]) -> str:
    """A page from the templates in the settings; what nobody would see is spelled by its code.

    Raises BadSuiteFolder if a template is missing or wrong.
    """
    import jinja2

    try:
        template = _environment(tuple(settings.templates.items())).get_template(name)
        page: str = template.render(values).rstrip("\n") + "\n"
        return _UNSEEN.sub(lambda c: f"\\u{ord(c[0]):04x}", page)
    except jinja2.TemplateError as e:
        raise BadSuiteFolder(f"reports/templates: {name}: {type(e).__name__}: {e}") from None


@lru_cache(maxsize=4)
def _environment(templates: tuple[tuple[str, str], ...]) -> "Environment":
    """Where templates are compiled, each once for all pages of a report."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.DictLoader(dict(templates)),
        autoescape=lambda name: name is None or not name.endswith((".md.j2", ".tex.j2")),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= FILTERS
    environment.globals |= {"footnotes": Footnotes, "frame": Frame, "scale_of": scale_of}
    return environment
