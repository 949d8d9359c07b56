"""Samples of the finished pipeline, and whether class and tone are those that were asked for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmarks.phantom.models.training.captions import plain_prompt
from benchmarks.phantom.models.training.phantom_classifier import PhantomClassifier
from benchmarks.phantom.models.training.pictures import Pictures, classes
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from PIL import Image

from tonegap.colour import individual_typology_angle, lab_from_srgb
from tonegap.tones import GROUPS, TYPES, tone_group
from tonegap_kit.skin import skin_colour

_BATCH = 16
# Degrees of the typology angle between one colour class and the next (Del Bino and Bernerd 2013).
_BORDERS_DEG = (-30.0, 10.0, 28.0, 41.0, 55.0)


@dataclass(frozen=True, slots=True)
class Asking:
    """How samples are drawn: how many of each class on each type, and the sampler's settings."""

    per_cell: int
    steps: int = 20
    guidance: float = 3.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Shares of pictures, 0 to 1, in which the classifier or the colour found what was asked for.

    `tone_confusion[i][j]`: how many pictures asked for type i have the skin colour of type j.
    """

    n: int
    class_right: float
    group_right: float
    type_right: float
    colour_group_right: float
    colour_type_right: float
    by_class: dict[str, float]
    class_right_by_type: dict[str, float]
    tone_confusion: list[list[int]]


def sample(folder: Path, asking: Asking, conditions: tuple[str, ...]) -> Pictures:
    """Pictures that the stock pipeline draws of every condition on every type."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    cells = [(c, t) for _ in range(asking.per_cell) for c in conditions for t in TYPES]
    images = []
    for start in range(0, len(cells), _BATCH):
        part = cells[start : start + _BATCH]
        numbers = range(start, start + len(part))
        images += pipeline(
            [plain_prompt(condition, tone) for condition, tone in part],
            num_inference_steps=asking.steps,
            guidance_scale=asking.guidance,
            generator=[torch.Generator().manual_seed(asking.seed * 10**6 + i) for i in numbers],
        ).images
    y = np.array([classes().index(condition) for condition, _ in cells])
    t = np.array([TYPES.index(tone) for _, tone in cells])
    return Pictures(np.stack([np.asarray(image) for image in images]), y, t)


def judge(pictures: Pictures, classifier: PhantomClassifier) -> Verdict:
    """What the classifier and the colour of the skin say about pictures of known class and type."""
    opinion = classifier.judge(pictures.images)
    named, tone = opinion.p_class.argmax(axis=1), opinion.p_tone.argmax(axis=1)
    colour = np.array([measured_type(image) for image in pictures.images])
    y, t, right = pictures.y, pictures.t, named == pictures.y
    confusion = np.zeros((len(TYPES), len(TYPES)), int)
    np.add.at(confusion, (t, colour), 1)
    return Verdict(
        n=len(pictures),
        class_right=float(right.mean()),
        group_right=float((_groups(tone) == _groups(t)).mean()),
        type_right=float((tone == t).mean()),
        colour_group_right=float((_groups(colour) == _groups(t)).mean()),
        colour_type_right=float((colour == t).mean()),
        by_class={classifier.classes[k]: float(right[y == k].mean()) for k in np.unique(y)},
        class_right_by_type={TYPES[k]: float(right[t == k].mean()) for k in np.unique(t)},
        tone_confusion=confusion.tolist(),
    )


def measured_type(image: NDArray[np.uint8]) -> int:
    """The type, 0 to 5, whose range holds the typology angle of the picture's skin."""
    colour = skin_colour(np.asarray(lab_from_srgb(image), np.float32))
    angle = float(individual_typology_angle(colour[None].astype(np.float64))[0])
    return len(TYPES) - 1 - sum(angle > border for border in _BORDERS_DEG)


def contact_sheet(pictures: Pictures, per_cell: int) -> Image.Image:
    """A row for each class, `per_cell` pictures of each type I to VI in it, twice as large."""
    rows = []
    for k in np.unique(pictures.y):
        cells = [np.flatnonzero((pictures.y == k) & (pictures.t == t)) for t in range(len(TYPES))]
        shown = np.concatenate([cell[:per_cell] for cell in cells])
        rows.append(np.concatenate(list(pictures.images[shown]), axis=1))
    sheet = np.concatenate(rows)
    size = (sheet.shape[1] * 2, sheet.shape[0] * 2)
    return Image.fromarray(sheet).resize(size, Image.Resampling.NEAREST)


def _groups(types: NDArray[np.int64]) -> NDArray[np.int64]:
    group_of = np.array([GROUPS.index(tone_group(t)) for t in TYPES])
    found: NDArray[np.int64] = group_of[types]
    return found
