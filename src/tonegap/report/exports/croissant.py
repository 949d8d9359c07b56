"""Describes a data set or a task of it as Croissant 1.1 (JSON-LD): columns, classes, pinned splits, and no row.

The mistake it exists to prevent: a description that passes on what a licence forbids. Ids, cells and images
stay with their owner; of a split there are sizes and digests.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tonegap import __version__
from tonegap.data.csv_table import read_table
from tonegap.data.metadata import Metadata, column_positions
from tonegap.declared.dataset import Dataset, DatasetFile, MetadataColumn
from tonegap.declared.task import Task
from tonegap.errors import BadRequest
from tonegap.report.exports.responsible_ai import rai_fields
from tonegap.split.pins import check_ids, pin_sizes

VERSION = "http://mlcommons.org/croissant/1.1"
RAI_VERSION = "http://mlcommons.org/croissant/RAI/1.0"
_TEXT, _INTEGER, _BOOLEAN = "sc:Text", "sc:Integer", "sc:Boolean"
_METADATA = "metadata"
# Terms of the vocabulary that the standard's context maps to themselves in the namespace `cr`.
_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject "
    "fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references "
    "regex repeated replace samplingRate separator source subField transform"
)
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS.split()},
}
Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MetadataFile:
    """A metadata CSV at hand: name, SHA-256, and its header for each canonical column that it has."""

    name: str
    sha256: str
    headers: Mapping[str, str]


def croissant(
    dataset: Dataset,
    task: Task | None = None,
    file: MetadataFile | None = None,
    *,
    ran: str = "",
    stand_in: bool = False,
) -> bytes:
    """The description as JSON; equal declarations give equal bytes.

    Without a `task` it describes the data set alone. `file` is the metadata at hand; without it, the file
    is any of the names that the data set declares. `ran` is a sentence on what of the task results are of, and
    `stand_in` whether they are of phantoms in place of its images. Raises BadSuiteFolder for a damaged pin.
    """
    named = dataset.file
    node: Node = {
        "@context": dict(sorted(_CONTEXT.items())),
        "@type": "sc:Dataset",
        "conformsTo": [VERSION, RAI_VERSION],
        "name": named.title if task is None else f"{named.title}: {task.file.title} ({task.id})",
        "description": f"{_about(dataset, task)} {ran}".strip(),
        "license": named.licence.strip(),
        "citeAs": named.source.strip(),
        "version": __version__,
        **({"url": named.url} if named.url else {}),
        **({"datePublished": named.published_on} if named.published_on else {}),
        **rai_fields(dataset, task, stand_in=stand_in),
        "distribution": [_distribution(dataset, file)],
        "recordSet": [
            _images(dataset, task, file),
            *([*_splits(task), *_classes(task)] if task else ()),
        ],
    }
    return (json.dumps(node, indent=1, ensure_ascii=False) + "\n").encode()


def _about(dataset: Dataset, task: Task | None) -> str:
    parts = [] if task is None else [task.file.about.strip()]
    if task is not None:
        parts.append(f"Tones scored: {', '.join(task.scored_tones)} (axis {task.tone_axis}).")
    parts.append(
        f"This description holds no image and no row of {dataset.file.title}. "
        f"How to get a copy: {dataset.file.access.strip()}."
    )
    return " ".join(parts)


def _distribution(dataset: Dataset, file: MetadataFile | None) -> Node:
    about = "The metadata CSV of your own copy."
    common: Node = {"@id": _METADATA, "description": about, "encodingFormat": "text/csv"}
    if file is None:
        # A file object must have a digest; nobody can give that of a copy that is not there.
        names = list(dataset.file.metadata) or [part.dataset for part in dataset.file.joined]
        return {"@type": "cr:FileSet", "name": _METADATA, **common, "includes": names}
    content = {"contentUrl": file.name, "sha256": file.sha256}
    return {"@type": "cr:FileObject", "name": file.name, **common, **content}


def _images(dataset: Dataset, task: Task | None, file: MetadataFile | None) -> Node:
    fields = []
    for name, (column, about) in _columns(dataset, task).items():
        if file is None:
            source = {"fileSet": {"@id": _METADATA}, "extract": {"column": column}}
        elif column in file.headers:
            source = {"fileObject": {"@id": _METADATA}, "extract": {"column": file.headers[column]}}
        else:
            continue
        same = {"equivalentProperty": "sc:identifier"} if name == "image_id" else {}
        fields.append(_field("images", name, _TEXT, about) | {"source": source, **same})
    about = "One record per image, cells as the metadata CSV has them."
    return _record_set("images", about, {"@id": "images/image_id"}, fields)


def _columns(dataset: Dataset, task: Task | None) -> dict[str, tuple[str, str]]:
    """Column and description of each field, by the field's name."""
    named = dataset.file
    label = named.label_column if task is None else task.file.labels.column
    axes = [task.tone_axis] if task else sorted(named.tones)
    found = {
        "image_id": (named.id_column, _also("Unique name of the image.", named, named.id_column)),
        "label": (label, _also("What the image shows.", named, label)),
    }
    for name in axes:
        axis = named.tones[name]
        unknown = ", ".join(repr(cell) for cell in axis.unknown)
        about = "Skin tone: 1 to 6 or I to VI, or a group; an empty cell is unknown"
        about += f", and so is {unknown}." if unknown else "."
        field = "tone" if len(axes) == 1 else name
        found[field] = (axis.column, _also(about, named, axis.column))
    return found


def _also(about: str, named: DatasetFile, column: str) -> str:
    declared = named.columns.get(column, MetadataColumn())
    others = ", ".join(repr(name) for name in declared.names)
    return f"{about} Other releases call the column {others}." if others else about


def _splits(task: Task) -> list[Node]:
    """Size and digest of each partition of each pin; none where nothing is pinned."""
    rows = [
        {"name": part, "seed": key, "images": n, "ids_sha256": getattr(pin, part)}
        for key, pin in task.file.pins.items()
        for part, n in pin_sizes(task, key).items()
    ]
    if not rows:
        return []
    about = (
        "Each partition under each seed of the split (published: no seed moves an image). "
        f"`tonegap split {task.id}` lists the partition of every image of your own copy."
    )
    fields = [
        _field("splits", "name", _TEXT, "train, validation, test or unused."),
        _field("splits", "seed", _TEXT, "The seed that the split is drawn with, or `published`."),
        _field("splits", "images", _INTEGER, "How many images it has."),
        _field("splits", "ids_sha256", _TEXT, "SHA-256 of its sorted image ids, each ended by LF."),
    ]
    keys = [{"@id": "splits/name"}, {"@id": "splits/seed"}]
    return [_record_set("splits", about, keys, fields, "cr:Split", rows)]


def _classes(task: Task) -> list[Node]:
    """The classes with the labels that are renamed to them; none where a task takes every label."""
    renamed: dict[str, list[str]] = {}
    for old, new in task.file.labels.rename.items():
        renamed.setdefault(new, []).append(old)
    rows = [
        {
            "name": name,
            "positive": name in task.file.labels.positive,
            "labels": ", ".join(renamed.get(name, [name])),
        }
        for name in task.classes
    ]
    if not rows:
        return []
    fields = [
        _field("classes", "name", _TEXT, "The class."),
        _field("classes", "positive", _BOOLEAN, "Whether it is part of the event of sensitivity."),
        _field("classes", "labels", _TEXT, "Cells of the label column that are this class."),
    ]
    about = "The classes of the task; images of other labels are unused."
    return [_record_set("classes", about, {"@id": "classes/name"}, fields, "sc:Enumeration", rows)]


def _record_set(
    name: str,
    about: str,
    key: object,
    fields: Sequence[Node],
    data_type: str = "",
    rows: Sequence[Node] = (),
) -> Node:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        **({"dataType": data_type} if data_type else {}),
        "description": about,
        "key": key,
        "field": fields,
        **({"data": [{f"{name}/{n}": v for n, v in row.items()} for row in rows]} if rows else {}),
    }


def _field(of: str, name: str, data_type: str, about: str) -> Node:
    return {
        "@type": "cr:Field",
        "@id": f"{of}/{name}",
        "name": name,
        "description": about,
        "dataType": data_type,
    }


def metadata_file(dataset: Dataset, metadata: Metadata, task: Task | None) -> MetadataFile:
    """A user's own metadata CSV as a description names it.

    Raises BadSplit where a task's pins are of other ids than it has, BadRequest for data sets that are joined.
    """
    if metadata.parts:
        names = " and ".join(part.dataset.id for part in metadata.parts)
        raise BadRequest(
            f"{dataset.id}: has no metadata file of its own; describe {names}, each with its --root"
        )
    if task is not None:
        for key in task.file.pins:
            check_ids(task, metadata, int(key) if task.seeded else task.seeds[0])
    table = read_table(metadata.path, metadata.path.read_bytes())
    headers = {name: table.header[i] for name, i in column_positions(dataset.file, table).items()}
    return MetadataFile(metadata.path.name, metadata.sha256, headers)
