"""Writes what a report knows in formats that other tools read. An export is a function `files(board, source)`.

FORMATS lists the documents of one file, for `tonegap report --format`: the ending of `leaderboard.ENDING`, and the
module below `tonegap.report` whose `files` writes it. A new format is a module here and a line there.
"""

FORMATS = {
    "html": "pages.leaderboard_page",
    "md": "exports.markdown",
    "tex": "exports.latex",
    "csv": "exports.parquet",  # both are made of the same lines
    "json": "exports.json_",
    "parquet": "exports.parquet",
}
