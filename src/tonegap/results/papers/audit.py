"""A paper's reported numbers against arithmetic and chance: what each table can be, before anything is run.

The mistake it exists to prevent: a claim that rests on a number that no count of images gives, or on a difference
that equal tones or equal entries show as often. A verdict names what was assumed; it says nothing of why.
"""

from collections.abc import Iterator, Mapping

from tonegap.declared.paper import SHARES, AssumedSets, PaperFile, PaperTable, parse_reported
from tonegap.results.papers import audit_bounds, audit_chance, audit_counts
from tonegap.results.papers.audit_reading import IMPOSSIBLE, Finding, read_rows

TESTS = (*audit_bounds.FIRST, *audit_counts.TESTS, *audit_bounds.TESTS, *audit_chance.TESTS)
_UNDECLARED = AssumedSets("every image is of one of the tones shown; nothing else is declared")

_ASKED = (*sorted(SHARES), "pqd", "dpm", "eom", "f1", "eopp1", "eodd")  # and by tone


def audit_paper(
    paper: PaperFile, entered: Mapping[tuple[str, str, str], str] | None = None
) -> tuple[Finding, ...]:
    """What the tests say of every table of a paper, in its order.

    `entered` are numbers of a user by (table, row, column).
    """
    return tuple(f for table in paper.tables for f in audit_table(table, entered or {}))


def audit_table(
    table: PaperTable, entered: Mapping[tuple[str, str, str], str]
) -> tuple[Finding, ...]:
    """What the tests say of one table, under each of its assumptions; one `not testable` where none applies."""
    if table.kind == "counts":
        return tuple(_sums(table))
    found: list[Finding] = []
    for tests in table.sets or (_UNDECLARED,):
        reading = read_rows(table, tests, entered)
        for test in TESTS:
            test(reading)
        said = {(f.row, f.column, f.test) for f in found if f.row}
        found += [f for f in reading.found if (f.row, f.column, f.test) not in said]
    if found:
        return tuple(found)
    why = f"no reported number is known, or none that a test here speaks of: {', '.join(_ASKED)}"
    return (Finding(table.id, "", "", "all", "not testable", why, ""),)


def _sums(table: PaperTable) -> Iterator[Finding]:
    """Whether the rows of counts add up to the one called `all`."""
    whole = next((row for row in table.rows if row.name == "all"), None)
    parts = [row for row in table.rows if row.name != "all"]
    if whole is None or not parts:
        return
    assumed = "every image is in one row"
    for i, column in enumerate(table.columns):
        shown = [parse_reported(row.printed[i]) for row in (whole, *parts)]
        values = [number.value for number in shown if number]
        if len(values) == len(shown):
            total = sum(values[1:])
            fits = total == values[0]
            why = f"rows sum to {total:g}, reported {values[0]:g}"
            yield Finding(
                table.id,
                "all",
                column.name,
                "sums",
                "possible" if fits else IMPOSSIBLE,
                why,
                assumed,
            )
