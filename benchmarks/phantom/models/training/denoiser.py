"""The denoiser and its text encoder, trained together on latents that were computed once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmarks.phantom.models.training.architecture import Parts, build_scheduler
from benchmarks.phantom.models.training.autoencoder import encode, turned
from benchmarks.phantom.models.training.captions import caption_of
from benchmarks.phantom.models.training.descent import Progress, Recipe, descend
from benchmarks.phantom.models.training.pictures import Pictures, classes
from diffusers import DDIMScheduler
from torch import Tensor, nn

from tonegap.tones import TYPES

# One for each round of the autoencoder, as its latents change.
FIRST = Recipe(steps=2600, learning_rate=1.5e-3, averaged_over=250, seed=2)
SECOND = Recipe(steps=1300, learning_rate=1.2e-3, averaged_over=150, seed=5)
_BATCH = 16
_EMPTY_SHARE = 0.1  # of captions, so that sampling can be guided away from no caption
_CHUNK = 200  # pictures that are turned the same way


@dataclass(frozen=True, slots=True)
class Latents:
    """`z` [n, 4, h, w], scaled to variance 1, of pictures of class `y` on type `t`."""

    z: Tensor
    y: np.ndarray[tuple[int], np.dtype[np.int64]]
    t: np.ndarray[tuple[int], np.dtype[np.int64]]


def latents_of(parts: Parts, pictures: Pictures, rng: np.random.Generator) -> Latents:
    """Latents of the pictures as they are, and of the same pictures turned or mirrored."""
    images = pictures.images
    moved = [turned(images[i : i + _CHUNK], rng) for i in range(0, len(images), _CHUNK)]
    z = torch.cat([encode(parts.vae, images), encode(parts.vae, np.concatenate(moved))])
    scale = parts.vae.config.scaling_factor
    return Latents(z * scale, np.tile(pictures.y, 2), np.tile(pictures.t, 2))


@dataclass(frozen=True, slots=True)
class _Lesson:
    parts: Parts
    latents: Latents
    scheduler: DDIMScheduler

    def loss(self, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        rows = rng.integers(len(self.latents.y), size=_BATCH)
        z = self.latents.z[torch.from_numpy(rows)]
        steps = self._steps(rng)
        epsilon = torch.randn(z.shape, generator=noise)
        noisy = self.scheduler.add_noise(z, epsilon, steps)
        wanted = self.scheduler.get_velocity(z, epsilon, steps)
        found = self.parts.unet(noisy, steps, self._embedded(rows, rng)).sample
        return nn.functional.mse_loss(found, wanted)

    def _steps(self, rng: np.random.Generator) -> Tensor:
        """One noise level from each sixteenth of them, so that the loss is steadier."""
        n = self.scheduler.config.num_train_timesteps
        at = (np.arange(_BATCH) + rng.random(_BATCH)) / _BATCH * n
        return torch.from_numpy(at.astype(np.int64))

    def _embedded(
        self, rows: np.ndarray[tuple[int], np.dtype[np.int64]], rng: np.random.Generator
    ) -> Tensor:
        names = classes()
        captions = [
            ""
            if rng.random() < _EMPTY_SHARE
            else caption_of(names[self.latents.y[i]], TYPES[self.latents.t[i]], rng)
            for i in rows
        ]
        ids = self.parts.tokenizer(
            captions, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        states: Tensor = self.parts.text_encoder(ids).last_hidden_state
        return states


def train_denoiser(
    parts: Parts, latents: Latents, recipe: Recipe, checkpoint: Path, progress: Progress
) -> float:
    """Trains UNet and text encoder in place; gives the CPU seconds taken."""
    both = nn.ModuleDict({"unet": parts.unet, "text_encoder": parts.text_encoder})
    lesson = _Lesson(parts, latents, build_scheduler())
    return descend(both, lesson.loss, recipe, checkpoint, progress)
