"""Tables as lines of text, and the values that a listing in JSON may hold."""

from collections.abc import Sequence

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, indented by two: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join(f"  {c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))
        for row in (header, *rows)
    ]
