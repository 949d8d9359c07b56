"""A data set or a task of it as Croissant 1.1 (JSON-LD): columns, classes and pinned splits, without any row.

The mistake it exists to prevent: a description that passes on what a licence forbids. Ids, cells and images
stay with their owner; of a split there are sizes and digests.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tonegap import __version__
from tonegap.declared.dataset import Dataset, DatasetFile, MetadataColumn
from tonegap.declared.task import Pin, Task
from tonegap.report.exports.rai import rai_fields
from tonegap.split.pins import pin_sizes

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
    dataset: Dataset, task: Task | None = None, file: MetadataFile | None = None
) -> bytes:
    """The description as JSON; equal declarations give equal bytes.

    Without a `task` it describes the data set alone. `file` is the metadata at hand; without it, the file
    is any of the names that the data set declares. Raises BadRoom for a damaged pin.
    """
    named = dataset.file
    node: Node = {
        "@context": dict(sorted(_CONTEXT.items())),
        "@type": "sc:Dataset",
        "conformsTo": [VERSION, RAI_VERSION],
        "name": named.title if task is None else f"{named.title}: {task.file.title} ({task.id})",
        "description": _about(dataset, task),
        "license": named.licence.strip(),
        "citeAs": named.source.strip(),
        "version": __version__,
        **({"url": named.url} if named.url else {}),
        **({"datePublished": named.published_on} if named.published_on else {}),
        **rai_fields(dataset, task),
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
        scored = ", ".join(task.scored_tones)
        parts.append(f"Tones scored: {scored} (axis {task.tone_axis}).")
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
    columns = _columns(dataset, task)
    fields = [
        _field("images", name, _TEXT, about)
        | {"source": _source(file, column), **_equivalent(name)}
        for name, (column, about) in columns.items()
        if file is None or column in file.headers
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "One record per image, cells as the metadata CSV has them.",
        "key": {"@id": "images/image_id"},
        "field": fields,
    }


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


def _equivalent(name: str) -> Node:
    return {"equivalentProperty": "sc:identifier"} if name == "image_id" else {}


def _source(file: MetadataFile | None, column: str) -> Node:
    if file is None:
        return {"fileSet": {"@id": _METADATA}, "extract": {"column": column}}
    return {"fileObject": {"@id": _METADATA}, "extract": {"column": file.headers[column]}}


def _splits(task: Task) -> list[Node]:
    """Size and digest of each partition of each pin; none where nothing is pinned."""
    rows = [row for key, pin in task.file.pins.items() for row in _split_rows(task, key, pin)]
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
    return [
        {
            "@type": "cr:RecordSet",
            "@id": "splits",
            "name": "splits",
            "dataType": "cr:Split",
            "description": about,
            "key": keys,
            "field": fields,
            "data": rows,
        }
    ]


def _split_rows(task: Task, key: str, pin: Pin) -> list[Node]:
    return [
        {
            "splits/name": part,
            "splits/seed": key,
            "splits/images": n,
            "splits/ids_sha256": getattr(pin, part),
        }
        for part, n in pin_sizes(task, key).items()
    ]


def _classes(task: Task) -> list[Node]:
    """The classes with the labels that are renamed to them; none where a task takes every label."""
    if not task.classes:
        return []
    rename = task.file.labels.rename
    rows = [
        {
            "classes/name": name,
            "classes/positive": name in task.file.labels.positive,
            "classes/labels": ", ".join(
                [old for old, new in rename.items() if new == name] or [name]
            ),
        }
        for name in task.classes
    ]
    fields = [
        _field("classes", "name", _TEXT, "The class."),
        _field("classes", "positive", _BOOLEAN, "Whether it is part of the event of sensitivity."),
        _field("classes", "labels", _TEXT, "Cells of the label column that are this class."),
    ]
    return [
        {
            "@type": "cr:RecordSet",
            "@id": "classes",
            "name": "classes",
            "dataType": "sc:Enumeration",
            "description": "The classes of the task; images of other labels are unused.",
            "key": {"@id": "classes/name"},
            "field": fields,
            "data": rows,
        }
    ]


def _field(of: str, name: str, data_type: str, about: str) -> Node:
    return {
        "@type": "cr:Field",
        "@id": f"{of}/{name}",
        "name": name,
        "description": about,
        "dataType": data_type,
    }
