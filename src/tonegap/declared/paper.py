"""A paper's tables, `reports/papers/KEY/paper.toml`, and what each cell can be held against.

The mistake it exists to prevent: a reported number beside a reproduced one that answers another question.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import msgspec

from tonegap.arguments import as_found
from tonegap.declared.toml import check_known, read_toml
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.formats.job import Parameter
from tonegap.formats.record import SELECTIONS
from tonegap.lines import did_you_mean
from tonegap.scores.tables import ALL, GAP, METRIC_NAMES, WORST

PAPERS = Path("reports/papers")
KINDS = ("counts", "stored", "scores")
UNITS = ("percent", "fraction", "images")


UNKNOWN = "?"
_NO_TONES = frozenset({ALL, WORST, GAP})
# Scores that are counts of images over images.
SHARES = frozenset({"accuracy", "sensitivity", "specificity"})
# What an audit reads beside the suite's own metrics.
AUDITED = (*METRIC_NAMES, "f1", "eopp0", "eopp1", "eodd")
_FORM = re.compile(
    r"(?P<value>-?\d*\.?\d+)\s*%?\s*(?:(?:±|\+/-|\\pm)\s*(?P<spread>\d*\.?\d+)\s*%?)?"
)


@dataclass(frozen=True, slots=True)
class Reported:
    """A number as a paper reports it, in the table's unit.

    `half` is half of the last digit's unit: what rounding may hide; `spread_half` that of the spread.
    """

    value: float
    spread: float | None
    half: float
    spread_half: float | None = None


def parse_reported(text: str) -> Reported | None:
    """The number in a cell such as `20.2`, `.970`, `82.4±1.5` or `82.4 % ± 1.5`; None for anything else."""
    match = _FORM.fullmatch(text.strip().replace("\N{MINUS SIGN}", "-"))
    if match is None:
        return None
    value, spread = match["value"], match["spread"]
    if spread is None:
        return Reported(float(value), None, _half(value))
    return Reported(float(value), float(spread), _half(value), _half(spread))


def _half(digits: str) -> float:
    return 0.5 * 10.0 ** -len(digits.partition(".")[2])


class PaperColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column: a metric of a tone (`all`, `worst`, `gap` too), or the `value` that is counted.

    `metric` may be empty or unknown here where no row of the table is comparable.
    """

    name: str
    metric: str = ""
    tone: str = "all"
    value: str = ""
    unit: str = ""


class PaperRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row and its reported numbers, as the paper prints them; "" where there is none, "?" where it is not known.

    In a table of scores: the entry and task that answer it, the parameters they must have had, and the
    rule that picked the epoch; `not_comparable` says why nothing here can. In a table of stored
    results: images and correct ones by tone, each as [benign, malignant].
    """

    name: str
    printed: tuple[str, ...]
    task: str = ""
    method: str = "none"
    baseline: str = ""
    backbone: str = ""
    parameters: dict[str, Parameter] = {}
    method_parameters: dict[str, Parameter] = {}
    selection: str = "test-oracle"
    not_comparable: str = ""
    value: str = ""
    images: tuple[tuple[int, int], ...] = ()
    correct: tuple[tuple[int, int], ...] = ()


class AssumedSets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an audit assumes of the images behind rows of a table (all, if `rows` names none); verdicts name it.

    - `assumed`: the assumption in words; `sets`: how many test sets a cell is the mean of
    - `images`: test images by column, where known; `totals`: least and most images of one test set, where searched
    - `training`: images trained on; `unknown`: images of unknown tone that the overall score may hold
    - `pool`: negative and positive images of each tone, light to dark, of the data set that test sets are drawn from
    - `cells`: test images of each class by two groups of tones, for Eopp and Eodd
    """

    assumed: str
    rows: tuple[str, ...] = ()
    sets: int = 1
    images: dict[str, int] = {}
    totals: tuple[int, int] | None = None
    training: int = 0
    unknown: int = 0
    pool: tuple[tuple[int, int], ...] = ()
    cells: tuple[tuple[int, int], ...] = ()


class PaperTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table. `kind`: `counts` of a data set's metadata, `stored` results, or `scores` of runs."""

    id: str
    title: str
    kind: str
    source: str
    unit: str
    columns: tuple[PaperColumn, ...]
    rows: tuple[PaperRow, ...]
    notes: tuple[str, ...] = ()
    data_set: str = ""
    row_column: str = ""
    column_column: str = ""
    tones: tuple[str, ...] = ()
    sets: tuple[AssumedSets, ...] = ()


class PaperFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`paper.toml` as written."""

    title: str
    cite: str
    about: str
    tables: tuple[PaperTable, ...]
    notes: tuple[str, ...] = ()


def sets_of_cells(
    images: Mapping[str, int], totals: tuple[int, int] | None, sets: int, training: int
) -> AssumedSets:
    """What is known of the test images behind anybody's table, with the assumption in words.

    `images` by column, `totals` the least and most of one test set, `sets` the test sets that a cell is the mean of,
    `training` the images trained on, 0 where that is not known. Raises BadRequest for numbers that are none of images.
    """
    asked: dict[str, tuple[object, int]] = {
        f"images of {name}": (n, 1) for name, n in images.items()
    }
    asked |= {f"total, number {i}": (n, 1) for i, n in enumerate(totals or (), 1)}
    for what, (n, least) in (asked | {"sets": (sets, 1), "training": (training, 0)}).items():
        if not isinstance(n, Integral) or isinstance(n, bool) or n < least:
            raise BadRequest(f"{what}: found {as_found(n)}, wanted a whole number from {least}")
    if totals is not None and (len(totals) != 2 or totals[0] > totals[1]):
        raise BadRequest(
            f"total: found {as_found(totals)}, wanted the least and the most images, least first"
        )
    if training and sets == 1:
        raise BadRequest(
            f"training: found {training} with one test set; it is for means of several, say how many with sets"
        )
    of = "one test set" if sets == 1 else f"the mean of {sets} test sets"
    said = [f"{name}={n}" for name, n in images.items()]
    if totals:
        low, high = totals
        said.append(f"{low if low == high else f'{low}-{high}'} in all")
    known = ", ".join(said) or "not said"
    assumed = f"a cell is of {of}, images: {known}; every image of one of the tones shown; rounded to the last digit"
    return AssumedSets(assumed, sets=sets, images=dict(images), totals=totals, training=training)


def paper_of_cells(
    title: str,
    source: str,
    columns: Sequence[str],
    rows: Iterable[tuple[str, str, Sequence[str]]],
    unit: str | None,
    tests: AssumedSets,
) -> PaperFile:
    """Anybody's table as a paper of one table: columns METRIC or METRIC:TONE, rows as (where, name, cells as text).

    Without a `unit` it is percent, or fraction where no share is above 1, which the assumption then says.
    Raises BadRequest for a metric that no audit knows, a cell that is no number such as 82.4 or 82.4±1.5, naming where,
    for images of no column or more of them than the test set has, and for two rows or columns of one name.
    """
    rows = tuple(rows)
    named = tuple(_column(name, source) for name in columns)
    plain = [f"{c.metric}:{c.tone}" for c in named]
    same = [*_twice("column", columns), *_twice("column", plain)]
    for twice in (*same, *_twice("row", [name for _, name, _ in rows])):
        raise BadRequest(f"{source}: {twice}")
    images = {}
    for name, n in tests.images.items():
        wanted = _column(name, "images")
        key = f"{wanted.metric}:{wanted.tone}"
        if key not in plain:
            raise BadRequest(f"images of {name}: {source} has the columns {', '.join(columns)}")
        images[columns[plain.index(key)]] = n
    tests = msgspec.structs.replace(tests, images=images)
    for problem in _image_problems(named, tests):
        raise BadRequest(f"{source}: {problem}")
    read = []
    for where, name, cells in rows:
        bad = [cell for cell in cells if cell and parse_reported(cell) is None]
        if len(cells) != len(columns) or bad:
            found = f"{bad[0]!r}" if bad else f"{len(cells)} numbers"
            raise BadRequest(
                f"{where}: found {found}, wanted {len(columns)} numbers such as 82.4 or 82.4±1.5"
            )
        read.append(PaperRow(name, tuple(cells), not_comparable="a table from elsewhere"))
    if unit is None and _are_fractions(named, read):
        unit = "fraction"
        assumed = f"{tests.assumed}; no share is above 1: read as fractions, say the unit if they are percent"
        tests = msgspec.structs.replace(tests, assumed=assumed)
    unit = unit or "percent"
    table = PaperTable("table", title, "scores", source, unit, named, tuple(read), sets=(tests,))
    return PaperFile(title, "", "", (table,))


def _are_fractions(columns: Sequence[PaperColumn], rows: Sequence[PaperRow]) -> bool:
    """Whether some share is above 0 and none above 1; a gap is no share, and ratios say nothing of the rest."""
    shares = [i for i, c in enumerate(columns) if c.metric in SHARES and c.tone != GAP]
    found = [n.value for row in rows for i in shares if (n := parse_reported(row.printed[i]))]
    return bool(found) and max(found) > 0 and all(0 <= value <= 1 for value in found)


def _column(name: str, source: str) -> PaperColumn:
    """The column METRIC or METRIC:TONE, in any letters and blanks. Raises BadRequest for another metric."""
    written, _, tone = (part.strip() for part in name.partition(":"))
    metric = re.sub(r"[\s-]+", "_", written.lower())
    if metric not in AUDITED:
        near, there = did_you_mean(metric, AUDITED), ", ".join(AUDITED)
        raise BadRequest(
            f"{source}: column {name!r}: no metric {written!r}{near}; leave it out or name one of {there}"
        )
    low = tone.lower() or ALL
    return PaperColumn(name, metric, low if low in {ALL, WORST, GAP} else tone)


def _image_problems(columns: Sequence[PaperColumn], tests: AssumedSets) -> Iterator[str]:
    """Images of columns that contradict each other or the total of a test set, one sentence each."""
    known = {(c.metric, c.tone): n for c in columns if (n := tests.images.get(c.name))}
    whole = known.get(("accuracy", ALL))
    low, high = tests.totals or (whole, whole)
    if whole and low and high and not low <= whole <= high:
        yield f"{whole} images of accuracy, and {low} to {high} in all; say one of the two"
    of_tones = [
        n for (metric, t), n in known.items() if metric == "accuracy" and t not in _NO_TONES
    ]
    most = whole or high
    if most and sum(of_tones) > most:
        yield f"{sum(of_tones)} images of accuracy by tone, more than the {most} of a test set"
    for tone in dict.fromkeys(tone for _, tone in known):
        sides = [known.get((metric, tone), 0) for metric in ("sensitivity", "specificity")]
        n = known.get(("accuracy", tone), most if tone == ALL else None)
        if n and sum(sides) > n:
            yield f"{sides[0]} positive and {sides[1]} negative images of {tone}, more than its {n}"


def _twice(what: str, names: Sequence[str]) -> list[str]:
    first: dict[str, int] = {}
    return [
        f"{what}s {first[name]} and {number} are both named {name!r}; give each a name of its own"
        for number, name in enumerate(names, 1)
        if first.setdefault(name, number) != number
    ]


def paper_keys(root: Path) -> list[str]:
    """Sorted keys of the papers of a suite root."""
    return sorted(path.parent.name for path in (root / PAPERS).glob("*/paper.toml"))


def read_paper(root: Path, key: str) -> PaperFile:
    """The paper of that key. Raises BadSuiteFolder for an unknown key (naming those there are) or a wrong file."""
    check_known(root / PAPERS, "paper", key, paper_keys(root))
    return read_paper_file(root / PAPERS / key / "paper.toml")


def check_cell(papers: Sequence[PaperFile], named: tuple[str, str, str], where: str) -> None:
    """Whether a (table, row, column) is in one of the papers.

    Raises BadRequest, beginning with `where`, that names the first part that is nowhere and what there is.
    """
    wanted, row, column = named
    tables = [table for paper in papers for table in paper.tables]
    own = [table for table in tables if table.id == wanted]
    rows = [line.name for table in own for line in table.rows]
    columns = [
        c.name for table in own if row in (r.name for r in table.rows) for c in table.columns
    ]
    for kind, name, known, place in (
        ("table", wanted, [table.id for table in tables], ""),
        ("row", row, rows, f" in table {wanted!r}"),
        ("column", column, columns, f" in table {wanted!r}"),
    ):
        if name not in known:
            there = ", ".join(dict.fromkeys(known))
            near = did_you_mean(name, known)
            raise BadRequest(f"{where}: no {kind} {name!r}{place}{near}; there are: {there}")


def read_paper_file(path: Path) -> PaperFile:
    """The tables of a file in the form of `paper.toml`, wherever it lies. Raises BadSuiteFolder for a wrong file."""
    file = read_toml(path, PaperFile)
    for table in file.tables:
        for problem in _problems(table):
            raise BadSuiteFolder(f"{path}: table {table.id}: {problem}")
    return file


def _problems(table: PaperTable) -> Iterator[str]:
    yield from _twice("row", [row.name for row in table.rows])
    yield from _set_problems(table)
    yield from _twice("column", [column.name for column in table.columns])
    if table.kind not in KINDS:
        yield f"kind is {table.kind!r}, wanted one of {', '.join(KINDS)}"
    units = {table.unit, *(column.unit for column in table.columns if column.unit)}
    for unit in sorted(units - {*UNITS}):
        yield f"unit {unit!r} is none of {', '.join(UNITS)}"
    if table.kind != "counts" and not all(row.not_comparable for row in table.rows):
        for column in (c for c in table.columns if c.metric not in METRIC_NAMES):
            yield f"column {column.name!r}: metric {column.metric!r} is not known"
    for row in table.rows:
        yield from (f"row {row.name!r}: {text}" for text in _row_problems(row, table))


def _set_problems(table: PaperTable) -> Iterator[str]:
    rows, columns = {row.name for row in table.rows}, {column.name for column in table.columns}
    for number, tests in enumerate(table.sets, 1):
        for kind, names, known in (("row", tests.rows, rows), ("column", tests.images, columns)):
            yield from (f"sets {number}: no {kind} {name!r}" for name in names if name not in known)
        numbers = (*tests.images.values(), *(tests.totals or ()), tests.sets)
        if min(numbers) < 1 or (tests.totals and tests.totals[0] > tests.totals[1]):
            yield f"sets {number}: images, totals and sets are whole numbers from 1, least first"
        else:
            problems = _image_problems(table.columns, tests)
            yield from (f"sets {number}: {problem}" for problem in problems)


def _row_problems(row: PaperRow, table: PaperTable) -> Iterator[str]:
    if len(row.printed) != len(table.columns):
        yield f"printed: {len(row.printed)} numbers for {len(table.columns)} columns"
    for text in row.printed:
        if text not in {"", UNKNOWN} and parse_reported(text) is None:
            yield f"printed: {text!r} is no number (12.3 or 12.3±0.4, {UNKNOWN!r} for not known)"
    if row.selection not in SELECTIONS:
        yield f"selection is {row.selection!r}, wanted one of {', '.join(SELECTIONS)}"
    if table.kind == "stored" and not len(row.images) == len(row.correct) == len(table.tones):
        yield f"wanted images and correct ones of {len(table.tones)} tones"
    if table.kind == "scores" and not ((row.task and row.baseline) or row.not_comparable):
        yield "neither task and baseline nor not_comparable: what is it held against?"
