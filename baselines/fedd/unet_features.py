"""What a frozen denoiser sees in an image: its decoder's activations on the way to removing a little noise.

Source: Carrion and Norouzi 2023 (FEDD), after Baranchuk et al. 2022. Theirs is a denoiser of pixels; ours is
that of a Stable Diffusion pipeline, which works on latents and is given an empty prompt.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.determinism import generator
from tonegap_kit.diffusion.models import Models, embed_prompts, encode_images
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Pictures
from tonegap_kit.sources import in_batches

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where features are taken: decoder blocks, counted from 1 at the deepest, and timesteps, 0 the cleanest.

    `n_features` is how many an image has at most; more are averaged into so many bins.
    """

    blocks: tuple[int, ...]
    timesteps: tuple[int, ...]
    n_features: int


def decoder_blocks(unet: UNet2DConditionModel) -> list[nn.Module]:
    """The decoder's blocks from the deepest up: each residual block with the attention after it, if any."""
    found: list[nn.Module] = []
    for level in unet.up_blocks:
        attentions = getattr(level, "attentions", None)
        found += list(level.resnets if attentions is None else attentions)
    return found


def features_of(models: Models, pictures: Pictures, place: Place, seed: int) -> Tensor:
    """Features `float32 [n, d]` of images, in main memory; each map's mean over the image.

    Every image gets the same noise, so that no image's features depend on another's.

    Raises StageError for a block or timestep that there is not.
    """
    chosen = _chosen(models, place)
    steps = _timesteps(models, place)
    noise = torch.randn(1, *models.latent_shape, generator=generator(seed))
    prompt = embed_prompts(models, [""])
    found = []
    with torch.no_grad():
        for rows in in_batches(torch.arange(len(pictures)), _BATCH):
            latents = encode_images(models, pictures.take(rows.numpy())).mean
            maps = [
                values
                for step in steps
                for values in _maps(
                    models, chosen, _noised(models, latents, noise, step), prompt, step
                )
            ]
            found.append(_pooled(torch.cat(maps, dim=1), place.n_features))
    return torch.cat(found)


def _chosen(models: Models, place: Place) -> list[nn.Module]:
    blocks = decoder_blocks(models.unet)
    wrong = [block for block in place.blocks if not 1 <= block <= len(blocks)]
    if wrong or not place.blocks:
        raise StageError(
            f"blocks is {list(place.blocks)}, wanted one or more of the {len(blocks)} blocks of this decoder, "
            f"1 to {len(blocks)}"
        )
    return [blocks[block - 1] for block in place.blocks]


def _timesteps(models: Models, place: Place) -> tuple[int, ...]:
    n = int(models.noise_schedule().config.num_train_timesteps)
    wrong = [step for step in place.timesteps if not 0 <= step < n]
    if wrong or not place.timesteps:
        raise StageError(
            f"timesteps is {list(place.timesteps)}, wanted one or more of 0 to {n - 1}"
        )
    return place.timesteps


def _noised(models: Models, latents: Tensor, noise: Tensor, step: int) -> Tensor:
    steps = torch.full((len(latents),), step)
    noised: Tensor = models.noise_schedule().add_noise(latents, noise.expand_as(latents), steps)
    return noised.to(models.device, models.dtype)


def _maps(
    models: Models, blocks: Sequence[nn.Module], latents: Tensor, prompt: Tensor, step: int
) -> list[Tensor]:
    """The mean over the image of each block's output, [b, channels] each."""
    with _watched(blocks) as seen:
        models.unet(latents, step, prompt.expand(len(latents), -1, -1).to(models.dtype))
    return [seen[i].float().mean(dim=(2, 3)).cpu() for i in range(len(blocks))]


@contextmanager
def _watched(blocks: Sequence[nn.Module]) -> Iterator[dict[int, Tensor]]:
    seen: dict[int, Tensor] = {}

    def keep(place: int) -> Callable[[nn.Module, object, Tensor | tuple[Tensor]], None]:
        def hook(_module: nn.Module, _given: object, output: Tensor | tuple[Tensor]) -> None:
            # Attention answers with a tuple, a residual block with a tensor.
            seen[place] = output[0] if isinstance(output, tuple) else output

        return hook

    handles = [block.register_forward_hook(keep(i)) for i, block in enumerate(blocks)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _pooled(features: Tensor, n: int) -> Tensor:
    if features.shape[1] <= n:
        return features
    return functional.adaptive_avg_pool1d(features[:, None], n)[:, 0]
