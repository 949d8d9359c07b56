"""A synthetic set made elsewhere, handed over row by row as it is described."""

import csv
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pictures import SUFFIXES, read_picture
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.lineage import UNKNOWN_SOURCE
from tonegap_kit.partition import read_partition
from tonegap_kit.predictions import write_notes
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

# The released names of cgDDI's mapped images, after its notebook `lession_mapping.ipynb`.
NAME = re.compile(r"(?P<healthy>.+)_with_(?P<disease>.+)_from_(?P<tone>[^_]+)_(?P<donor>.+)")


@dataclass(frozen=True)
class Row:
    """One image of the set as it is described; `sources` is None where nobody says.

    `canvas` names the real image whose skin it shows: its tone is that image's.
    """

    path: Path
    label: str
    tone: str
    sources: tuple[str, ...] | None
    prompt: str = ""
    canvas: str = ""


def generate(stage: Stage) -> None:
    """Leaves the images of the set that this task can use, and counts the others, by reason, as skipped."""
    folder = stage.folder("set")
    if folder is None:
        raise StageError(
            "parameter set is none: give the folder, as `tonegap digest DIR` prints it"
        )
    train = read_partition(stage, "train")
    tones = (*stage.job.tones, None)  # the last is the unknown tone's, whose index is -1
    real = {image_id: tones[t] for image_id, t in zip(train.ids, train.t, strict=True)}
    used: Counter[str] = Counter()
    left: Counter[str] = Counter()
    images = list(_usable(stage, _rows(stage, folder), real, used, left))
    # Sources that are kept all the same are for the engine to judge, which knows what they are.
    named = frozenset(real).union(*(image.sources for image, _row in images))
    write_synthetic(stage, (_with_pixels(image, row) for image, row in images), len(images), named)
    write_notes(stage.out, {**used, "skipped": left})


def _rows(stage: Stage, folder: Path) -> list[Row]:
    manifest = folder / stage.job.text("manifest")
    if stage.job.text("manifest") and manifest.is_file():
        try:
            with manifest.open(encoding="utf-8-sig", newline="") as f:
                return [_row(stage, folder, cells) for cells in csv.DictReader(f)]
        except (OSError, UnicodeDecodeError, csv.Error) as problem:
            raise StageError(f"{manifest.name}: cannot be read as UTF-8 CSV: {problem}") from None
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    return [_named(path) for path in found if path.is_file()]


def _row(stage: Stage, folder: Path, cells: Mapping[str, str]) -> Row:
    name = cells.get(stage.job.text("file_column")) or ""
    places = (folder / name, folder / "images" / name)
    path = next((place for place in places if name and place.is_file()), None)
    if path is None:
        raise StageError(f"the set's manifest names the file {name!r}, which is not in the folder")
    sources = cells.get(stage.job.text("sources_column"))
    words = None if sources is None else tuple(sources.split())
    return Row(
        path=path,
        label=cells.get(stage.job.text("label_column")) or "",
        tone=cells.get(stage.job.text("tone_column")) or "",
        sources=None if words == (UNKNOWN_SOURCE,) else words,
        prompt=cells.get("prompt") or "",
    )


def _named(path: Path) -> Row:
    told = path.with_suffix(".json")
    if told.is_file():
        return _told(path, told)
    match = NAME.fullmatch(path.stem)
    if match is None:
        return Row(path, "", "", None)
    sources = tuple(dict.fromkeys((match["healthy"], match["donor"])))
    # The tone in the name is the donor's, whose lesion it is; the skin is that of the healthy image.
    return Row(path, match["disease"].replace("_", " "), "", sources, canvas=match["healthy"])


def _told(path: Path, told: Path) -> Row:
    """An image of synthetic-derm, with the JSON file that lies beside it in an unpacked shard.

    `md5hash` is the photograph that it was made for. A fine-tuned network descends from all photographs of the
    condition, which the release does not list: from the unknown as well. Skin stays where the lesion was painted anew.
    """
    try:
        found = json.loads(told.read_bytes())
        label, source = str(found["label"]), str(found["md5hash"])
        method, part = str(found["method"]), str(found["submethod"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise StageError(
            f"{told.name}: not what synthetic-derm says of an image (label, md5hash, method, submethod): {problem!r}"
        ) from None
    trained = (UNKNOWN_SOURCE,) if method.startswith("finetune") else ()
    canvas = source if part == "inpaint" else ""
    return Row(path, label.replace("-", " "), "", (source, *trained), canvas=canvas)


def _usable(
    stage: Stage,
    rows: list[Row],
    real: Mapping[str, str | None],
    used: Counter[str],
    left: Counter[str],
) -> Iterator[tuple[SyntheticImage, Row]]:
    """The rows that this task can use, without their pixels; `left` counts the others by reason."""
    labels, tones = _pairs(stage, "labels"), _pairs(stage, "tones")
    drops = stage.job.text("outside_sources") == "drop"
    for number, row in enumerate(rows):
        label, tone = labels.get(row.label, row.label), tones.get(row.tone, row.tone)
        if row.canvas:
            tone = real.get(_real_id(row.canvas, real)) or ""
        sources = None if row.sources is None else tuple(_real_id(s, real) for s in row.sources)
        if label not in stage.job.classes:
            left["rows left out: label is no class of the task"] += 1
        elif drops and not real.keys() >= set(sources or ()) - {UNKNOWN_SOURCE}:
            left["rows left out: a source is no training image shown to methods"] += 1
        else:
            used["used"] += 1
            used["used, sources unknown"] += sources is None or UNKNOWN_SOURCE in sources
            yield (
                SyntheticImage(
                    image_id=f"external-{number}",
                    image=np.empty((1, 1, 3), np.uint8),
                    label=label,
                    tone=tone if tone in stage.job.tones else None,
                    sources=(UNKNOWN_SOURCE,) if sources is None else sources,
                    prompt=row.prompt,
                ),
                row,
            )


def _pairs(stage: Stage, parameter: str) -> dict[str, str]:
    pairs = {}
    for word in stage.job.words(parameter):
        theirs, equals, ours = word.partition("=")
        if not equals:
            raise StageError(f"parameter {parameter}: found {word!r}, wanted THEIRS=OURS")
        pairs[theirs] = ours
    return pairs


def _real_id(name: str, real: Collection[str]) -> str:
    """The id of the real image: sets often drop the suffix that is part of it."""
    return next((i for i in (name, f"{name}.png", f"{name}.jpg") if i in real), name)


def _with_pixels(image: SyntheticImage, row: Row) -> SyntheticImage:
    return replace(image, image=read_picture(row.path))


if __name__ == "__main__":
    main(generate=generate)
