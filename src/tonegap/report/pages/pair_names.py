"""What a comparison of two entries is called in addresses: `compare.html#task/first/second`."""

import re
from collections import Counter
from collections.abc import Sequence

from tonegap.report.phrases import table_title
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims
from tonegap.results.model import Row

PAGE = "compare.html"


def pair_links(board: Leaderboard, claims: Claims) -> dict[str, str]:
    """By entry's label: the address of its comparison with its reference, with the first where it has none."""
    if claims.pairs is None or not board.site:
        return {}
    place, rows = task_slugs(board)[id(claims)], claims.pairs.rows
    names = dict(zip((row.entry for row in rows), slugs(labels(rows)), strict=True))
    references = [row for row in rows if "reference" in row.marks]
    found = {}
    for row in rows:
        alike = [r for r in references if r.entry.backbone == row.entry.backbone]
        other = (*alike, *references, rows[0])[0]
        if other is not row:
            found[row.entry.label] = f"{PAGE}#{place}/{names[row.entry]}/{names[other.entry]}"
    return found


def task_slugs(board: Leaderboard) -> dict[int, str]:
    """The name of each table with claims in addresses, by the id of its claims."""
    names = slugs([table_title(claims.table) for claims in board.claims])
    return dict(zip(map(id, board.claims), names, strict=True))


def slugs(labels: Sequence[str]) -> list[str]:
    """Names for addresses, in letters, digits and hyphens; labels that would share one are numbered."""
    plain = [re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "entry" for label in labels]
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in plain:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}--{seen[name]}")
    return found


def labels(rows: Sequence[Row]) -> list[str]:
    """The entries of rows as people read them."""
    return [row.entry.label for row in rows]
