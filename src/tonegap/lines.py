"""Writes texts of others as one line, and small phrases of our own. It is light: every command imports it."""

import difflib
from collections.abc import Collection, Iterable, Sequence

# What a listing in JSON may hold.
Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]


def one_line(text: str) -> str:
    r"""A text as one line that any terminal and any file takes: what cannot be printed is escaped, as `\x1b`.

    That is every control character, line break, direction mark and lone surrogate; escaped again, it stays the same.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def markdown_text(text: str) -> str:
    """Text that Markdown leaves as it is, on one line; what cannot be printed is escaped, as on a terminal."""
    text = one_line(" ".join(text.split()))
    for sign in "\\`*_|<>[]":
        text = text.replace(sign, f"\\{sign}")
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'smoke'?)` where a known name is near the one that was typed, or begins with it, else nothing."""
    names = list(known)
    begun = [k for k in names if len(name) > 2 and k.startswith(name)]
    near = difflib.get_close_matches(name, names, n=1) or begun[:1]
    return f" (did you mean {near[0]!r}?)" if near else ""


def counted(n: int, noun: str) -> str:
    """`1 stage`, `2 stages`: a number with its noun; a phrase after the noun stays as it is (`1 near-duplicate of`)."""
    one, space, more = noun.partition(" ")
    return f"{n:,} {one}{'' if n == 1 else 's'}{space}{more}"


def first_few(texts: Sequence[str], between: str = ", ", most: int = 3, noun: str = "") -> str:
    """`a, b, c and 4 more`: the first `most` texts, and how many more there are, of a `noun` such as " scores"."""
    more = f" and {len(texts) - most} more{noun}" if len(texts) > most else ""
    return between.join(texts[:most]) + more


def percent_span(shares: Collection[float]) -> str:
    """`26.7 %`, or `0.0 to 26.7 %` where they differ as shown. Raises ValueError for none."""
    low, high = (f"{end(shares):.1f}" for end in (min, max))
    return f"{low} %" if low == high else f"{low} to {high} %"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, indented by two: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(f"  {c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))
        for row in (header, *rows)
    ]
