"""Writes quality sheets as pages: self-contained HTML, Markdown with its pictures, JSON."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.errors import StoreError, file_errors
from tonegap.files import readable_json
from tonegap.report.exports.protocol import File
from tonegap.report.pages.links import KEY_DIGITS, SETS, sheet_page
from tonegap.report.pages.templates import render_template
from tonegap.report.quality_text import quality_page
from tonegap.results.board import Leaderboard
from tonegap.results.quality import SetSheet
from tonegap.run.sheet_maker import CONTACT, NEAREST
from tonegap.store.source import ResultSource

CARD = "README.md"
_TITLES = {CONTACT: "Contact sheet", NEAREST: "Nearest to a training image"}


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:
    """The pages of every set of the board that has a sheet; with a source they link its card, `NAME/README.md`."""
    for made in board.sheets:
        yield from sheet_files(made, board.settings, "../index.html", has_card=source is not None)


def sheet_files(
    made: SetSheet, settings: LeaderboardSettings, report: str, *, has_card: bool = False
) -> Iterator[File]:
    """`quality/NAME.{json,md,html}` and pictures of a set; nothing for one without a sheet.

    `report` is the page they link back to; empty for none. Raises BadSuiteFolder for a wrong template.
    """
    if made.sheet is None:
        return
    page, own = quality_page(made, made.sheet), sheet_page(made)
    name = f"{SETS}/{own}"
    for picture in made.sheet.pictures:
        yield f"{name}-{picture.file}", [made.pictures[picture.file]]
    yield f"{name}.json", [readable_json(made.sheet)]
    values = {
        "page": page,
        "name": own,
        "pictures": made.sheet.pictures,
        "titles": _TITLES,
        "base64": lambda file: base64.b64encode(made.pictures[file]).decode(),
        "report": report,
        "card": f"{own}/{CARD}" if has_card else "",
    }
    for end in ("md", "html"):
        yield f"{name}.{end}", [render_template(settings, f"quality.{end}.j2", values).encode()]


def remove_unlisted(sheets: Sequence[SetSheet], out_dir: Path) -> None:
    """Removes the pages of sheets that a report in this folder once wrote and that are not among these.

    A page is known by its JSON: a sheet whose key the file's name ends with. Anything else in the folder stays. Raises
    StoreError for what cannot be removed.
    """
    listed = {sheet_page(made) for made in sheets}
    for path in sorted((out_dir / SETS).glob("*.json")):
        if path.stem in listed or not _is_sheet(path):
            continue
        name = path.with_suffix("")
        pictures = [name.with_name(f"{name.name}-{picture}") for picture in (CONTACT, NEAREST)]
        files = (*pictures, name / CARD, name.with_suffix(".html"), name.with_suffix(".md"), path)
        with file_errors(StoreError, f"{path}: a sheet of an earlier report; cannot be removed"):
            for file in files:
                file.unlink(missing_ok=True)
            if name.is_dir() and not any(name.iterdir()):
                name.rmdir()


def _is_sheet(path: Path) -> bool:
    """Whether a report wrote this file as a sheet's JSON, of this version's form or an earlier one's."""
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(said, dict) or not str(said.get("schema")).startswith("tonegap/quality@"):
        return False
    return path.stem.endswith(f"-{str(said.get('key'))[:KEY_DIGITS]}")
