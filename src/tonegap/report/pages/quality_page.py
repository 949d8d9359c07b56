"""Quality sheets as pages: self-contained HTML, Markdown with its pictures, JSON."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from tonegap.errors import StoreError
from tonegap.formats.quality_sheet import encode_sheet
from tonegap.report.pages.templates import render_template
from tonegap.report.quality_tables import QualityPage, markdown_table, quality_page
from tonegap.results.quality import FOLDER, SHORT, SetSheet
from tonegap.results.settings import LeaderboardSettings
from tonegap.run.sheet_maker import CONTACT, NEAREST

TEMPLATE = "quality.html.j2"
CARD = "README.md"


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


def remove_unlisted(sheets: Sequence[SetSheet], out_dir: Path) -> None:
    """Removes the pages of sheets that a report in this folder once wrote and that are not among these.

    A page is known by its JSON: a sheet whose key the file's name ends with. Anything else in the folder stays. Raises
    StoreError for what cannot be removed.
    """
    listed = {made.page for made in sheets}
    for path in sorted((out_dir / FOLDER).glob("*.json")):
        if path.stem in listed or not _is_sheet(path):
            continue
        name = path.with_suffix("")
        pictures = [name.with_name(f"{name.name}-{picture}") for picture in (CONTACT, NEAREST)]
        files = (*pictures, name / CARD, name.with_suffix(".html"), name.with_suffix(".md"), path)
        try:
            for file in files:
                file.unlink(missing_ok=True)
            if name.is_dir() and not any(name.iterdir()):
                name.rmdir()
        except OSError as e:
            raise StoreError(
                f"{path}: a sheet of an earlier report; cannot be removed: {e.strerror}"
            ) from None


def _is_sheet(path: Path) -> bool:
    """Whether a report wrote this file as a sheet's JSON, of this version's form or an earlier one's."""
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(said, dict) or not str(said.get("schema")).startswith("tonegap/quality@"):
        return False
    return path.stem.endswith(f"-{str(said.get('key'))[:SHORT]}")


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
