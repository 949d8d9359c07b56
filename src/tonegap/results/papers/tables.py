"""Tables that need no image: counted from metadata, or scored from stored counts."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from tonegap.data.metadata import Metadata
from tonegap.declared.paper import PaperColumn, PaperRow, PaperTable
from tonegap.results.papers.verdict import Reproduced
from tonegap.scores.metrics import score_table
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ScoreTable

SCALE = {"percent": 100.0, "fraction": 1.0, "images": 1.0}
_CLASSES = ("benign", "malignant")


def counted(table: PaperTable, metadata: Metadata | None) -> Iterator[list[Reproduced]]:
    """The cells of each row of a table of counts; `metadata` None: nobody said where it is."""
    if metadata is None:
        why = f"needs the metadata: --root {table.data_set}=DIR"
        yield from (
            [Reproduced(verdict="not counted", why=why)] * len(table.columns) for _ in table.rows
        )
        return
    rows, columns = metadata.columns[table.row_column], metadata.columns[table.column_column]
    both, by_column = Counter(zip(rows, columns, strict=True)), Counter(columns)
    for row in table.rows:
        values = (
            both[row.value, c.value] if row.value else by_column[c.value] for c in table.columns
        )
        yield [Reproduced(float(value)) for value in values]


def rescored(table: PaperTable, row: PaperRow) -> list[Reproduced]:
    """The cells of a row of stored results, scored here from its counts of images."""
    table_of_scores, found = _score(table, row), []
    for column in table.columns:
        score = table_of_scores.score(column.metric, column.tone)
        if score.value is None:
            found.append(Reproduced(verdict="not comparable", why=f"undefined: {score.reason}"))
        else:
            found.append(Reproduced(SCALE[unit_of(column, table)] * score.value))
    return found


def unit_of(column: PaperColumn, table: PaperTable) -> str:
    """The unit of a column: its own or the table's."""
    return column.unit or table.unit


def _score(table: PaperTable, row: PaperRow) -> ScoreTable:
    """Every metric of images that are rebuilt from counts by tone and class."""
    y: list[int] = []
    called: list[int] = []
    tones: list[str | None] = []
    for tone, of_class, right in zip(table.tones, row.images, row.correct, strict=True):
        for label in (0, 1):
            y += [label] * of_class[label]
            called += [label] * right[label] + [1 - label] * (of_class[label] - right[label])
            tones += [tone] * of_class[label]
    rules = ScoringRules(_CLASSES, ("malignant",), tones=table.tones)
    return score_table(np.eye(2)[called], np.array(y, dtype=np.int64), tones, rules)
