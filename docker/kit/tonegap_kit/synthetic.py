"""What a method leaves: images as PNG files and `synthetic.csv`, written as they are made.

`synthetic.csv` gets its name only when all images are there, so a stage that stops half-way leaves
nothing that looks like a result.
"""

import csv
import json
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap_kit.command import Stage, progress
from tonegap_kit.errors import StageError
from tonegap_kit.lineage import UNKNOWN_SOURCE, read_parts
from tonegap_kit.shares import PLACES, TABLE

_COLUMNS = ("image_id", "file", "label", "tone", "prompt", "seed", "sources", "models")
LARGEST_PX = 4096  # the longest side that an image may have
_AHEAD = 16  # images that wait to be written beside a GPU's work
_PNG_EFFORT = 3  # zlib level: half the time of PIL's own choice for a few per cent more bytes


@dataclass(frozen=True, slots=True)
class SyntheticImage:
    """One image `uint8 [h, w, 3]` and all that is said of it.

    `sources` are the ids of all training images it was made from; empty only for one made from none.
    `models` names the learned parts it was made with (see `tonegap_kit.lineage`); their own sources need not
    be repeated.
    """

    image_id: str
    image: NDArray[np.uint8]
    label: str
    tone: str | None
    sources: tuple[str, ...]
    prompt: str = ""
    seed: int | None = None
    models: tuple[str, ...] = ()


def write_synthetic(
    stage: Stage, images: Iterable[SyntheticImage], n: int, real_ids: Iterable[str]
) -> None:
    """Writes the images one by one as they come, `n` in all, moving the progress display.

    Of a stage that several GPUs share they are those of `stage.share`. Where a GPU makes them, they are written beside
    its work: it does not wait for the processor. Raises StageError for one that breaks the contract: an unknown label
    or tone, an id used twice or that of a real image, a source that is no training image, a model that `fit` did not
    name.
    """
    real = frozenset(real_ids) | {UNKNOWN_SOURCE}
    parts = read_parts(stage)
    known = _Known(real, frozenset(parts), set())
    unknown = {name for name, part in parts.items() if UNKNOWN_SOURCE in part.sources}
    folder = stage.out / "images"
    folder.mkdir(exist_ok=True)
    aside = stage.out / "synthetic.partial"
    with (
        aside.open("w", encoding="utf-8", newline="") as f,
        _Writing(folder, beside=stage.job.device == "cuda") as writing,
    ):
        table = csv.writer(f, lineterminator="\n")
        table.writerow(_COLUMNS)
        progress(0, n)
        for made_before, image in enumerate(images):
            if unknown.intersection(image.models) and UNKNOWN_SOURCE not in image.sources:
                image = replace(image, sources=(*image.sources, UNKNOWN_SOURCE))
            if stage.share.n > 1 and made_before >= len(stage.share.places):
                raise StageError(
                    "more images than stage.share.take gave; this method cannot be spread over GPUs"
                )
            _check(stage, image, known)
            known.made.add(image.image_id)
            writing.save(image)
            table.writerow(_row(image))
            progress(made_before + 1, n)
    if stage.share.n > 1:
        (stage.out / PLACES).write_text(json.dumps(stage.share.places), encoding="utf-8")
    aside.replace(stage.out / TABLE)


@dataclass(frozen=True, slots=True)
class _Known:
    """Names an image may refer to, and those that are taken."""

    real: frozenset[str]
    parts: frozenset[str]
    made: set[str]


def _check(stage: Stage, image: SyntheticImage, known: _Known) -> None:
    where = f"synthetic image {image.image_id!r}"
    if image.image_id in known.real or image.image_id in known.made:
        raise StageError(f"{where}: the id is used already")
    if not image.image_id or Path(image.image_id).name != image.image_id:
        raise StageError(f"{where}: the id cannot be the name of a file")
    if image.label not in stage.job.classes:
        raise StageError(f"{where}: label {image.label!r} is no class of this task")
    if image.tone is not None and image.tone not in stage.job.tones:
        raise StageError(f"{where}: tone {image.tone!r} is no tone of this task")
    strangers = [source for source in image.sources if source not in known.real]
    if strangers:
        raise StageError(f"{where}: source {strangers[0]!r} is no training image")
    unnamed = [model for model in image.models if model not in known.parts]
    if unnamed:
        raise StageError(f"{where}: model {unnamed[0]!r} is no part of model/lineage.json")
    shape = image.image.shape
    if image.image.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or max(shape) > LARGEST_PX:
        raise StageError(f"{where}: {image.image.dtype} {list(shape)}, wanted uint8 [h, w, 3]")


class _Writing:
    """Writes images in their order, each before the next is made, or `beside` in a thread of its own."""

    def __init__(self, folder: Path, *, beside: bool) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1) if beside else None
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> "_Writing":
        return self

    def save(self, image: SyntheticImage) -> None:
        """Raises OSError for one of the images so far that cannot be written."""
        if self._thread is None:
            _save(self._folder, image)
            return
        self._waiting.append(self._thread.submit(_save, self._folder, image))
        while len(self._waiting) > _AHEAD or (self._waiting and self._waiting[0].done()):
            self._waiting.popleft().result()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._thread is None:
            return
        self._thread.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for one in self._waiting:
                one.result()


def _save(folder: Path, image: SyntheticImage) -> None:
    Image.fromarray(image.image).save(folder / f"{image.image_id}.png", compress_level=_PNG_EFFORT)


def _row(image: SyntheticImage) -> tuple[str, ...]:
    return (
        image.image_id,
        f"{image.image_id}.png",
        image.label,
        image.tone or "",
        image.prompt,
        "" if image.seed is None else str(image.seed),
        " ".join(image.sources),
        " ".join(image.models),
    )
