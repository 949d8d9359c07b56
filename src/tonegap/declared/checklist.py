"""`reports/checklists/NAME.toml`: the items of a reporting checklist, and what each is answered by."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tonegap.declared.toml import read_toml
from tonegap.errors import BadSuiteFolder

FOLDER = "reports/checklists"


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item: answered by named answers, by the author, or not applicable; exactly one of these."""

    id: str  # its number in the checklist
    topic: str  # what it asks for, in words of this project
    answers: tuple[str, ...] = ()  # names of answers that the results give
    author: str = ""  # what only the author can write
    none: str = ""  # why it does not apply to a benchmark of classifiers


class Checklist(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checklist with its source."""

    title: str
    cite: str
    about: str
    items: tuple[Item, ...]


def read_checklists(root: Path, known: frozenset[str]) -> dict[str, Checklist]:
    """The checklists of a suite root by file name without suffix, sorted.

    Raises BadSuiteFolder for a wrong file, an item answered in no way or in two, or by an answer that is not `known`.
    """
    found = {}
    for path in sorted((root / FOLDER).glob("*.toml")):
        found[path.stem] = read_toml(path, Checklist)
        for problem in _problems(found[path.stem], known):
            raise BadSuiteFolder(f"{path}: {problem}")
    return found


def _problems(checklist: Checklist, known: frozenset[str]) -> Iterator[str]:
    for item in checklist.items:
        ways = [name for name in ("answers", "author", "none") if getattr(item, name)]
        if len(ways) != 1:
            yield f"item {item.id}: found {' and '.join(ways) or 'nothing'}; wanted one of answers, author, none"
        for name in item.answers:
            if name not in known:
                yield f"item {item.id}: no answer {name!r}; there are: {', '.join(sorted(known))}"
