"""How long an entry's page takes: `python benchmarks_of_code/bench_entry_pages.py STORE`.

STORE is one that a suite ran in (`runs` after `tonegap run`). Prints the seconds of each page and the median of
its charts (wanted: 0.5 s and 60 ms), without the first of either, which loads the plotting library. Ends with
code 1 where that is missed.
"""

import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

from tonegap.report.pages import charts
from tonegap.report.pages.entry_write import files_of
from tonegap.report.pages.names import entry_pages
from tonegap.results.assemble import assemble
from tonegap.results.settings import read_settings
from tonegap.store.read import read_suites
from tonegap.store.source import ResultSource

ROOT = Path(__file__).parents[1]
MOST_SECONDS, MOST_MS = 0.5, 60.0
_chart_ms: list[float] = []


def timed_charts() -> None:
    """Makes every chart leave its time behind."""
    from tonegap.report.pages import plots, plots_entry

    def draw(*words: object) -> str:
        start = time.perf_counter()
        drawn = charts.draw_chart(*words)  # type: ignore[arg-type]
        _chart_ms.append(1e3 * (time.perf_counter() - start))
        return drawn

    plots.draw_chart = plots_entry.draw_chart = draw  # type: ignore[assignment]


def main() -> int:
    """0 if every page and chart is fast enough."""
    store = Path(sys.argv[1])
    suites = read_suites(store)
    board = replace(assemble(store, suites, read_settings(ROOT)), site=True)
    source = ResultSource(ROOT, store, suites)
    pages = [(table, entry_pages(board, table)) for table in board.tables]
    rows = [(table, row) for table, named in pages for row in table.all_rows if row.entry in named]
    timed_charts()
    files_of(board, rows[:1], source, lambda _: True)
    _chart_ms.clear()
    seconds = []
    for table, row in rows:
        start = time.perf_counter()
        files_of(board, [(table, row)], source, lambda _: True)
        seconds.append(time.perf_counter() - start)
        sys.stdout.write(f"{seconds[-1]:.2f} s  {row.entry.label}, {table.task}\n")
    middle = statistics.median(_chart_ms)
    sys.stdout.write(f"{len(_chart_ms)} charts, median {middle:.0f} ms\n")
    return int(max(seconds) > MOST_SECONDS or middle > MOST_MS)


if __name__ == "__main__":
    sys.exit(main())
