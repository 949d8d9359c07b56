"""Rectified flows (pipelines of Stable Diffusion 3 and Flux) for methods that only ask and learn nothing.

Their networks, text encoders and noise differ from Stable Diffusion's, so the diffusers library samples them itself.
The mistake it exists to prevent: a parameter that such a pipeline passes over in silence, though a record claims it.

Source: Esser et al. 2024, arXiv 2403.03206 (Stable Diffusion 3); its sampler is Euler's, the folder's own.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tonegap_kit.command import Stage
from tonegap_kit.determinism import device_of
from tonegap_kit.diffusion.fitting import open_pipeline
from tonegap_kit.diffusion.lora import merged_lora
from tonegap_kit.diffusion.models import (
    FLOWS,
    Models,
    accelerate_parts,
    be_quiet,
    check_acceleration,
    dtype_of,
    encode_images,
    kind_of,
)
from tonegap_kit.diffusion.parts import RAISED, check_file, said
from tonegap_kit.diffusion.sampling import SamplingRecipe, img2img, text2img
from tonegap_kit.errors import StageError

_SPARED = ("text_encoder_3", "tokenizer_3")
_STEP_PX = 16  # a cell of the latents is 8 px, a token of the network 2 cells


@dataclass(frozen=True, slots=True)
class FlowModels:
    """A rectified-flow pipeline that draws images of `side_px`: by text alone, and from an image."""

    from_text: Any
    from_image: Any
    side_px: int


def check_sampled(stage: Stage) -> None:
    """Raises StageError for what `open_sampled` refuses of parameters, before anything is read."""
    check_acceleration(stage.job.words("acceleration"))
    folder = stage.folder("pipeline")
    if folder is None or kind_of(folder) not in FLOWS:
        return
    job, kind = stage.job, kind_of(folder)
    given = [name for name in ("words", "lora") if job.parameters.get(name, "none") != "none"]
    if job.text("sampler") != "folder" or given:
        raise StageError(
            f"pipeline: {folder.name} is a rectified flow ({kind}), which is sampled as its folder says and takes no "
            f"words or LoRA of Stable Diffusion: set sampler to folder{''.join(f', {name} to none' for name in given)}"
        )
    if job.size_px % _STEP_PX:
        raise StageError(
            f"image_size_px is {job.size_px}, wanted a multiple of {_STEP_PX} for a rectified flow ({kind})"
        )


def open_sampled(stage: Stage) -> Models | FlowModels:
    """The pipeline that `pipeline` names, of Stable Diffusion or a rectified flow, for sampling as it is.

    Raises StageError for a flow where a parameter asks for what it does not have: another sampler than the folder's,
    words, a LoRA, or a side that is no multiple of 16 px.
    """
    check_sampled(stage)
    folder = stage.folder("pipeline")
    if folder is None or kind_of(folder) not in FLOWS:
        return open_pipeline(stage)
    job, kind = stage.job, kind_of(folder)
    device = device_of(job.device)
    models = _opened(folder, kind, dtype_of(job.text("precision"), device), job.size_px)
    models.from_text.to(device)
    parts = models.from_text.transformer, models.from_text.vae
    accelerate_parts(*parts, job.words("acceleration"))
    if job.flag("save_memory"):
        models.from_text.vae.enable_slicing()
        models.from_text.vae.enable_tiling()
    return models


def _opened(folder: Path, kind: str, dtype: torch.dtype, side_px: int) -> FlowModels:
    be_quiet()
    by_text, by_image = (getattr(diffusers, name) for name in FLOWS[kind])
    try:
        index = json.loads((folder / "model_index.json").read_bytes())
        for file in sorted(path for part in index for path in folder.glob(f"{part}/*.safetensors")):
            check_file(file)
        # Left out to spare memory: the library wants to be told so. A folder that names a part must have it.
        spared = [name for name in _SPARED if index.get(name) in (None, [None, None])]
        spared = [name for name in spared if name in inspect.signature(by_text.__init__).parameters]
        pipeline = by_text.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            **dict.fromkeys(spared),
        )
    except RAISED as problem:
        raise StageError(
            f"{folder}: cannot be read as a {kind} of safetensors files: {said(problem)}"
        ) from None
    pipeline.set_progress_bar_config(disable=True)
    other = by_image(**pipeline.components)
    other.set_progress_bar_config(disable=True)
    return FlowModels(pipeline, other, side_px)


def images_from_text(
    models: Models | FlowModels,
    prompts: Sequence[str],
    seeds: Sequence[int],
    recipe: SamplingRecipe,
) -> Iterator[NDArray[np.uint8]]:
    """An image `uint8 [px, px, 3]` for each prompt and seed, in their order, whichever pipeline draws it."""
    if isinstance(models, Models):
        return text2img(models, prompts, seeds, recipe)
    draw = models.from_text
    return _in_batches(models, draw, prompts, seeds, recipe, lambda _at: {})


def images_from_images(
    models: Models | FlowModels,
    pictures: NDArray[np.uint8],
    rows: Sequence[int],
    prompts: Sequence[str],
    seeds: Sequence[int],
    recipe: SamplingRecipe,
) -> Iterator[NDArray[np.uint8]]:
    """An image for each prompt and seed, image i made from picture `rows[i]` of `uint8 [n, h, w, 3]`."""
    if isinstance(models, Models):
        return img2img(models, encode_images(models, pictures), rows, prompts, seeds, recipe)

    def given(at: slice) -> dict[str, Any]:
        sources = [Image.fromarray(pictures[row]) for row in rows[at]]
        return {"image": sources, "strength": recipe.strength}

    return _in_batches(models, models.from_image, prompts, seeds, recipe, given)


def with_lora(models: Models | FlowModels, lora: Path | None) -> AbstractContextManager[None]:
    """Has a LoRA merged into a Stable Diffusion network; a flow has none."""
    return merged_lora(models, lora) if isinstance(models, Models) else nullcontext()


def _in_batches(
    models: FlowModels,
    draw: Any,
    prompts: Sequence[str],
    seeds: Sequence[int],
    recipe: SamplingRecipe,
    given: Callable[[slice], dict[str, Any]],
) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(prompts), recipe.batch):
        at = slice(start, min(start + recipe.batch, len(prompts)))
        with torch.inference_mode():
            made = draw(
                prompt=list(prompts[at]),
                height=models.side_px,
                width=models.side_px,
                num_inference_steps=recipe.steps,
                guidance_scale=recipe.guidance,
                # Each image's noise from a generator of its own: it does not depend on its neighbours.
                generator=[torch.Generator().manual_seed(seed) for seed in seeds[at]],
                output_type="np",
                **given(at),
            ).images
        if not np.isfinite(made).all():
            raise StageError(
                "sampling gave images of NaN or infinite numbers, wanted finite ones; set precision to bf16 or full"
            )
        yield from np.asarray((made * 255).round(), np.uint8)
