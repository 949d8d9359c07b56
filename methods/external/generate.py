"""A synthetic set made elsewhere, handed over row by row as it is described."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from described import Columns, Row, label_meant, read_set
from pictures import read_picture
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.image_names import ids_by_name
from tonegap_kit.lineage import UNKNOWN_SOURCE
from tonegap_kit.partition import read_partition
from tonegap_kit.predictions import write_notes
from tonegap_kit.synthetic import SyntheticImage, write_synthetic


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
    rows, without_row = read_set(folder, _columns(stage))
    if without_row:
        left["images left out: no row in the CSV file that `manifest` names"] = without_row
    images = list(_usable(stage, rows, real, used, left))
    # Sources that are kept all the same are for the engine to judge, which knows what they are.
    named = frozenset(real).union(*(image.sources for image, _row in images))
    write_synthetic(stage, (_with_pixels(image, row) for image, row in images), len(images), named)
    write_notes(stage.out, {**used, "skipped": left})


def _columns(stage: Stage) -> Columns:
    names = ("manifest", "file_column", "label_column", "tone_column", "sources_column")
    return Columns(*(stage.job.text(name) for name in names))


def _usable(
    stage: Stage,
    rows: list[Row],
    real: Mapping[str, str | None],
    used: Counter[str],
    left: Counter[str],
) -> Iterator[tuple[SyntheticImage, Row]]:
    """The rows that this task can use, without their pixels; `left` counts the others by reason."""
    labels, tones = _pairs(stage, "labels"), _pairs(stage, "tones")
    drops, ids = stage.job.text("outside_sources") == "drop", ids_by_name(real)
    for number, row in enumerate(rows):
        theirs = label_meant(row.label, labels)
        label = label_meant(row.label if theirs is None else labels[theirs], stage.job.classes)
        tone: str | None = tones.get(row.tone, row.tone)
        if row.canvas and not row.tone:
            tone = real.get(ids.get(row.canvas, ""))
        sources = None if row.sources is None else tuple(ids.get(s, s) for s in row.sources)
        if label is None:
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


def _with_pixels(image: SyntheticImage, row: Row) -> SyntheticImage:
    return replace(image, image=read_picture(row.path))


if __name__ == "__main__":
    main(generate=generate)
