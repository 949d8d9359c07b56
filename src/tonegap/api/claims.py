"""`tonegap.power`, `audit_table` and `audit_paper`: what a test set can show, and what reported numbers can be."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonegap.arguments import as_found, is_number, is_whole
from tonegap.errors import BadRequest
from tonegap.split.frame import root_in_python

if TYPE_CHECKING:
    import pandas as pd

    from tonegap.results.papers.audit_reading import Finding


def power(
    images: Mapping[str, int],
    score: float = 0.85,
    *,
    correlation: float = 0.7,
    seeds: int = 1,
    seed_sd: float = 0.0,
) -> "pd.DataFrame":
    """What a test set with these images of each tone can show, one row per tone, as `tonegap power`.

    Columns: tone, images; half_width, that of the 95 % interval of a score of `score`; lower, how far the tone must
    lie below the others for the gap to be found; entries, how far two entries must differ on it, right together with
    `correlation`; silent, where no statement is possible. All are fractions, found with a chance of 80 % at the 5 %
    level; NaN where nothing suffices. `images` has tones as in `tonegap.score`, `seed_sd` is what training adds to a
    score of one of `seeds` runs, at most 0.5. Source: docs/claims.md.

    Raises BadRequest for a number outside its range, images that are no dict, what is no tone, or a tone without a
    whole number of images.
    """
    import pandas as pd

    from tonegap.scores.evidence.power import MOST_SPREAD, images_by_tone, reach

    if not (is_number(score) and 0 < score < 1):
        raise BadRequest(f"power: found score={as_found(score)}, wanted a fraction between 0 and 1")
    if not (
        all(map(is_number, (correlation, seed_sd)))
        and (0 <= correlation < 1 and 0 <= seed_sd <= MOST_SPREAD)
        and is_whole(seeds, 1)
    ):
        raise BadRequest(
            f"power: found correlation={as_found(correlation)}, seeds={as_found(seeds)}, "
            f"seed_sd={as_found(seed_sd)}; wanted a correlation from 0 to below 1, a whole number of seeds from 1, and "
            f"a standard deviation from 0 to {MOST_SPREAD}, as a fraction"
        )
    counts = images_by_tone(_images_by(images, "power").items(), "power")
    found = [
        (r.tone, r.n, r.width, float("nan") if r.lower is None else r.lower, r.entries, r.silent)
        for r in reach(counts, score, correlation, seeds, seed_sd)
    ]
    names = ["tone", "images", "half_width", "lower", "entries", "silent"]
    return pd.DataFrame(found, columns=names)


def audit_paper(key: str, *, suite_root: str | Path | None = None) -> "pd.DataFrame":
    """What the reported numbers of a paper can be, one row per finding, as `tonegap paper KEY --audit`.

    Columns: table, and those of `audit_table`. Raises BadSuiteFolder for an unknown key, naming those there are;
    BadRequest for a key that is no text.
    """
    from tonegap.declared.paper import read_paper
    from tonegap.results.papers import audit

    if not isinstance(key, str):
        raise BadRequest(
            f"audit_paper: found {as_found(key)}, wanted a paper's key such as 'cgddi'"
        )
    return _frame(audit.audit_paper(read_paper(root_in_python(suite_root), key)))


def audit_table(
    table: "pd.DataFrame",
    *,
    images: Mapping[str, int] | None = None,
    total: int | tuple[int, int] | None = None,
    sets: int = 1,
    training: int = 0,
    unit: str | None = None,
) -> "pd.DataFrame":
    """What the numbers of anybody's table can be, one row per finding, as `tonegap audit-table`.

    The index of `table` names its rows, its columns are METRIC or METRIC:TONE (`accuracy:V-VI`), its cells texts as
    they were printed (`"82.0"`, `"82.4±1.5"`, `""`): a number would have lost its last 0, which says how it was
    rounded. `images`: test images behind a column; `total`: of one test set, or the least and most of them; `sets`:
    test sets that a cell is the mean of; `training`: images trained on; `unit`: percent or fraction; without
    it percent, or fraction where no share is above 1, which `assumed` then says. Columns: row, column, test, verdict,
    why, assumed, p. Sources: docs/claims.md.

    Raises BadRequest for what is no DataFrame, a cell that is no such text, naming it, for numbers of images that are
    none, and for two rows or columns of one name.
    """
    import pandas as pd

    from tonegap.declared.paper import paper_of_cells, sets_of_cells
    from tonegap.results.papers import audit

    if unit not in (None, "percent", "fraction"):
        raise BadRequest(f"audit_table: found unit={as_found(unit)}, wanted percent or fraction")
    if not isinstance(table, pd.DataFrame):
        raise BadRequest(
            f"audit_table: found a {type(table).__name__}, wanted a pandas DataFrame whose index names the rows"
        )
    cells = table.to_numpy(dtype=object)
    numbers = [cell for cell in cells.flat if not isinstance(cell, str)]
    if numbers:
        raise BadRequest(
            f"audit_table: found {as_found(numbers[0])}, wanted cells as text, as they were printed: '82.0' or ''"
        )
    totals = None if total is None else total if isinstance(total, tuple) else (total, total)
    rows = (
        (f"row {name!r}", str(name), [cell.strip() for cell in line])
        for name, line in zip(table.index, cells, strict=True)
    )
    of_column = {} if images is None else _images_by(images, "images")
    known = sets_of_cells(of_column, totals, sets, training)
    columns = [str(name) for name in table.columns]
    found = audit.audit_paper(paper_of_cells("table", "the table", columns, rows, unit, known))
    return _frame(found).drop(columns="table")


def _images_by(images: object, what: str) -> dict[str, Any]:
    """Images by tone or column, given as a mapping or a pandas Series. Raises BadRequest for anything else."""
    if type(images).__name__ == "Series" and hasattr(images, "to_dict"):
        images = images.to_dict()
    if not isinstance(images, Mapping):
        raise BadRequest(
            f"{what}: found a {type(images).__name__}, wanted a dict of images by name such as {{'V-VI': 43}}"
        )
    return {str(name): n for name, n in images.items()}


def _frame(found: "Sequence[Finding]") -> "pd.DataFrame":
    import pandas as pd

    names = ["table", "row", "column", "test", "verdict", "why", "assumed", "p"]
    lines = [[getattr(f, name) for name in names] for f in found]
    return pd.DataFrame(lines, columns=names).astype({"p": float})
