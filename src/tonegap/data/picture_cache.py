"""Keeps what was learned from image files as Parquet, so that each file is decoded once.

A file counts as seen while its path, size and time of change are the same. The kept file is only a
saving: where it is damaged it is made again.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tonegap.caches import read_kept
from tonegap.closure import code_digest
from tonegap.data.decode import UNREADABLE
from tonegap.data.locate import Stamp
from tonegap.data.picture import PictureFacts, read_picture
from tonegap.errors import EngineError, StoreError, file_errors
from tonegap.files import write_atomic
from tonegap.workers import map_in_processes

_LIGHT = ("path", "size", "mtime_ns", "sha256", "problem", "text", "note")
_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("problem", pa.string()),
        ("text", pa.string()),
        ("hash", pa.uint64()),
        ("flipped", pa.uint64()),
        ("grey", pa.binary()),
        ("note", pa.string()),
    ]
)
_OF_PICTURE = tuple(_SCHEMA.names[3:])  # the fields of PictureFacts
_PER_TASK = 32  # files that a worker process is handed at a time


def looking_digest() -> str:
    """Covers the code that looks at a picture and keeps what it saw: facts of other code are not mixed with these."""
    return code_digest("tonegap.data.picture_cache")


def read_pictures(
    stamps: Mapping[str, Stamp], kept: Path, workers: int
) -> tuple[dict[str, PictureFacts], bool]:
    """The picture of each file, and whether all were known from `kept`.

    If all were, the pictures come without hashes and grey copies (see `read_full`). Raises
    StoreError where `kept` cannot be written, EngineError where a worker process is killed.
    """
    known = _load(kept, _LIGHT)
    if all(known.get(path, (None,))[0] == stamp for path, stamp in stamps.items()):
        return {path: known[path][1] for path in stamps}, True
    known = _load(kept, _SCHEMA.names)
    new = [p for p, stamp in stamps.items() if known.get(p, (None,))[0] != stamp]
    for path, picture in zip(new, _look_at(new, workers), strict=True):
        known[path] = (stamps[path], picture)
    _save(kept, known)
    return {path: known[path][1] for path in stamps}, False


def read_full(paths: Iterable[str], kept: Path) -> dict[str, PictureFacts]:
    """The pictures of files that are all in `kept`, with hashes and grey copies."""
    known = _load(kept, _SCHEMA.names)
    return {path: known[path][1] for path in paths}


def _look_at(paths: list[str], workers: int) -> list[PictureFacts]:
    if workers <= 1 or len(paths) <= _PER_TASK:
        return [read_picture(Path(path)) for path in paths]
    try:
        return list(map_in_processes(read_picture, map(Path, paths), workers, _PER_TASK))
    except BrokenProcessPool:
        raise EngineError(
            f"reading {len(paths)} images: a worker process was killed (out of memory?); "
            "try --workers 1"
        ) from None


def _load(kept: Path, columns: Iterable[str]) -> dict[str, tuple[Stamp, PictureFacts]]:
    """What is kept, {} where there is nothing or nothing readable."""

    def read() -> dict[str, tuple[Stamp, PictureFacts]]:
        # `read_table` imports pandas. `select` raises KeyError for a column that is not there.
        table = pq.ParquetFile(kept).read(list(columns)).select(list(columns))
        names = [n for n in table.column_names if n in _OF_PICTURE]
        values = [table[n].to_pylist() for n in names]
        pictures = [
            PictureFacts(**dict(zip(names, r, strict=True))) for r in zip(*values, strict=True)
        ]
        stamps = map(Stamp, table["size"].to_pylist(), table["mtime_ns"].to_pylist())
        return dict(zip(table["path"].to_pylist(), zip(stamps, pictures, strict=True), strict=True))

    return read_kept(read, pa.ArrowException) or {}


def _save(kept: Path, known: Mapping[str, tuple[Stamp, PictureFacts]]) -> None:
    """Keeps everything but files that could not be read: those may be readable next time."""
    there = [(path, *both) for path, both in sorted(known.items()) if both[1].problem != UNREADABLE]
    rows = [(path, *stamp, *map(partial(getattr, p), _OF_PICTURE)) for path, stamp, p in there]
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA.names)
    table = pa.table([list(c) for c in columns], schema=_SCHEMA)
    buffer = BytesIO()
    pq.write_table(table, buffer)
    said = f"{kept}: the index of images cannot be written"
    with file_errors(StoreError, said, "; make room or choose another place with --store"):
        write_atomic(kept, buffer.getvalue())
