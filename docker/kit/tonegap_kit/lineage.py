"""Which real images a learned part was trained on: `model/lineage.json`, left by `fit`, read by `generate`.

A synthetic image descends from the images it was made from and from those that its model was trained on. The mistake
it exists to prevent: a test image that reaches training by way of a fine-tuned model.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError

SCHEMA = "tonegap/lineage@1"
FILE = "lineage.json"
UNKNOWN_SOURCE = "?"  # of an image of which nobody says what it was made from


@dataclass(frozen=True, slots=True)
class Part:
    """A learned part: its name (without blanks), its file below `model/`, and the ids it was trained on."""

    name: str
    file: Path
    sources: tuple[str, ...]


def write_lineage(stage: Stage, parts: Iterable[Part]) -> None:
    """Leaves `model/lineage.json`; a part's file is a path below `/out/model`, or in it.

    Raises StageError for a name that is taken or has blanks, for a file that is not there, and for a part
    without sources.
    """
    model = stage.out / "model"
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        where = f"learned part {part.name!r}"
        if part.name in found or not part.name or part.name.split() != [part.name]:
            raise StageError(f"{where}: wanted a name of its own, without blanks")
        if not part.sources:
            raise StageError(f"{where}: no sources; name every training image it was trained on")
        path = model / part.file
        if not path.is_file() or not path.resolve().is_relative_to(model.resolve()):
            raise StageError(f"{where}: {part.file} is no file below model/")
        found[part.name] = {
            "file": path.relative_to(model).as_posix(),
            "sha256": _sha256(path),
            "sources": sorted(set(part.sources)),
        }
    document = json.dumps({"schema": SCHEMA, "parts": found}, sort_keys=True, indent=1)
    (model / FILE).write_text(document + "\n", encoding="utf-8")


def read_parts(stage: Stage) -> dict[str, Part]:
    """The parts that this method's `fit` left, by name; none where it named none.

    Raises StageError where a part's file is not the one that was trained.
    """
    model = stage.inputs / "model"
    path = model / FILE
    if not path.exists():
        return {}
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))["parts"]
        found = {
            name: (Part(name, model / part["file"], tuple(part["sources"])), part["sha256"])
            for name, part in parts.items()
        }
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as problem:
        raise StageError(f"{path}: not a lineage as `write_lineage` leaves it: {problem}") from None
    for part, sha256 in found.values():
        if not part.file.is_file() or _sha256(part.file) != sha256:
            raise StageError(f"{part.file}: not the file that {FILE} names")
    return {name: part for name, (part, _sha256_of_it) in found.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
