"""`tonegap.load`, `across` and `pack`: results of a store or a bundle as tables, and the paperwork of a submission."""

import io
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from tonegap.errors import BadRequest
from tonegap.split.frame import path_of, root_in_python

if TYPE_CHECKING:
    import pandas as pd

    from tonegap.results.across import Across
    from tonegap.results.board import Leaderboard

StorePlace = str | Path


def load(place: StorePlace, *suites: str, suite_root: StorePlace | None = None) -> "pd.DataFrame":
    """The leaderboard of a store (`runs/`) or of a bundle (`….tonegap.zip`) as a long table, one row per score.

    `suites` names those of a store (default: all). Columns and their types are those of `leaderboard.parquet`,
    described in docs/python.md; scores are fractions, NaN where undefined, with `reason`. `suite_root` has the report's
    settings (default: as on the command line). A bundle is verified first.

    Raises BadRequest where there is no such place, nothing has run there, or the bundle's numbers are not those of its
    predictions; StoreError for what is damaged.
    """
    import pyarrow.parquet

    from tonegap.report.exports.parquet import render_parquet

    with _board(place, suites, suite_root) as board:
        table = pyarrow.parquet.read_table(io.BytesIO(render_parquet(board)))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def across(place: StorePlace, *suites: str, suite_root: StorePlace | None = None) -> "pd.DataFrame":
    """Entries over all tasks of a store or a bundle, as a report's page of all tasks: one row per entry and task.

    Columns: phantom, whether the images are no photographs, which are kept apart; entry, task; overall, over all images
    in the metric that ranks, and score, the worst tone's; excess_overall and excess, those minus the reference's with
    the same backbone; on_front, whether no other entry is as good in both and better in one; win_rate with
    win_rate_low and win_rate_high, of the entry over all tasks, or why not; friedman_p, of the test that entries do not
    differ. Fractions, NaN where there is none. Where no entry ranks in two tasks of one kind of images the table is
    empty, and a UserWarning says so. `suites`, `suite_root` and errors are as for `load`. Source: docs/metrics.md.
    """
    from tonegap.results.across import across as groups_of

    with _board(place, suites, suite_root) as board:
        groups = groups_of(board)
    if not groups:
        warnings.warn(
            f"across: {place}: no entry ranks in two tasks of one kind of images (photographs or not), so the table is "
            "empty",
            stacklevel=2,
        )
    return _across_frame(groups)


def _across_frame(groups: "Sequence[Across]") -> "pd.DataFrame":
    import pandas as pd

    lines = [
        (
            group.phantom,
            row.entry.label,
            table.task,
            *astuple(on),
            *(row.win_rate or (None,) * 3),
            row.why,
            group.p,
        )
        for group in groups
        for row in group.rows
        for table, on in zip(group.tables, row.tasks, strict=True)
        if on
    ]
    numbers = ["overall", "score", "excess_overall", "excess"]
    rates = ["win_rate", "win_rate_low", "win_rate_high"]
    columns = ["phantom", "entry", "task", *numbers, "on_front", *rates, "why", "friedman_p"]
    floats = dict.fromkeys([*numbers, *rates, "friedman_p"], float)
    return pd.DataFrame(lines, columns=columns).astype(floats)


def pack(
    what: StorePlace,
    out: StorePlace,
    *,
    store: StorePlace | None = None,
    suite_root: StorePlace | None = None,
) -> Path:
    """The README.md of a new folder `out` with the paperwork of a submission, as `tonegap pack` writes it.

    `what` is a suite that ran in `store`, or a bundle (`….tonegap.zip`); `store` and `suite_root` are by default those
    of the command line. `tonegap verify OUT` makes every document again and names what differs.

    Raises BadRequest for a folder that has something in it, a suite that is incomplete or did not run, a bundle that
    does not verify; StoreError if the folder cannot be written.
    """
    from tonegap.declared.root import default_store
    from tonegap.report.pack.write import write_pack

    root, folder = root_in_python(suite_root), path_of(out, "out")
    place = default_store(root) if store is None else path_of(store, "store")
    write_pack(root, place, str(path_of(what, "what")), folder)
    return folder / "README.md"


@contextmanager
def _board(
    place: StorePlace, suites: Sequence[str], suite_root: StorePlace | None
) -> "Iterator[Leaderboard]":
    """The board of a store or of a bundle, which is unpacked as long as it is used."""
    from tonegap.declared.report_settings import read_settings, titled
    from tonegap.results.assemble import assemble, without_cycle_search
    from tonegap.results.bundle.exposure import run_with_doubts
    from tonegap.results.bundle.verify import verified_bundle
    from tonegap.store.read import SuiteRun, read_suites

    path, root = path_of(place, "place"), root_in_python(suite_root)
    with tempfile.TemporaryDirectory(prefix="tonegap-bundle-") as aside, without_cycle_search():
        if path.is_file():
            folder = Path(aside)
            runs: tuple[SuiteRun, ...] = (run_with_doubts(verified_bundle(path, folder), root),)
            if others := [name for name in suites if name != runs[0].matrix.suite]:
                raise BadRequest(
                    f"{path}: is a bundle of {runs[0].matrix.suite}, not of {others[0]}"
                )
        elif path.is_dir():
            folder, runs = path, read_suites(path, suites)
        else:
            raise BadRequest(
                f"{path}: not there; wanted a store (a folder, runs/) or a bundle (….tonegap.zip)"
            )
        yield assemble(
            folder, runs, titled(read_settings(root), [run.matrix.title for run in runs])
        )
