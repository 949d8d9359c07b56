"""Reads a synthetic set made elsewhere: a folder of images, described by a CSV file or by their names.

Understood are the columns of `synthetic.csv` (see docker/CONTRACT.md; `file` is enough, `sources` is what the audit is
about) and the names of the released cgDDI images, `<healthy>_with_<disease>_from_<tone>_<donor>.png`. The tone in such
a name is the donor's, whose lesion it is; the skin, and its tone, are those of the healthy image.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tonegap.data.locate import IMAGE_SUFFIXES
from tonegap.errors import BadRequest
from tonegap.files import is_below
from tonegap.formats.lineage import UNKNOWN_SOURCE, LearnedPart, read_parts
from tonegap.synthetic.manifest import MODELS_COLUMN, SYNTHETIC_COLUMNS, long_fields
from tonegap.synthetic.source_names import KnownImages
from tonegap.texts import read_text

COLUMNS = (*SYNTHETIC_COLUMNS, MODELS_COLUMN)
_NAMES = ("synthetic.csv", "manifest.csv", "metadata.csv")
# Source: the notebook `lession_mapping.ipynb` of hectorcarrion/ControllableGenDDI, commit f51900c44f3b.
_CGDDI = re.compile(r"(?P<healthy>.+)_with_(?P<disease>.+)_from_[^_]+_(?P<donor>.+)")


@dataclass(frozen=True, slots=True)
class SetRow:
    """One image of a set: its file, what it is said to show, and the names of the real images behind it.

    `sources` is None where nobody says. `healthy` and `donor` are those of a name that distinguishes them.
    """

    image_id: str
    path: Path
    cells: Mapping[str, str]
    sources: tuple[str, ...] | None
    models: tuple[str, ...] = ()
    disease: str = ""
    healthy: str = ""
    donor: str = ""


@dataclass(frozen=True, slots=True)
class ExternalSet:
    """A set: where it is, what described it (a file's name, or its images' names), rows, learned parts."""

    folder: Path
    described_by: str
    rows: tuple[SetRow, ...]
    parts: Mapping[str, LearnedPart]


def read_set(folder: Path, manifest: Path | None) -> ExternalSet:
    """The set in a folder; without `manifest` its only CSV file, or none, is taken for one.

    Raises BadRequest for a folder without images, a manifest that is none, and a row whose file is not there.
    """
    found = manifest or _manifest_in(folder)
    rows = tuple(_listed(folder, found) if found else _named(folder))
    if not rows:
        raise BadRequest(
            f"{folder}: no images; wanted a folder of PNG or JPEG files, or a CSV file"
        )
    _check_ids(folder, rows)
    parts = read_parts(folder / "model")
    for row in rows:
        for model in row.models:
            if model not in parts:
                raise BadRequest(
                    f"{folder}: {row.image_id}: no part {model!r} in model/lineage.json"
                )
    return ExternalSet(folder, found.name if found else "names of images", rows, parts)


def on_its_canvas(row: SetRow, images: KnownImages, tones: Mapping[str, str | None]) -> SetRow:
    """A row with the tone of the healthy image that it is on, from the tones of real images by their id.

    A row that says its tone, or names no healthy image, is left as it is.
    """
    if "tone" in row.cells or not row.healthy:
        return row
    return replace(row, cells={**row.cells, "tone": tones.get(images.known_as(row.healthy)) or ""})


def _manifest_in(folder: Path) -> Path | None:
    for name in _NAMES:
        if (folder / name).is_file():
            return folder / name
    tables = sorted(folder.glob("*.csv"))
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables[:3])
        raise BadRequest(f"{folder}: which of {names} describes the images? Pass --manifest FILE")
    return tables[0] if tables else None


def _check_ids(folder: Path, rows: tuple[SetRow, ...]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.image_id in seen:
            raise BadRequest(f"{folder}: two images are called {row.image_id!r}; wanted one each")
        seen.add(row.image_id)


def _listed(folder: Path, manifest: Path) -> Iterator[SetRow]:
    """The rows of a CSV file; paths are relative to the folder, or to its `images/`."""
    try:
        reader = csv.DictReader(io.StringIO(read_text(manifest, BadRequest), newline=""))
        with long_fields():
            names, rows = tuple(reader.fieldnames or ()), list(reader)
    except (OSError, csv.Error) as e:
        raise BadRequest(f"{manifest}: cannot be read as CSV: {e}") from None
    if "file" not in names:
        raise BadRequest(f"{manifest}: no column `file`; found {', '.join(names) or 'none'}")
    for number, cells in enumerate(rows, start=2):
        if None in cells or None in cells.values():
            raise BadRequest(f"{manifest} line {number}: wanted {len(names)} fields")
        yield _listed_row(folder, f"{manifest} line {number}", cells)


def _listed_row(folder: Path, where: str, cells: Mapping[str, str]) -> SetRow:
    path = _file_in(folder, where, cells["file"])
    image_id = cells.get("image_id") or Path(cells["file"]).stem
    named = _by_name(path, image_id)
    sources = named.sources
    if "sources" in cells:
        words = tuple(cells["sources"].split())
        sources = None if words == (UNKNOWN_SOURCE,) else words
    models = tuple(cells.get("models", "").split())
    return replace(named, cells={**named.cells, **cells}, sources=sources, models=models)


def _file_in(folder: Path, where: str, name: str) -> Path:
    if not is_below(name):
        raise BadRequest(f"{where}: file {name!r} is not a path below {folder}")
    for place in (folder / name, folder / "images" / name):
        if place.is_file():
            return place
    raise BadRequest(f"{where}: there is no file {name!r} in {folder} or its images/")


def _named(folder: Path) -> Iterator[SetRow]:
    """The images of a folder, by their names."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            yield _by_name(path, path.relative_to(folder).with_suffix("").as_posix())


def _by_name(path: Path, image_id: str) -> SetRow:
    """What an image's name says: all of it, or nothing."""
    match = _CGDDI.fullmatch(path.stem)
    if match is None:
        return SetRow(image_id, path, {}, None)
    disease = match["disease"].replace("_", " ")
    return SetRow(
        image_id=image_id,
        path=path,
        cells={"label": disease},
        sources=tuple(dict.fromkeys((match["healthy"], match["donor"]))),
        disease=disease,
        healthy=match["healthy"],
        donor=match["donor"],
    )
