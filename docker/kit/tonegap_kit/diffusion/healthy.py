"""Healthy skin from photographs of lesions: the masked lesion is painted over by a diffusion model.

The step that lesion mapping and semantic sampling start from (Carrión and Norouzi, cgDDI, arXiv
2607.12987). A painted image keeps its source's skin, tone and everything outside the mask to the pixel.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage
from tonegap_kit.diffusion.ahead import check_steps
from tonegap_kit.diffusion.fitting import HEALTHY
from tonegap_kit.diffusion.inpainting import Torn, inpaint
from tonegap_kit.diffusion.models import Models, resized
from tonegap_kit.diffusion.sampling import SamplingRecipe
from tonegap_kit.diffusion.text2img_plan import toned
from tonegap_kit.errors import StageError
from tonegap_kit.masks import blurred, can_be_healed, lesion_holes
from tonegap_kit.partition import Partition

_IMAGES, _ROWS = "healthy.npy", "healthy-rows.npy"


@dataclass(frozen=True, slots=True)
class Healthy:
    """Healthy images `uint8 [h, size, size, 3]`, each painted from the training image of its row."""

    rows: NDArray[np.int64]
    images: NDArray[np.uint8]

    def take(self, places: Sequence[int]) -> "Healthy":
        """Those at these places."""
        return Healthy(self.rows[list(places)], self.images[list(places)])


@dataclass(frozen=True, slots=True)
class HealthyRecipe:
    """How lesions are painted over; `edge_sigma_px` is how soft the paint's edge is."""

    sampling: SamplingRecipe
    prompt: str
    negative_prompt: str
    edge_sigma_px: float


def read_healthy_recipe(stage: Stage) -> HealthyRecipe:
    """The recipe that the parameters `healthy_*` and `sampling_batch` spell. Raises StageError for too many steps."""
    job = stage.job
    check_steps(stage, "healthy_steps", "pipeline" if stage.folder(HEALTHY) is None else HEALTHY)
    sampling = SamplingRecipe(
        steps=job.integer("healthy_steps"),
        strength=job.real("healthy_strength"),
        guidance=job.real("healthy_guidance"),
        batch=job.integer("sampling_batch"),
    )
    return HealthyRecipe(
        sampling,
        job.text("healthy_prompt"),
        job.text("healthy_negative_prompt"),
        job.real("healthy_edge_sigma_px"),
    )


def paint_all(
    stage: Stage, models: Models, train: Partition, masks: NDArray[np.uint8], of_tone: int
) -> Healthy:
    """Healthy images of every training image that has a lesion and a known tone, or `of_tone` of each tone.

    0 takes all; else they are drawn at random. Raises StageError if there are none.
    """
    rows, holes = healthy_rows(stage, train, masks, of_tone)
    painted = paint_healthy(stage, models, train, holes, [int(row) for row in rows])
    return Healthy(rows, np.stack(list(painted)))


def healthy_rows(
    stage: Stage, train: Partition, masks: NDArray[np.uint8], of_tone: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The training rows that `paint_all` paints, and the holes [n, h, w] of all.

    Raises StageError if there are none, or for parameters that painting would refuse.
    """
    dilation = stage.job.integer("healthy_dilation_px")
    check_painting(stage, train, np.empty(0, np.int64))
    if of_tone < 0:
        raise StageError(
            f"{of_tone} healthy images of a tone are wanted; wanted a number of 0 or more"
        )
    holes = lesion_holes(masks, dilation)
    able, rng = can_be_healed(masks, holes), stage.rng("healthy")
    by_tone = [rng.permutation(able[train.t[able] == t]) for t in range(len(stage.job.tones))]
    rows = np.sort(np.concatenate([own[: of_tone or len(own)] for own in by_tone]))
    if len(rows) == 0:
        raise StageError("no training image of a known tone has both a lesion and skin in its mask")
    check_painting(stage, train, rows)
    return rows, holes


def check_painting(stage: Stage, train: Partition, rows: NDArray[np.int64]) -> None:
    """Raises StageError for parameters with which the training images of these rows could not be painted."""
    dilation, recipe = stage.job.integer("healthy_dilation_px"), read_healthy_recipe(stage)
    if dilation < 0 or recipe.edge_sigma_px < 0:
        raise StageError(
            f"healthy_dilation_px is {dilation} and healthy_edge_sigma_px is {recipe.edge_sigma_px}, wanted numbers "
            "of 0 or more"
        )
    for t in np.unique(train.t[rows]):
        healthy_prompt(stage, recipe, int(t))


def save_healthy(folder: Path, healthy: Healthy) -> None:
    """Leaves healthy images in a folder for a later stage."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / _IMAGES, healthy.images)
    np.save(folder / _ROWS, healthy.rows)


def read_healthy(folder: Path) -> Healthy:
    """The healthy images that `save_healthy` left."""
    arrays = [np.load(folder / name, allow_pickle=False) for name in (_ROWS, _IMAGES)]
    return Healthy(*arrays)


def paint_healthy(
    stage: Stage, models: Models, train: Partition, holes: NDArray[np.bool_], rows: Sequence[int]
) -> Iterator[NDArray[np.uint8]]:
    """The training images of `rows` without their lesions, at their own size; holes [n, h, w] of all rows.

    Each has a seed of its own by its id, so that it is the same whatever else is painted.
    """
    recipe = read_healthy_recipe(stage)
    size = recipe.sampling.batch
    for start in range(0, len(rows), size):
        at = np.asarray(rows[start : start + size], np.int64)
        torn = Torn(train.pictures.take(at), holes[at])
        seeds = [stage.seed_of(f"healthy {train.ids[row]}") for row in at]
        prompts = [healthy_prompt(stage, recipe, int(train.t[row])) for row in at]
        painted = inpaint(models, torn, prompts, seeds, recipe.sampling, recipe.negative_prompt)
        for image, hole, paint in zip(torn.images, torn.holes, painted, strict=True):
            yield _laid_over(image, resized(paint, image.shape[0]), hole, recipe.edge_sigma_px)


def healthy_prompt(stage: Stage, recipe: HealthyRecipe, t: int) -> str:
    """What is asked for on skin of tone index t, which the prompt may name as `{tone}` or `{group}`."""
    return toned(recipe.prompt, stage.job.tones[t] if t >= 0 else "", "healthy_prompt")


def _laid_over(
    image: NDArray[np.uint8], paint: NDArray[np.uint8], hole: NDArray[np.bool_], sigma: float
) -> NDArray[np.uint8]:
    """The paint inside the hole and over its soft edge, the image elsewhere."""
    share = np.maximum(blurred(hole, sigma), hole)[..., None]
    mixed = share * paint + (1 - share) * image
    return np.asarray(np.clip(np.round(mixed), 0, 255), np.uint8)
