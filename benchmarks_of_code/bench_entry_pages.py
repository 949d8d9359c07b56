"""How long an entry's page takes: `python benchmarks_of_code/bench_entry_pages.py STORE`.

STORE is one that a suite ran in (`runs` after `tonegap run`). Prints the seconds of each page (wanted: 0.5 s), without
the first, which compiles the templates. Ends with code 1 where that is missed.
"""

import sys
import time
from pathlib import Path

from tonegap.declared.report_settings import read_settings
from tonegap.report.pages.entry_page import files_of
from tonegap.report.pages.links import entry_pages
from tonegap.results.assemble import assemble
from tonegap.store.read import read_suites
from tonegap.store.source import ResultSource

ROOT = Path(__file__).parents[1]
MOST_SECONDS = 0.5


def main() -> int:
    """0 if every page is fast enough."""
    store = Path(sys.argv[1])
    suites = read_suites(store)
    board = assemble(store, suites, read_settings(ROOT))
    source = ResultSource(ROOT, store, suites)
    pages = [(table, entry_pages(board, table)) for table in board.tables]
    rows = [(table, row) for table, named in pages for row in table.all_rows if row.entry in named]
    list(files_of(board, rows[:1], source, lambda _: True))
    seconds = []
    for table, row in rows:
        start = time.perf_counter()
        list(files_of(board, [(table, row)], source, lambda _: True))
        seconds.append(time.perf_counter() - start)
        sys.stdout.write(f"{seconds[-1]:.2f} s  {row.entry.label}, {table.task}\n")
    return int(max(seconds) > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
