"""The documentation as a site: every page is in it, it opens from disk, and nothing is fetched."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pages import ROOT

import tonegap
from tonegap.cli.main import COMMANDS

SITE = ROOT / "docs" / "site"
FETCHED = re.compile(r"""<(?:script|img|link)\b[^>]*(?:src|href)=["']?(?:https?:)?//[^>]*>""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as the page of the script says."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, SITE / "build.py", out], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return out


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def in_menu(entry: object) -> list[str]:
    """The pages of a part of the menu."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in in_menu(part)]


def test_every_page_of_docs_is_in_the_menu():
    menu = in_menu(yaml.safe_load(text(SITE / "mkdocs.yml"))["nav"])
    assert sorted({f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} - set(menu)) == []


def test_every_command_has_its_help(site):
    page = text(site / "reference" / "commands.html")
    assert [name for name in COMMANDS if f">tonegap {name}<" not in page] == []
    assert "UNSET" not in page


def test_every_public_name_of_the_python_interface_is_described(site):
    page = text(site / "reference" / "python.html")
    assert [
        name for name in tonegap.__all__ if not re.search(rf'id="tonegap[\w.]*\.{name}"', page)
    ] == []


def test_no_page_fetches_anything(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 80
    assert {str(page): found for page in pages if (found := FETCHED.findall(text(page)))} == {}


def test_a_word_of_a_page_is_found_by_search(site):
    index = json.loads(text(site / "search" / "search_index.json"))
    found = [page["location"] for page in index["docs"] if "Holm" in page["text"]]
    assert any("docs/report-pages.html" in location for location in found)
