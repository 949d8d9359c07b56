"""Reads a synthetic set made elsewhere: a folder of images, described by a CSV file, JSON files or their names.

Understood are the columns of `synthetic.csv` (see docker/CONTRACT.md; `file` is enough, `sources` is what the audit is
about), the JSON files of synthetic-derm, and the names of the released cgDDI images,
`<healthy>_with_<disease>_from_<tone>_<donor>.png`. The tone in such a name is the donor's, whose lesion it is; the
skin, and its tone, are those of the healthy image. A row counts before what the image says by itself, where it has a
word. The method that hands such sets over has the same rule; tests have both read the same sets.
"""

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath

from tonegap.data.locate import IMAGE_SUFFIXES
from tonegap.errors import BadRequest
from tonegap.files import is_below
from tonegap.formats.lineage import UNKNOWN_SOURCE, LearnedPart, read_parts
from tonegap.lines import counted
from tonegap.synthetic.manifest import MODELS_COLUMN, SYNTHETIC_COLUMNS, long_fields
from tonegap.synthetic.source_names import KnownImages
from tonegap.texts import read_text

COLUMNS = (*SYNTHETIC_COLUMNS, MODELS_COLUMN)
_NAMES = ("synthetic.csv", "manifest.csv", "metadata.csv")
# Source: the notebook `lession_mapping.ipynb` of hectorcarrion/ControllableGenDDI, commit f51900c44f3b.
_MAPPED = re.compile(r"(?P<healthy>.+)_with_(?P<disease>.+)_from_[^_]+_(?P<donor>.+)")
_UNKNOWN = (UNKNOWN_SOURCE,)


@dataclass(frozen=True, slots=True)
class SetRow:
    """One image of a set: its file, what it is said to show, and the names of the real images behind it.

    `sources` is None where nobody says. `canvas` is the image whose skin it shows; `disease` and `donor` are those of a
    name that has them.
    """

    image_id: str
    path: Path
    cells: Mapping[str, str]
    sources: tuple[str, ...] | None
    models: tuple[str, ...] = ()
    disease: str = ""
    canvas: str = ""
    donor: str = ""


@dataclass(frozen=True, slots=True)
class ExternalSet:
    """A set: where it is, what described it (a file's name, images by themselves, or both), rows, learned parts."""

    folder: Path
    described_by: str
    rows: tuple[SetRow, ...]
    parts: Mapping[str, LearnedPart]


def read_set(folder: Path, manifest: Path | None) -> ExternalSet:
    """The images in a folder, hidden ones apart: of a `manifest`, those with a row there, else all.

    Without one the folder's only CSV file, or none, is taken for it; images without a row are read by themselves.
    Raises BadRequest for a folder without images, a manifest or a file beside an image that is none, a row whose file
    is not there, and two rows of one image.
    """
    found = manifest or _manifest_in(folder)
    listed = list(_listed(folder, found)) if found else []
    files = {row.path for row in listed}
    others = [path for path in images_in(folder) if path not in files]
    read = [] if manifest else others
    rows = (*listed, *(_by_itself(path, _id(path.relative_to(folder))) for path in read))
    if not rows:
        raise BadRequest(
            f"{folder}: no images; wanted a folder of PNG or JPEG files, or a CSV file"
        )
    _check_ids(folder, rows)
    parts = read_parts(folder / "model")
    absent = ((row.image_id, name) for row in rows for name in row.models if name not in parts)
    for image_id, name in absent:
        raise BadRequest(f"{folder}: {image_id}: no part {name!r} in model/lineage.json")
    ways = [found.name] if found else []
    ways += ["names of images or JSON files beside them"] if read else []
    if others and manifest:
        ways = [f"{manifest.name} ({counted(len(others), 'image')} without a row left out)"]
    return ExternalSet(folder, " and ".join(ways), rows, parts)


def on_its_canvas(row: SetRow, images: KnownImages, tones: Mapping[str, str | None]) -> SetRow:
    """A row with the tone of the healthy image that it is on, from the tones of real images by their id.

    A row that says its tone, or names no such image, is left as it is.
    """
    if row.cells.get("tone") or not row.canvas:
        return row
    return replace(row, cells={**row.cells, "tone": tones.get(images.known_as(row.canvas)) or ""})


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
    ids, files = set[str](), set[Path]()
    for row in rows:
        if row.image_id in ids:
            raise BadRequest(f"{folder}: two images are called {row.image_id!r}; wanted one each")
        if row.path in files:
            raise BadRequest(f"{row.path}: has two rows, the second {row.image_id!r}; wanted one")
        ids.add(row.image_id)
        files.add(row.path)


def _listed(folder: Path, manifest: Path) -> Iterator[SetRow]:
    """The rows of a CSV file; paths are relative to the folder, or to its `images/`."""
    try:
        reader = csv.DictReader(io.StringIO(read_text(manifest, BadRequest), newline=""))
        with long_fields():
            names, rows = tuple(reader.fieldnames or ()), list(reader)
    except (OSError, csv.Error) as e:
        raise BadRequest(f"{manifest}: cannot be read as CSV: {e}") from None
    if "file" not in names:
        found, wanted = ", ".join(names) or "none", ",".join(COLUMNS)
        raise BadRequest(f"{manifest}: no column `file`; found {found}; wanted some of {wanted}")
    for number, cells in enumerate(rows, start=2):
        if None in cells or None in cells.values():
            raise BadRequest(f"{manifest} line {number}: wanted {len(names)} fields")
        yield _listed_row(folder, f"{manifest} line {number}", cells)


def _listed_row(folder: Path, where: str, cells: Mapping[str, str]) -> SetRow:
    path = _file_in(folder, where, cells["file"])
    image_id = cells.get("image_id") or _id(PurePosixPath(cells["file"]))
    words = tuple(cells.get("sources", "").split())
    named = _by_itself(path, image_id, beside=not cells.get("label") or words in {(), _UNKNOWN})
    sources = named.sources
    if not words and sources is None and "sources" in cells:
        sources = ()
    elif words == _UNKNOWN and sources is not None:
        sources = tuple(dict.fromkeys((*sources, *_UNKNOWN)))
    elif words and words != _UNKNOWN:
        sources = words
    said = {**cells, "label": cells.get("label") or named.cells.get("label", "")}
    models = tuple(cells.get("models", "").split())
    return replace(named, cells=said, sources=sources, models=models)


def _file_in(folder: Path, where: str, name: str) -> Path:
    if not is_below(name):
        raise BadRequest(f"{where}: file {name!r} is not a path below {folder}")
    for place in (folder / name, folder / "images" / name):
        if os.path.isfile(place):  # noqa: PTH113 (false, not an error, for a name that no file can have)
            return place
    raise BadRequest(f"{where}: there is no file {name!r} in {folder} or its images/")


def images_in(folder: Path) -> Iterator[Path]:
    """The image files anywhere in a folder, in order, but for hidden ones."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file():
            yield path


def _id(path: PurePath) -> str:
    return path.with_suffix("").as_posix()


def _by_itself(path: Path, image_id: str, *, beside: bool = True) -> SetRow:
    """What the JSON file beside an image says, if that counts, else its name: all of it, or nothing."""
    told = path.with_suffix(".json")
    if beside and told.is_file():
        return _told(SetRow(image_id, path, {}, None), told)
    match = _MAPPED.fullmatch(path.stem)
    if match is None:
        return SetRow(image_id, path, {}, None)
    return SetRow(
        image_id=image_id,
        path=path,
        cells={"label": match["disease"]},
        sources=tuple(dict.fromkeys((match["healthy"], match["donor"]))),
        disease=match["disease"],
        canvas=match["healthy"],
        donor=match["donor"],
    )


def _told(row: SetRow, told: Path) -> SetRow:
    """An image of synthetic-derm (`tbuckley/synthetic-derm-1M`), by the JSON file beside it in an unpacked shard.

    Photographs that a fine-tuned network has seen are not listed. Skin stays where the lesion was painted anew.
    """
    try:
        found = json.loads(read_text(told, BadRequest))
        said = [found[key] for key in ("label", "md5hash", "method", "submethod")]
        if not all(isinstance(word, str) for word in said):
            raise TypeError("wanted four texts")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise BadRequest(
            f"{told}: not what synthetic-derm says of an image (label, md5hash, method, submethod): {e!r}; "
            "give the image a row with label and sources, or take the JSON file out of the set"
        ) from None
    label, source, method, part = said
    sources = (source, *_UNKNOWN) if method.startswith("finetune") else (source,)
    canvas = source if part == "inpaint" else ""
    return replace(row, cells={"label": label}, sources=sources, canvas=canvas)
