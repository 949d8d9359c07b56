"""Phantom images for somebody's metadata, so that a real protocol runs at full size without its data.

The mistake it exists to prevent: a phantom image that is later taken for a photograph. The folder is
marked from the first image on, and marked as complete by its last file.
"""

import contextlib
from pathlib import Path

import msgspec

from tonegap.closure import code_digest
from tonegap.data.csv_table import read_table
from tonegap.data.drawn import IMAGES, Progress
from tonegap.data.image_names import image_names
from tonegap.data.metadata import (
    HALF_DRAWN,
    STAND_IN,
    Metadata,
    malignant_flags,
    parse_metadata,
)
from tonegap.data.phantom.draw import Sitter
from tonegap.data.phantom.folder import draw_folder
from tonegap.declared.dataset import Dataset, dataset_ids, read_dataset
from tonegap.errors import BadData, BadRequest, StoreError, file_errors
from tonegap.files import write_atomic


class StandIn(msgspec.Struct, frozen=True):
    """What `stand-in.json` says: whose rows were drawn, how large, how many, by which code."""

    dataset: str
    metadata_sha256: str
    images: int
    size_px: int
    drawing: str


def recognise_dataset(root: Path, metadata_csv: Path) -> Dataset:
    """The data set of the suite root whose declared columns a CSV has; the one with most, if several.

    Raises BadData naming the data sets that were tried.
    """
    if not metadata_csv.is_file():
        raise BadData(f"{metadata_csv}: no such file; wanted a metadata CSV")
    header = set(read_table(metadata_csv, metadata_csv.read_bytes()).header)
    fitting: list[tuple[int, Dataset]] = []
    for dataset_id in dataset_ids(root):
        dataset = read_dataset(root, dataset_id)
        if dataset.file.joined:
            continue  # it has no metadata file of its own
        columns = dataset.file.columns
        present = [n for n, c in columns.items() if not header.isdisjoint((n, *c.names))]
        if all(n in present or columns[n].optional for n in columns):
            fitting.append((len(present), dataset))
    if not fitting:
        known = ", ".join(dataset_ids(root)) or "none"
        raise BadData(
            f"{metadata_csv}: its columns ({', '.join(sorted(header))}) are those of no data set "
            f"here; there are: {known}"
        )
    return max(fitting, key=lambda pair: pair[0])[1]


def draw_stand_ins(
    dataset: Dataset,
    metadata_csv: Path,
    out: Path,
    size_px: int,
    workers: int,
    on_progress: Progress | None = None,
) -> StandIn:
    """Draws an image for every row of the metadata into `out`; goes on where it was cut off.

    The tone is the first declared axis, unknown ones are drawn as any; the metadata is copied byte
    for byte. Raises BadRequest where `out` holds anything else, StoreError where it takes no more.
    """
    metadata, code = parse_metadata(dataset, metadata_csv), code_digest("tonegap.data.stand_in")
    mark = StandIn(dataset.id, metadata.sha256, len(metadata.ids), size_px, code)
    _check_out(out, mark)
    if (out / STAND_IN).exists():
        return mark
    names = image_names(dataset, metadata)
    unnamed = [i for i in metadata.ids if not names[i]]
    if unnamed:
        raise BadData(f"{metadata_csv}: image {unnamed[0]} has no file name in any declared column")
    with file_errors(StoreError, f"{out}: cannot be written", "; make room"):
        write_atomic(out / HALF_DRAWN, _json(mark))
        draw_folder(
            _sitters(dataset, metadata),
            [names[i][0] for i in metadata.ids],
            out / IMAGES,
            size_px,
            workers,
            on_progress=on_progress,
        )
        write_atomic(out / dataset.file.metadata[0], metadata_csv.read_bytes())
        write_atomic(out / STAND_IN, _json(mark))
        (out / HALF_DRAWN).unlink(missing_ok=True)
    return mark


def _sitters(dataset: Dataset, metadata: Metadata) -> list[Sitter]:
    n = len(metadata.ids)
    tones = next(iter(metadata.tones.values()), (None,) * n)
    labels = metadata.columns[dataset.file.label_column]
    malignant = malignant_flags(dataset, metadata)
    return [Sitter(*row) for row in zip(metadata.ids, labels, tones, malignant, strict=True)]


def _check_out(out: Path, mark: StandIn) -> None:
    """Nothing is drawn into a folder of anything but these phantoms, begun or finished."""
    if not out.exists() or not any(out.iterdir()):
        return
    for name in (STAND_IN, HALF_DRAWN):
        if (out / name).exists():
            there: dict[str, object] = {}
            with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                there = msgspec.json.decode((out / name).read_bytes(), type=dict[str, object])
            if there == msgspec.to_builtins(mark):
                return
            raise BadRequest(
                f"{out / name}: other stand-ins are here ({_differing(there, mark)}); "
                "choose another folder with --out"
            )
    raise BadRequest(f"{out}: the folder is not empty; choose another with --out")


def _differing(there: dict[str, object], mark: StandIn) -> str:
    wanted = msgspec.to_builtins(mark)
    return ", ".join(
        f"{k} {there.get(k)!r}, wanted {v!r}" for k, v in wanted.items() if there.get(k) != v
    )


def _json(mark: StandIn) -> bytes:
    return msgspec.json.format(msgspec.json.encode(mark)) + b"\n"
