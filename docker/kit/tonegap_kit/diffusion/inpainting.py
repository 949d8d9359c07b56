"""Parts of images painted anew from a prompt, batched across images.

Two kinds of network: one trained for it, which is shown the mask and the rest of the image (9 input
channels), and any other (4), where the rest of the image is put back in its noisy form after each step.
Both as in the diffusers library's inpainting pipeline, with the same draws for the same seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, interpolate

from tonegap_kit.diffusion.models import Models, as_input
from tonegap_kit.diffusion.sampling import (
    Conditions,
    SamplingRecipe,
    draw_noise,
    embed_conditions,
    in_decoded_images,
    predict_noise,
    start_sampler,
)
from tonegap_kit.diffusion.scheduler import stepper
from tonegap_kit.errors import StageError


@dataclass(frozen=True, slots=True)
class Torn:
    """Images `uint8 [n, h, w, 3]` with holes `[n, h, w]` to be painted."""

    images: NDArray[np.uint8]
    holes: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.images.shape[:3] != self.holes.shape:
            raise StageError(
                f"images are {list(self.images.shape)} and holes {list(self.holes.shape)}, wanted a hole "
                f"of each image's size"
            )

    def __len__(self) -> int:
        return len(self.images)

    def take(self, at: slice) -> "Torn":
        """Some of the images."""
        return Torn(self.images[at], self.holes[at])


@dataclass(frozen=True, slots=True)
class _Canvas:
    """What a batch starts from: latents [b, c, h, w] of the image, the mask [b, 1, h, w], the noise.

    `shown` [b, 1 + c, h, w] is what a network of 9 channels sees besides; None for one of 4.
    """

    clean: Tensor
    mask: Tensor
    noise: Tensor
    shown: Tensor | None


def inpaint(
    models: Models,
    torn: Torn,
    prompts: Sequence[str],
    seeds: Sequence[int],
    recipe: SamplingRecipe,
    negative_prompt: str = "",
) -> Iterator[NDArray[np.uint8]]:
    """Each image at the pipeline's side, painted anew where its hole is.

    A cell of the latent grid is painted if any of its pixels is in the hole. What lies outside comes out
    as the autoencoder gives it back: lay it over the original where that matters.
    """
    if not len(torn) == len(prompts) == len(seeds):
        raise StageError(
            f"{len(torn)} images, {len(prompts)} prompts and {len(seeds)} seeds, wanted one of each for "
            f"every image"
        )
    _check_network(models)
    for start in range(0, len(torn), recipe.batch):
        at = slice(start, start + recipe.batch)
        draws = [torch.Generator().manual_seed(seed) for seed in seeds[at]]
        text = embed_conditions(models, prompts[at], recipe.guidance, negative_prompt)
        with torch.inference_mode():
            canvas = _prepare(models, torn.take(at), draws, recipe)
            x = _paint(models, canvas, text, draws, recipe)
        yield from in_decoded_images(models, x)


def _check_network(models: Models) -> None:
    latents = int(models.vae.config.latent_channels)
    wanted = {latents, 2 * latents + 1}
    found = int(models.unet.config.in_channels)
    if found not in wanted:
        raise StageError(
            f"the pipeline's network has {found} input channels; painting needs one of "
            f"{min(wanted)}, or one of {max(wanted)} that was trained to paint"
        )


def _prepare(
    models: Models, torn: Torn, draws: Sequence[torch.Generator], recipe: SamplingRecipe
) -> _Canvas:
    side = models.image_px
    pixels = as_input(torn.images, side)
    mask = torch.from_numpy(np.array(torn.holes)).float()[:, None]
    # Down to the side every pixel of a hole counts, as into a cell; upwards each is repeated.
    larger = max(mask.shape[-2:]) > side
    mask_px = (
        adaptive_max_pool2d(mask, (side, side))
        if larger
        else interpolate(mask, size=(side, side), mode="nearest")
    )
    cells = adaptive_max_pool2d(mask_px, models.latent_shape[1:])
    cells = cells.to(models.device, models.dtype)
    trained = int(models.unet.config.in_channels) != models.latent_shape[0]
    # The draws in the stock pipeline's order: the image's where it is needed, the noise, the hole's rest.
    needed = not trained or recipe.strength < 1
    clean = _encode(models, pixels, draws) if needed else torch.zeros((), device=models.device)
    noise = draw_noise(models, draws)
    if not trained:
        draw_noise(models, draws)  # the hole's rest is drawn for such a network too, and not used
        return _Canvas(clean, cells, noise, None)
    rest = _encode(models, pixels * (mask_px < 0.5), draws)
    return _Canvas(clean, cells, noise, torch.cat([cells, rest], dim=1))


def _encode(models: Models, pixels: Tensor, draws: Sequence[torch.Generator]) -> Tensor:
    found = models.vae.encode(pixels.to(models.device, models.dtype)).latent_dist
    drawn = found.mean + found.std * draw_noise(models, draws)
    scaled: Tensor = drawn * models.vae.config.scaling_factor
    return scaled


def _paint(
    models: Models,
    canvas: _Canvas,
    text: Conditions,
    draws: Sequence[torch.Generator],
    recipe: SamplingRecipe,
) -> Tensor:
    sampler = models.new_sampler(painting=True)
    timesteps = start_sampler(models, sampler, recipe.steps, recipe.done_steps)
    x = _first(canvas, sampler, timesteps, recipe)
    step = stepper(sampler, draws)
    for i, t in enumerate(timesteps):
        seen = sampler.scale_model_input(x, t)
        x = step(_predict(models, canvas, seen, t, text, recipe.guidance), t, x)
        if canvas.shown is None:
            after = timesteps[i + 1 : i + 2]
            rest = (
                sampler.add_noise(canvas.clean, canvas.noise, after) if len(after) else canvas.clean
            )
            x = (1 - canvas.mask) * rest + canvas.mask * x
    return x


def _first(canvas: _Canvas, sampler: Any, timesteps: Tensor, recipe: SamplingRecipe) -> Tensor:
    if recipe.strength == 1:
        pure: Tensor = canvas.noise * sampler.init_noise_sigma
        return pure
    noisy: Tensor = sampler.add_noise(canvas.clean, canvas.noise, timesteps[:1])
    return noisy


def _predict(
    models: Models, canvas: _Canvas, x: Tensor, t: Tensor, text: Conditions, guidance: float
) -> Tensor:
    seen = x if canvas.shown is None else torch.cat([x, canvas.shown], dim=1)
    return predict_noise(models, seen, t, text, guidance)
