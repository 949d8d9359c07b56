"""`predictions.parquet`: every epoch's probabilities, written whole or not at all."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tonegap_kit.eager import hidden

# Its clients of remote stores take as long to load as Parquet itself; a stage has no network.
with hidden("pyarrow._azurefs", "pyarrow._gcsfs", "pyarrow._hdfs", "pyarrow._s3fs"):
    import pyarrow.parquet as pq


def write_predictions(
    out: Path,
    ids: Sequence[str],
    classes: Sequence[str],
    epochs: Mapping[int, NDArray[np.float64]],
) -> None:
    """Writes `predictions.parquet`: for each epoch, `p [n, k]` of the n ids over the k classes.

    Single precision: a row still sums to 1 within 1e-6. The same content gives the same bytes.
    """
    numbers = np.repeat(np.array(sorted(epochs), dtype=np.int32), len(ids))
    p = np.concatenate([epochs[number] for number in sorted(epochs)]).astype(np.float32)
    texts = [name.encode() for name in ids] * len(epochs)
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    columns = {
        "epoch": _column(pa.int32(), numbers),
        "image_id": _column(pa.string(), ends, b"".join(texts)),
    }
    columns |= {f"p_{label}": _column(pa.float32(), p[:, i]) for i, label in enumerate(classes)}
    path = out / "predictions.parquet"
    aside = path.with_suffix(".partial")
    pq.write_table(
        pa.table(columns), aside, compression="zstd", use_dictionary=["epoch", "image_id"]
    )
    aside.replace(path)


def _column(kind: pa.DataType, values: NDArray[Any], *more: bytes) -> pa.Array:
    """A column from its buffers; `pa.array` would import pandas, which takes as long as an epoch of a small network."""
    n = len(values) - len(more)
    buffers = [None, pa.py_buffer(np.ascontiguousarray(values)), *map(pa.py_buffer, more)]
    return pa.Array.from_buffers(kind, n, buffers)


def write_notes(out: Path, notes: Mapping[str, object]) -> None:
    """Writes `notes.json`: a few small values that the engine keeps with the record."""
    text = json.dumps(notes, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    (out / "notes.json").write_text(text + "\n", encoding="utf-8")
