"""The same lesion on skin of another tone: recoloured, from a method's synthetic images, or by a StarGAN.

A baseline that compares the two needs them in step with its training rows.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stargan import change_domain, read_generator
from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, Pictures, has_partition, read_partition
from tonegap_kit.skin import draw_skin_colour, recolour

Rows = NDArray[np.int64]
Images = NDArray[np.uint8]
# From training rows to those of them that have a counterpart (their places) and the counterparts.
ToneTransfer = Callable[[Rows], tuple[Rows, Images]]


def tone_transfer_named(stage: Stage, train: Partition, device: torch.device) -> ToneTransfer:
    """What the job's parameter `transformer` names, for these training rows."""
    name, rng = stage.job.text("transformer"), stage.rng("transformer")
    if name == "recolour":
        return _recoloured(stage, train.pictures, rng)
    if name == "synthetic":
        return _drawn_pairs(read_pairs(stage, train), rng)
    if name == "stargan":
        return _by_generator(stage, train.pictures, rng, device)
    raise StageError(f"transformer is {name!r}, wanted recolour, synthetic or stargan")


def _recoloured(stage: Stage, pictures: Pictures, rng: np.random.Generator) -> ToneTransfer:
    tones, contrast = stage.job.tones, stage.job.real("contrast")

    def retone(rows: Rows) -> tuple[Rows, Images]:
        drawn = [tones[i] for i in rng.integers(len(tones), size=len(rows))]
        images = pictures.take(rows)
        pairs = zip(images, drawn, strict=True)
        made = [recolour(image, draw_skin_colour(rng, tone), contrast) for image, tone in pairs]
        having = [i for i, image in enumerate(made) if image is not None]
        chosen = [image for image in made if image is not None]
        return np.array(having, np.int64), np.stack(chosen) if chosen else images[:0]

    return retone


@dataclass(frozen=True, slots=True)
class Pairs:
    """Synthetic images, and for each training row the rows of those that were made from it alone."""

    synthetic: Pictures
    of_row: tuple[Rows, ...]


def read_pairs(stage: Stage, train: Partition) -> Pairs:
    """The pairs of a stage. Raises StageError where no synthetic image has a single training image as its source."""
    where = stage.inputs / "synthetic.csv"
    if not has_partition(stage, "synthetic"):
        raise StageError(
            f"{where}: absent, so no training image has a synthetic one of another tone"
        )
    places = {image_id: row for row, image_id in enumerate(train.ids)}
    found: list[list[int]] = [[] for _ in train.ids]
    for row, sources in enumerate(_read_sources(where)):
        if len(sources) == 1 and sources[0] in places:
            found[places[sources[0]]].append(row)
    if not any(found):
        raise StageError(
            f"{where}: no image was made from one training image alone, so there are no pairs to compare"
        )
    rows = tuple(np.array(of_one, dtype=np.int64) for of_one in found)
    return Pairs(read_partition(stage, "synthetic").pictures, rows)


def _read_sources(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    if rows and "sources" not in rows[0]:
        raise StageError(
            f"{path}: no column sources, so it cannot be told what an image was made from"
        )
    return [row["sources"].split() for row in rows]


def _drawn_pairs(pairs: Pairs, rng: np.random.Generator) -> ToneTransfer:
    def retone(rows: Rows) -> tuple[Rows, Images]:
        having = np.array(
            [i for i, row in enumerate(rows) if len(pairs.of_row[row])], dtype=np.int64
        )
        drawn = np.array([rng.choice(pairs.of_row[rows[i]]) for i in having], dtype=np.int64)
        return having, pairs.synthetic.take(drawn)

    return retone


def _by_generator(
    stage: Stage, pictures: Pictures, rng: np.random.Generator, device: torch.device
) -> ToneTransfer:
    path = stage.file("generator")
    if path is None:
        raise StageError(
            "transformer is 'stargan', but generator is 'none', wanted PATH#sha256=HEX"
        )
    n_tones = len(stage.job.tones)
    generator = read_generator(path, n_tones).to(device)

    def retone(rows: Rows) -> tuple[Rows, Images]:
        drawn = torch.from_numpy(rng.integers(n_tones, size=len(rows)))
        images = torch.from_numpy(pictures.take(rows)).to(device)
        return np.arange(len(rows)), change_domain(
            generator, images, drawn.to(device)
        ).cpu().numpy()

    return retone
