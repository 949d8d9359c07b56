"""What a set made elsewhere says of its images: in a CSV file, in JSON files beside them, or by their names.

The rule is that of the engine's `synthetic/external_set.py`, by which `tonegap audit` and `tonegap quality` read a set,
and which a stage cannot import; tests have both read the same sets. The mistake it exists to prevent: an image that the
audit refuses and training sees.
"""

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath

from tonegap_kit.errors import StageError
from tonegap_kit.image_names import SUFFIXES
from tonegap_kit.lineage import FILE as LINEAGE
from tonegap_kit.lineage import SCHEMA, UNKNOWN_SOURCE

MANIFESTS = ("synthetic.csv", "manifest.csv", "metadata.csv")
# The released names of cgDDI's mapped images, after its notebook `lession_mapping.ipynb`.
_MAPPED = re.compile(r"(?P<healthy>.+)_with_(?P<disease>.+)_from_[^_]+_(?P<donor>.+)")
_MAX_FIELD = 1 << 24  # a row may name every training image as its source
_UNKNOWN = (UNKNOWN_SOURCE,)


@dataclass(frozen=True, slots=True)
class Columns:
    """The manifest's file name (empty: the one that is there) and what its columns are called."""

    manifest: str
    file: str
    label: str
    tone: str
    sources: str


@dataclass(frozen=True, slots=True)
class Row:
    """One image of the set as it is described; `sources` is None where nobody says.

    `models` names the learned parts behind it. `canvas` names the real image whose skin it shows: its tone is that
    image's where no other is said.
    """

    name: str
    path: Path
    label: str = ""
    tone: str = ""
    sources: tuple[str, ...] | None = None
    models: tuple[str, ...] = ()
    prompt: str = ""
    canvas: str = ""


def read_set(folder: Path, columns: Columns) -> tuple[list[Row], int]:
    """The images in a folder, hidden ones apart, and how many of them a CSV file named by the user leaves out.

    First come those with a row in the CSV file. Where that was not named but found, the others are read by themselves.
    Raises StageError for a folder without images, a manifest, a lineage or a file beside an image that is none, a row
    whose file is not below the folder or whose learned parts are not told of, and two rows of one image or name.
    """
    manifest = _manifest_in(folder, columns.manifest)
    listed = list(_listed(folder, manifest, columns)) if manifest else []
    files = {row.path for row in listed}
    others = [path for path in _images(folder) if path not in files]
    read = [] if columns.manifest else others
    rows = [*listed, *(_by_itself(path, _name(path.relative_to(folder))) for path in read)]
    if not rows:
        raise StageError("the set has no images; wanted a folder of image files, or a CSV file")
    twice = [name for name, n in Counter(row.name for row in rows).items() if n > 1]
    twice += [path.name for path, n in Counter(row.path for row in listed).items() if n > 1]
    if twice:
        raise StageError(f"the set: two images are called {twice[0]!r}; wanted one each")
    return _with_parts(folder, rows), len(others) - len(read)


def _with_parts(folder: Path, rows: list[Row]) -> list[Row]:
    """The rows, whose sources are also those of the learned parts that they name, from `model/lineage.json`."""
    file = folder / "model" / LINEAGE
    parts: dict[str, tuple[str, ...]] = {}
    try:
        if file.is_file():
            told = json.loads(file.read_bytes())
            if told["schema"] != SCHEMA:
                raise ValueError(f"schema {told['schema']!r}")
            parts = {name: tuple(map(str, part["sources"])) for name, part in told["parts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise StageError(f"model/{LINEAGE}: not a lineage: {problem!r}") from None
    return [_descended(row, parts) if row.models else row for row in rows]


def _descended(row: Row, parts: Mapping[str, tuple[str, ...]]) -> Row:
    strangers = [model for model in row.models if model not in parts]
    if strangers:
        raise StageError(f"the set: {row.name}: no part {strangers[0]!r} in model/{LINEAGE}")
    own = _UNKNOWN if row.sources is None else row.sources
    behind = (source for model in row.models for source in parts[model])
    return replace(row, sources=tuple(dict.fromkeys((*own, *behind))))


def label_meant(label: str, labels: Iterable[str]) -> str | None:
    """The one of `labels` that has the same letters and digits; of several the very same; None for none."""
    alike = [known for known in labels if _letters(known) == _letters(label)]
    if len(alike) == 1 and _letters(label):
        return alike[0]
    return label if label in alike else None


@lru_cache(4096)
def _letters(label: str) -> str:
    """A label without case, and with a blank for whatever is between its words."""
    return " ".join(re.split(r"[\W_]+", label.casefold())).strip()


def _manifest_in(folder: Path, name: str) -> Path | None:
    if name:
        if not _is_below(name) or not (folder / name).is_file():
            raise StageError(f"parameter manifest: there is no file {name!r} in the set")
        return folder / name
    tables = sorted(folder.glob("*.csv"))
    for known in MANIFESTS:
        if folder / known in tables:
            return folder / known
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables[:3])
        raise StageError(f"the set: which of {names} describes it? Name it as `manifest`")
    return tables[0] if tables else None


def _images(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file():
            yield path


def _listed(folder: Path, manifest: Path, columns: Columns) -> Iterator[Row]:
    """The rows of a CSV file; paths are relative to the folder, or to its `images/`."""
    names, rows = _table(manifest)
    given = {"label": columns.label, "tone": columns.tone, "sources": columns.sources}
    # A name other than the usual was given: its column has to be there.
    wanted = (columns.file, *(name for usual, name in given.items() if name != usual))
    for name in wanted:
        if name not in names:
            found = ", ".join(names) or "none"
            raise StageError(
                f"{manifest.name}: no column `{name}`; found {found}; wanted {columns.file} and, where they are "
                f"known, {columns.label}, {columns.tone} and {columns.sources}, with commas between them"
            )
    for number, cells in enumerate(rows, start=2):
        where = f"{manifest.name} line {number}"
        if None in cells or None in cells.values():
            raise StageError(f"{where}: wanted {len(names)} fields")
        yield _row(_file_in(folder, where, cells[columns.file]), cells, columns)


def _table(manifest: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    before = csv.field_size_limit(_MAX_FIELD)
    try:
        text = manifest.read_bytes().decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if "\0" in text:
            raise StageError(f"{manifest.name}: holds NUL; save it with UTF-8 encoding")
        return reader.fieldnames or (), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise StageError(f"{manifest.name}: cannot be read as UTF-8 CSV: {problem}") from None
    finally:
        csv.field_size_limit(before)


def _row(path: Path, cells: Mapping[str, str], columns: Columns) -> Row:
    """What a row says; where it has no word for something, the image itself."""
    name = cells.get("image_id") or _name(PurePosixPath(cells[columns.file]))
    label, sources = cells.get(columns.label), tuple(cells.get(columns.sources, "").split())
    by_itself = _by_itself(path, name, beside=not label or sources in {(), _UNKNOWN})
    known = by_itself.sources
    if not sources and known is None and columns.sources in cells:
        known = ()
    elif sources == _UNKNOWN and known is not None:
        known = tuple(dict.fromkeys((*known, *_UNKNOWN)))
    elif sources and sources != _UNKNOWN:
        known = sources
    return replace(
        by_itself,
        label=label or by_itself.label,
        tone=cells.get(columns.tone, ""),
        sources=known,
        models=tuple(cells.get("models", "").split()),
        prompt=cells.get("prompt", ""),
    )


def _file_in(folder: Path, where: str, name: str) -> Path:
    if not _is_below(name):
        raise StageError(f"{where}: file {name!r} is not a path below the set's folder")
    for place in (folder / name, folder / "images" / name):
        if os.path.isfile(place):  # noqa: PTH113 (false, not an error, for a name that no file can have)
            return place
    raise StageError(f"{where}: there is no file {name!r} in the set or its images/")


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and ".." not in path.parts and not path.is_absolute()


def _name(path: PurePath) -> str:
    return path.with_suffix("").as_posix()


def _by_itself(path: Path, name: str, *, beside: bool = True) -> Row:
    """What the JSON file beside an image says, if that counts, else its name: all of it, or nothing."""
    told = path.with_suffix(".json")
    if beside and told.is_file():
        return _told(path, name, told)
    match = _MAPPED.fullmatch(path.stem)
    if match is None:
        return Row(name, path)
    sources = tuple(dict.fromkeys((match["healthy"], match["donor"])))
    # The tone in the name is the donor's, whose lesion it is; the skin is that of the healthy image.
    return Row(name, path, match["disease"], sources=sources, canvas=match["healthy"])


def _told(path: Path, name: str, told: Path) -> Row:
    """An image of synthetic-derm, with the JSON file that lies beside it in an unpacked shard.

    `md5hash` is the photograph that it was made for. A fine-tuned network descends from all photographs of the
    condition, which the release does not list: from the unknown as well. Skin stays where the lesion was painted anew.
    """
    try:
        found = json.loads(told.read_bytes())
        said = [found[key] for key in ("label", "md5hash", "method", "submethod")]
        if not all(isinstance(word, str) for word in said):
            raise TypeError("wanted four texts")
        label, source, method, part = said
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise StageError(
            f"{told.name}: not what synthetic-derm says of an image (label, md5hash, method, submethod): {problem!r}"
        ) from None
    trained = _UNKNOWN if method.startswith("finetune") else ()
    canvas = source if part == "inpaint" else ""
    return Row(name, path, label, sources=(source, *trained), canvas=canvas)
