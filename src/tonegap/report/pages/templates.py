"""Renders a page from the templates of a suite root: they read the model through the filters here."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tonegap.errors import BadRoom
from tonegap.report import phrases
from tonegap.report.claims_text import interval_words
from tonegap.report.pages.charts import Frame, record_curves, scale_of, tone_colour
from tonegap.report.quality_tables import share
from tonegap.report.text_table import Footnotes
from tonegap.results.settings import LeaderboardSettings

if TYPE_CHECKING:
    from jinja2 import Environment

FILTERS: Mapping[str, Callable[..., Any]] = {
    "barred": lambda text: text.replace("|", "\\|"),
    "images": lambda ends: phrases.images(*ends),
    "interval": interval_words,
    "json": lambda value: json.dumps(value, ensure_ascii=False),
    "md": phrases.markdown_text,
    "md_cell": lambda cell: (
        phrases.markdown_text(cell.text) + (f" ({cell.note})" if cell.note else "")
    ),
    "metric_label": phrases.metric_label,
    "null_p_text": phrases.null_p_text,
    "p_text": phrases.p_text,
    "percent": phrases.percent,
    "percent_range": lambda ends: phrases.percent_range(*ends),
    "points": phrases.points,
    "record_curves": record_curves,
    "share": share,
    "small_label": phrases.small_label,
    "spelled": phrases.spelled,
    "spread": phrases.spread,
    "tone_colour": tone_colour,
    "thousands": "{:,}".format,
    "threshold": lambda value: phrases.UNDEFINED if value is None else f"{value:.3f}",
    "short": lambda digest: digest[:12],
    "whole": lambda value: phrases.UNDEFINED if value is None else f"{value:,.0f}",
    "sentence": lambda text: text[:1].upper() + text[1:],
}


def render_template(settings: LeaderboardSettings, name: str, values: Mapping[str, object]) -> str:
    """A page from the templates in the settings. Raises BadRoom if one is missing or wrong."""
    import jinja2

    try:
        template = _environment(tuple(settings.templates.items())).get_template(name)
        return template.render(values).rstrip("\n") + "\n"
    except jinja2.TemplateError as e:
        raise BadRoom(f"reports/templates: {name}: {type(e).__name__}: {e}") from None


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
