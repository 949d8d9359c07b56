"""Images from prompts, and from images and prompts, batched across sources and prompts.

The mistake it exists to prevent: an image that depends on its neighbours in a batch. Each one draws
its noise from a generator of its own seed, in the order a stock pipeline draws it, so that it is the
image that pipeline makes alone with that seed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tonegap_kit.diffusion.models import Latents, Models, decode_latents, embed_prompts
from tonegap_kit.diffusion.scheduler import stepper
from tonegap_kit.errors import StageError

_DECODE_BATCH = 8


@dataclass(frozen=True, slots=True)
class SamplingRecipe:
    """How images are sampled; `batch` counts images, whatever guidance doubles.

    `strength` is the share of the `steps` that an image-to-image run does, as in the diffusers
    library: the largest whole number below steps * strength.
    """

    steps: int
    strength: float
    guidance: float
    batch: int

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise StageError(f"steps are {self.steps} and batch is {self.batch}, wanted 1 or more")
        if not 0 < self.strength <= 1:
            raise StageError(f"strength is {self.strength}, wanted a number above 0, at most 1")
        if self.done_steps < 1:
            raise StageError(
                f"strength {self.strength} of {self.steps} steps does no step at all; raise one of "
                f"them until their product is 1 or more"
            )

    @property
    def done_steps(self) -> int:
        """Steps that an image-to-image run really does."""
        return min(int(self.steps * self.strength), self.steps)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Text of images: `guided` [n, tokens, width], and `free` [1, tokens, width] where guidance is on."""

    guided: Tensor
    free: Tensor | None

    def take(self, rows: Sequence[int]) -> "Conditions":
        """The text of these rows."""
        return Conditions(self.guided[list(rows)], self.free)

    def stacked(self) -> Tensor:
        """What the network is shown: the unguided half first."""
        if self.free is None:
            return self.guided
        return torch.cat([self.free.expand_as(self.guided), self.guided])


def text2img(
    models: Models,
    prompts: Sequence[str],
    seeds: Sequence[int],
    recipe: SamplingRecipe,
    negative_prompt: str = "",
) -> Iterator[NDArray[np.uint8]]:
    """An image `uint8 [px, px, 3]` for each prompt and seed, in their order."""

    def begin(_: slice, draws: Sequence[torch.Generator], sampler: Any) -> tuple[Tensor, Tensor]:
        timesteps = start_sampler(models, sampler, recipe.steps, recipe.steps)
        noise = draw_noise(models, draws)
        return noise * sampler.init_noise_sigma, timesteps

    yield from _sample(models, prompts, seeds, recipe, begin, negative_prompt)


def img2img(
    models: Models,
    latents: Latents,
    rows: Sequence[int],
    prompts: Sequence[str],
    seeds: Sequence[int],
    recipe: SamplingRecipe,
) -> Iterator[NDArray[np.uint8]]:
    """An image for each prompt and seed, image i made from the one whose latents lie in row `rows[i]`."""
    sources = torch.as_tensor(rows)

    def begin(at: slice, draws: Sequence[torch.Generator], sampler: Any) -> tuple[Tensor, Tensor]:
        timesteps = start_sampler(models, sampler, recipe.steps, recipe.done_steps)
        # Two draws in the order of the stock pipeline: the autoencoder's, then the added noise.
        own = draw_noise(models, draws).cpu().float()
        clean = latents.draw(sources[at], own).to(models.device, models.dtype)
        noise = draw_noise(models, draws)
        first = timesteps[:1].repeat(len(clean))
        return sampler.add_noise(clean, noise, first), timesteps

    yield from _sample(models, prompts, seeds, recipe, begin)


def embed_conditions(
    models: Models, prompts: Sequence[str], guidance: float, negative_prompt: str = ""
) -> Conditions:
    """The text of prompts; guidance of 1 or less means none, so that the empty prompt is left out."""
    guided = embed_prompts(models, prompts)
    if guidance <= 1:
        return Conditions(guided, None)
    return Conditions(guided, embed_prompts(models, [negative_prompt]))


def start_sampler(models: Models, sampler: Any, steps: int, done_steps: int) -> Tensor:
    """The last `done_steps` of `steps` timesteps, with the sampler set to begin there."""
    sampler.set_timesteps(steps, device=models.device)
    skipped = (steps - done_steps) * sampler.order
    if hasattr(sampler, "set_begin_index"):
        sampler.set_begin_index(skipped)
    timesteps: Tensor = sampler.timesteps[skipped:]
    return timesteps


def draw_noise(models: Models, draws: Sequence[torch.Generator]) -> Tensor:
    """Standard normal noise [b, c, h, w], each image's from its own generator on the CPU."""
    shape = models.latent_shape
    noise = [torch.randn(shape, generator=g, dtype=models.dtype) for g in draws]
    return torch.stack(noise).to(models.device)


def predict_noise(
    models: Models, x: Tensor, t: Tensor, text: Conditions, guidance: float
) -> Tensor:
    """What the network predicts for latents x [b, c, h, w] at one timestep, guided by the text."""
    doubled = x if text.free is None else torch.cat([x, x])
    shown = text.stacked()
    found: Tensor = models.unet(doubled, t, encoder_hidden_states=shown, return_dict=False)[0]
    if text.free is None:
        return found
    free, guided = found.chunk(2)
    return free + guidance * (guided - free)


def in_decoded_images(models: Models, latents: Tensor) -> Iterator[NDArray[np.uint8]]:
    """The images of latents one by one, decoded a few at a time: decoding needs the most memory."""
    for start in range(0, len(latents), _DECODE_BATCH):
        yield from decode_latents(models, latents[start : start + _DECODE_BATCH])


# Given the place of a batch, its generators and a fresh sampler: first latents, and the timesteps to do.
Begin = Callable[[slice, Sequence[torch.Generator], Any], tuple[Tensor, Tensor]]


def _sample(
    models: Models,
    prompts: Sequence[str],
    seeds: Sequence[int],
    recipe: SamplingRecipe,
    begin: Begin,
    negative_prompt: str = "",
) -> Iterator[NDArray[np.uint8]]:
    if len(prompts) != len(seeds):
        raise StageError(f"{len(prompts)} prompts and {len(seeds)} seeds, wanted one seed for each")
    if not prompts:
        return
    place = {prompt: i for i, prompt in enumerate(dict.fromkeys(prompts))}
    table = embed_conditions(models, list(place), recipe.guidance, negative_prompt)
    for start in range(0, len(prompts), recipe.batch):
        at = slice(start, min(start + recipe.batch, len(prompts)))
        draws = [torch.Generator().manual_seed(seed) for seed in seeds[at]]
        text = table.take([place[prompt] for prompt in prompts[at]])
        with torch.inference_mode():
            sampler = models.new_sampler()
            x, timesteps = begin(at, draws, sampler)
            step = stepper(sampler, draws)
            for t in timesteps:
                seen = sampler.scale_model_input(x, t)
                x = step(predict_noise(models, seen, t, text, recipe.guidance), t, x)
        yield from in_decoded_images(models, x)
