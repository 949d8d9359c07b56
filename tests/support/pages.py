"""Pages of Markdown as what can be checked: links, headings, blocks of code and what stands above them."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^>]*) -->\n)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.M | re.S
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.M)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A block of code; `note` is the comment on the line above it, "" for none."""

    language: str
    note: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a console block, and the lines it is said to print."""

    text: str
    output: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """A page by its path below the project."""

    name: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return ROOT / self.name

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """It without its blocks of code."""
        return _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        """Its blocks of code in order."""
        return [
            Block(m["language"], m["note"] or "", m["text"]) for m in _FENCE.finditer(self.text)
        ]

    @property
    def links(self) -> list[str]:
        """Targets of its links and pictures."""
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What a link may name after `#`."""
        plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(self.prose))
        return {title.replace(" ", "-") for title in plain}

    @property
    def words_of_code(self) -> list[str]:
        """What stands in backticks in its prose."""
        return _CODE.findall(self.prose)

    @property
    def commands(self) -> list[Command]:
        """Every command of its console blocks."""
        blocks = [block for block in self.blocks if block.language == "console"]
        return [command for block in blocks for command in commands_of(block)]


def commands_of(block: Block) -> list[Command]:
    """The commands of a console block: lines that begin with `$ `, each with those below it."""
    found = []
    for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        text, *output = part.rstrip("\n").split("\n")
        found.append(Command(text, tuple(output)))
    return found


def all_pages() -> list[Page]:
    """Every page of the project that people read."""
    folders = ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "docker/**/*.md", "reports/*.md")
    paths = {path for pattern in folders for path in ROOT.glob(pattern)}
    paths.update(ROOT.glob("methods/*/*.md"), ROOT.glob("baselines/*/*.md"))
    return [Page(path.relative_to(ROOT).as_posix()) for path in sorted(paths)]
