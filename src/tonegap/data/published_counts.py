"""Compares a metadata file with the counts that its source reported."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tonegap.data.metadata import Metadata
from tonegap.declared.dataset import PublishedCounts
from tonegap.files import sha256_lines

SAME_ORDER = "those of the released file, in its order"
OTHER_ORDER = "those of the released file in another order; splits by a seed depend on the order"
OTHER_ROWS = "not those of the released file"


@dataclass(frozen=True, slots=True)
class Count:
    """One published count: `column` is "" for all rows, `value` what is counted in it."""

    column: str
    value: str
    published: int
    found: int

    @property
    def agrees(self) -> bool:
        """Whether the file has what was printed."""
        return self.published == self.found


def compare_counts(published: PublishedCounts, metadata: Metadata) -> tuple[Count, ...]:
    """Every published count beside the file's own; columns that its layout lacks are left out.

    A value that occurs but was never published has a published count of 0.
    """
    return tuple(_counts(published, metadata))


def _counts(published: PublishedCounts, metadata: Metadata) -> Iterator[Count]:
    yield Count("", "rows", published.rows, len(metadata.ids))
    for column, n in published.distinct.items():
        if column in metadata.columns:
            found = len(set(metadata.columns[column]).difference({""}))
            yield Count(column, "distinct values", n, found)
    for column, n in published.empty.items():
        if column in metadata.columns:
            yield Count(column, "empty", n, metadata.columns[column].count(""))
    for column, values in published.counts.items():
        if column in metadata.columns:
            found_values = Counter(cell for cell in metadata.columns[column] if cell)
            for value in (*values, *sorted(found_values.keys() - values.keys())):
                yield Count(column, value, values.get(value, 0), found_values[value])


def compare_rows(published: PublishedCounts, metadata: Metadata) -> str:
    """Whether the ids are the released file's, and in its order; "" where it is not declared."""
    if not published.ids_sha256:
        return ""
    if sha256_lines(sorted(metadata.ids)) != published.ids_sha256:
        return OTHER_ROWS
    if published.order_sha256 and sha256_lines(metadata.ids) != published.order_sha256:
        return OTHER_ORDER
    return SAME_ORDER
