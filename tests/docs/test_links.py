"""Links of pages lead somewhere."""

import re
from pathlib import Path

import pytest
from pages import ROOT, Page, all_pages


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page):
    assert [link for link in page.links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Page, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (page.path.parent / file).resolve() if file else page.path
    if not target.exists():
        return False
    return not anchor or anchor in Page(target.relative_to(ROOT).as_posix()).anchors


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_every_page_begins_with_a_title(page):
    assert page.text.startswith("# ")


def test_every_decision_has_the_number_of_its_file():
    decisions = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    wrong = [p.name for p in decisions if not first_line(p).startswith(f"# {p.name[:4]} ")]
    assert decisions
    assert wrong == []


def test_the_index_of_decisions_has_each_with_its_title_and_a_state():
    decisions = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    rows = re.findall(
        r"^\| \[(\d{4})\]\((.+?)\) \| (.+?) \| (accepted|replaced by \[\d{4}\]).* \|$",
        (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [f"# {number} {title}" for number, _, title, _ in rows] == list(
        map(first_line, decisions)
    )
    assert [name for _, name, _, _ in rows] == [path.name for path in decisions]


def first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n", 1)[0]
