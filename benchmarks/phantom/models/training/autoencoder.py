"""The autoencoder, trained so that the redness of a lesion on dark skin survives it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmarks.phantom.models.training.descent import Progress, Recipe, descend
from benchmarks.phantom.models.training.pictures import Pictures
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

_BATCH = 8
_DIVERGENCE = 1e-4
_FIRST_LOG_VARIANCE = -5.0  # of a latent: at 0 its noise would drown the picture


@dataclass(frozen=True, slots=True)
class Taste:
    """What a difference between two pictures costs: its brightness, red against green, yellow against blue.

    A plain loss in RGB leaves little of the last two, which are small in skin and tell its conditions
    apart; a loss without squares leaves little of what is rare, as a yellow crust.
    """

    brightness: float
    red: float
    yellow: float
    absolute: float
    squared: float

    def cost(self, away: Tensor) -> Tensor:
        """The cost of a difference [b, 3, h, w]."""
        third, red, yellow = self.brightness / 3, self.red, self.yellow / 2
        seen = torch.tensor([[third] * 3, [red, -red, 0.0], [yellow, yellow, -2 * yellow]])
        found = torch.einsum("oc,bchw->bohw", seen, away)
        return self.absolute * found.abs().mean() + self.squared * found.square().mean()


@dataclass(frozen=True, slots=True)
class Round:
    """How the autoencoder learns once; `typical` is how often each of those pictures counts."""

    recipe: Recipe
    taste: Taste
    typical: int


# The first lost yellow and violet, which two conditions are told by; the second brought them back.
FIRST = Round(
    Recipe(steps=3200, learning_rate=2e-3, averaged_over=200, seed=1),
    Taste(brightness=1.0, red=2.0, yellow=1.5, absolute=1.0, squared=0.0),
    typical=1,
)
SECOND = Round(
    Recipe(steps=1600, learning_rate=1.5e-3, averaged_over=100, seed=4),
    Taste(brightness=1.0, red=2.0, yellow=2.0, absolute=0.25, squared=8.0),
    typical=3,
)


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Images [n, h, w, 3] as float [n, 3, h, w] from -1 to 1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def turned(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The images mirrored and turned as one; drawn skin has no up."""
    quarter, mirrored = int(rng.integers(4)), bool(rng.integers(2))
    found = np.rot90(images, quarter, (1, 2))
    return np.ascontiguousarray(found[:, :, ::-1] if mirrored else found)


@dataclass(frozen=True, slots=True)
class Taught:
    """What one round learns from: typical pictures, and usual ones with all that lies on skin."""

    round: Round
    typical: Pictures
    usual: Pictures

    def images(self) -> NDArray[np.uint8]:
        """Every picture as often as it counts."""
        return np.concatenate([*[self.typical.images] * self.round.typical, self.usual.images])


@dataclass(frozen=True, slots=True)
class _Lesson:
    vae: AutoencoderKL
    images: NDArray[np.uint8]
    taste: Taste

    def loss(self, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        rows = rng.integers(len(self.images), size=_BATCH)
        x = to_tensor(turned(self.images[rows], rng))
        latents = self.vae.encode(x).latent_dist
        away = self.vae.decode(latents.sample(noise)).sample - x
        divergence: Tensor = latents.kl().mean() / latents.mean[0].numel()
        return self.taste.cost(away) + _DIVERGENCE * divergence


def start_small(vae: AutoencoderKL) -> None:
    """Makes an untrained autoencoder's latents almost certain."""
    with torch.no_grad():
        # The layer gives means and log variances one after the other.
        vae.quant_conv.bias[vae.config.latent_channels :] = _FIRST_LOG_VARIANCE


def train_vae(vae: AutoencoderKL, taught: Taught, checkpoint: Path, progress: Progress) -> float:
    """Trains the autoencoder in place, and sets its scaling factor; gives the CPU seconds taken."""
    vae.requires_grad_(True)
    lesson = _Lesson(vae, taught.images(), taught.round.taste)
    cpu_s = descend(vae, lesson.loss, taught.round.recipe, checkpoint, progress)
    vae.requires_grad_(False)
    sample = encode(vae, lesson.images[:512])
    vae.register_to_config(scaling_factor=float(1 / sample.std()))
    return cpu_s


@torch.no_grad()
def encode(vae: AutoencoderKL, images: NDArray[np.uint8]) -> Tensor:
    """Latent means [n, 4, h, w], not scaled."""
    parts = [
        vae.encode(to_tensor(images[i : i + 64])).latent_dist.mean
        for i in range(0, len(images), 64)
    ]
    return torch.cat(parts)


@torch.no_grad()
def fidelity_db(vae: AutoencoderKL, images: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of images that went through the autoencoder, in dB."""
    away = vae.decode(encode(vae, images)).sample.clamp(-1, 1) - to_tensor(images)
    return float(-10 * torch.log10((away / 2).square().mean()))
