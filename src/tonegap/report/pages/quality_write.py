"""Quality sheets as pages: self-contained HTML, Markdown with its pictures, JSON."""

import base64
from collections.abc import Sequence

from tonegap.formats.quality_sheet import encode_sheet
from tonegap.report.pages.html import render_template
from tonegap.report.quality_tables import QualityPage, markdown_table, quality_page
from tonegap.results.quality import FOLDER, SetSheet
from tonegap.results.settings import LeaderboardSettings

TEMPLATE = "quality.html.j2"


def sheet_files(
    sheets: Sequence[SetSheet],
    settings: LeaderboardSettings,
    report: str = "../index.html",
    *,
    with_cards: bool = False,
) -> dict[str, bytes]:
    """Contents by path: `quality/NAME.{json,md,html}` and pictures of every set with a sheet.

    `report` is the page they link back to; empty for none. `with_cards`: they link the card of their set,
    `NAME/README.md`, too. Raises BadRoom for a wrong template.
    """
    files: dict[str, bytes] = {}
    for made in sheets:
        if made.sheet is None or not made.page:
            continue
        page, name = quality_page(made, made.sheet), f"{FOLDER}/{made.page}"
        files |= {f"{name}-{picture.file}": picture.content for picture in page.pictures}
        files[f"{name}.json"] = encode_sheet(made.sheet)
        files[f"{name}.md"] = render_sheet_markdown(page, made.page).encode()
        card = f"{made.page}/README.md" if with_cards else ""
        files[f"{name}.html"] = render_sheet_html(page, settings, report, card).encode()
    return files


def render_sheet_html(
    page: QualityPage, settings: LeaderboardSettings, report: str, card: str = ""
) -> str:
    """The page with its pictures inside; the same sheet gives the same text."""
    pictures = [(p, base64.b64encode(p.content).decode()) for p in page.pictures]
    shown = {"page": page, "pictures": pictures, "report": report, "card": card}
    return render_template(settings, TEMPLATE, shown)


def render_sheet_markdown(page: QualityPage, name: str) -> str:
    """The same as Markdown; pictures are files beside it."""
    parts = [f"# {page.title}", " ".join(page.answer)]
    parts += [f"**{warning}**" for warning in page.warnings]
    for table in page.tables:
        parts += [f"## {table.title}", table.about, markdown_table(table)]
        if table.notes:
            parts.append("\n".join(f"{i}. {note}" for i, note in enumerate(table.notes, 1)))
    for picture in page.pictures:
        parts += [
            f"## {picture.title}",
            picture.caption,
            f"![{picture.title}]({name}-{picture.file})",
        ]
    facts = "\n".join(f"- {title}: {text}" for title, text in page.facts)
    return "\n\n".join([*parts, "## Evidence", facts]) + "\n"
