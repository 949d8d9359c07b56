"""`tonegap.load`: the leaderboard of a store or a bundle as a table."""

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tonegap.errors import BadRequest

if TYPE_CHECKING:
    import pandas as pd


def load(place: str | Path, *suites: str, suite_root: str | Path | None = None) -> "pd.DataFrame":
    """The leaderboard of a store (`runs/`) or of a bundle (`….tonegap.zip`) as a long table, one row per score.

    `suites` names those of a store (default: all). Columns and their types are those of `leaderboard.parquet`,
    described in docs/python.md; scores are fractions, NaN where undefined, with `reason`. `suite_root` has the report's
    settings (default: as on the command line). A bundle is verified first.

    Raises BadRequest where there is no such place, nothing has run there, or the bundle's numbers are not those of its
    predictions; StoreError for what is damaged.
    """
    import pyarrow.parquet

    from tonegap.declared.root import find_root
    from tonegap.report.exports.parquet import render_parquet
    from tonegap.results.assemble import assemble, without_cycle_search
    from tonegap.results.bundle.verify import verified_bundle
    from tonegap.results.settings import read_settings, titled
    from tonegap.store.read import SuiteRun, read_suites

    path, root = Path(place), find_root(None if suite_root is None else Path(suite_root))
    with tempfile.TemporaryDirectory(prefix="tonegap-bundle-") as aside, without_cycle_search():
        if path.is_file():
            folder = Path(aside)
            runs: tuple[SuiteRun, ...] = (verified_bundle(path, folder),)
        elif path.is_dir():
            folder, runs = path, read_suites(path, suites)
        else:
            raise BadRequest(
                f"{path}: not there; wanted a store (a folder, runs/) or a bundle (….tonegap.zip)"
            )
        board = assemble(
            folder, runs, titled(read_settings(root), [run.matrix.title for run in runs])
        )
        frame: pd.DataFrame = pyarrow.parquet.read_table(
            io.BytesIO(render_parquet(board))
        ).to_pandas()
    return frame
