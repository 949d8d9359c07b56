"""The loop that every fine-tuning shares: noise is added to latents, and what predicts it learns.

Written once for textual inversion, LoRA and whole networks. Latents and captions come in encoded; a
step's draws depend on the seed and the step's number alone, never on the steps before it.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import DDPMScheduler
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from tonegap_kit.command import progress
from tonegap_kit.diffusion.checkpoint import (
    Checkpoint,
    Keeper,
    read_checkpoint,
    restore,
    state_of,
    write_checkpoint,
)
from tonegap_kit.diffusion.models import Latents, Models, encode_images
from tonegap_kit.errors import StageError

_REPORTS = 200  # lines of progress of one stage, at most
_CHECKED_EVERY = 25  # steps between two looks at the loss: on a GPU each look waits for it


@dataclass(frozen=True, slots=True)
class StepRecipe:
    """How weights are optimised: `steps` updates, each of `accumulation` batches of `batch` images.

    AdamW with betas 0.9 and 0.999 at a constant rate, as every script of the papers has it;
    `max_grad_norm` of 0 leaves gradients as they are.
    """

    steps: int
    batch: int
    accumulation: int
    learning_rate: float
    weight_decay: float = 1e-2
    max_grad_norm: float = 0.0
    optimiser: str = "adamw"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulation"):
            if getattr(self, name) < 1:
                raise StageError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        if not 0 < self.learning_rate < math.inf:
            raise StageError(f"learning_rate is {self.learning_rate}, wanted a number above 0")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Latents of n images as they are, and mirrored where training mirrors them."""

    plain: Latents
    mirrored: Latents | None

    def draw(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Latents of these rows, each mirrored by a coin's toss where mirrored ones are there."""
        noise = torch.randn((len(rows), *self.plain.mean.shape[1:]), generator=rng)
        found = self.plain.draw(rows, noise)
        if self.mirrored is None:
            return found
        coin = torch.rand(len(rows), generator=rng) < 0.5
        return torch.where(coin[:, None, None, None], self.mirrored.draw(rows, noise), found)


class Drawn(Protocol):
    """Images as training sees them: latents of some rows, sampled each time."""

    def draw(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Scaled latents [len(rows), c, h, w] in main memory."""


class Meter:
    """The progress display of a stage that trains several parts one after another."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total
        self._every = max(1, total // _REPORTS)

    def advance(self, steps: int = 1) -> None:
        """Counts steps, and moves the display now and then."""
        before, self._done = self._done, self._done + steps
        if self._done // self._every > before // self._every or self._done == self._total:
            progress(self._done, self._total)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks after a run of steps: checkpoints under a name of its own, and the progress display.

    Without `keep_last` none is left after the last step: what was learned is saved by who asked for it.
    """

    name: str
    keeper: Keeper | None = None
    meter: Meter | None = None
    keep_last: bool = True

    def part(self, name: str | int) -> "Watch":
        """The same for a part of the run."""
        return replace(self, name=f"{self.name}-{name}")


LossOfBatch = Callable[
    [int], Tensor
]  # of batch number 0, 1, 2 …: its draws follow from that number


def encode_examples(
    models: Models,
    images: NDArray[np.uint8],
    *,
    mirror: bool,
    side_px: int | None = None,
    resample: Image.Resampling = Image.Resampling.BICUBIC,
) -> Encoded:
    """Images encoded once for a whole training run, and once more mirrored if `mirror`.

    They are trained on at the pipeline's side, or at `side_px`.
    """
    mirrored = encode_images(models, images[:, :, ::-1], side_px, resample) if mirror else None
    return Encoded(encode_images(models, images, side_px, resample), mirrored)


def generator_of(seed: int, *purpose: str | int) -> torch.Generator:
    """A generator for one purpose, such as one step of one part: the same whatever was drawn before."""
    text = "\0".join(str(word) for word in (seed, *purpose))
    digest = hashlib.sha256(text.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def shuffled_rows(n: int, first: int, count: int, seed: int, purpose: str) -> Tensor:
    """`count` of n rows from place `first` of an endless list: one random order of them after another."""
    taken: list[Tensor] = []
    place = first
    while place < first + count:
        epoch, at = divmod(place, n)
        order = torch.randperm(n, generator=generator_of(seed, purpose, "epoch", epoch))
        taken.append(order[at : at + first + count - place])
        place += len(taken[-1])
    return torch.cat(taken)


def check_learns(models: Models) -> None:
    """Raises StageError for models of which `noise_losses` does not know what they predict."""
    found = models.noise_schedule().config.prediction_type
    if found not in {"epsilon", "v_prediction"}:
        raise StageError(f"the pipeline predicts {found!r}, wanted epsilon or v_prediction")


def noise_losses(
    models: Models,
    schedule: DDPMScheduler,
    clean: Tensor,
    text: Tensor,
    draws: Sequence[torch.Generator],
) -> Tensor:
    """Mean squared error [b] of what the network predicts of noised latents [b, c, h, w].

    Timesteps are drawn uniformly. What is predicted, the noise or the velocity (`check_learns`), is the pipeline's.
    Each of the k generators in `draws` serves b / k rows in a row.
    """
    share = (len(clean) // len(draws), *clean.shape[1:])
    noise = torch.cat([torch.randn(share, generator=rng) for rng in draws])
    last = schedule.config.num_train_timesteps
    t = torch.cat([torch.randint(0, last, share[:1], generator=rng) for rng in draws])
    target = noise
    if schedule.config.prediction_type == "v_prediction":
        target = schedule.get_velocity(clean, noise, t)
    noisy = schedule.add_noise(clean, noise, t).to(models.device, models.dtype)
    found = models.unet(
        noisy, t.to(models.device), encoder_hidden_states=text.to(models.dtype), return_dict=False
    )[0]
    error = (found.float() - target.to(models.device)).square()
    return torch.mean(error, dim=(1, 2, 3))


def run_steps(
    models: Models,
    learning: Mapping[str, nn.Parameter],
    recipe: StepRecipe,
    loss: LossOfBatch,
    watch: Watch,
) -> None:
    """Trains the weights that learn, going on from the last checkpoint if there is one.

    Raises StageError as soon as a loss is found that is no number, or weights that are none: such are neither kept nor
    returned.
    """
    run = _Run(models, learning, recipe, loss)
    keeper, meter = watch.keeper, watch.meter
    first = run.resume(read_checkpoint(keeper, watch.name) if keeper is not None else None)
    if meter is not None and first:
        meter.advance(first)
    for done in range(first + 1, recipe.steps + 1):
        value = run.step(done - 1)
        if done % _CHECKED_EVERY == 0 or done in {1, recipe.steps}:
            _check_loss(value, done)
        due = keeper is not None and keeper.is_due(done, recipe.steps, watch.keep_last)
        if due or done == recipe.steps:
            _check_weights(learning, done)
        if keeper is not None and due:
            write_checkpoint(keeper, watch.name, run.checkpoint(done))
        if meter is not None:
            meter.advance()


def make_optimiser(learning: list[nn.Parameter], recipe: StepRecipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe. Raises StageError for one that is not installed."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(learning, lr=rate, weight_decay=decay, fused=True)
    if recipe.optimiser != "adamw-8bit":
        raise StageError(f"optimiser is {recipe.optimiser!r}, wanted adamw or adamw-8bit")
    try:
        import bitsandbytes  # an extra that hardly any machine has
    except ImportError:
        raise StageError(
            "optimiser is 'adamw-8bit', which needs the package bitsandbytes; use 'adamw'"
        ) from None
    found: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(
        learning, lr=rate, weight_decay=decay
    )
    return found


def autocast(models: Models) -> AbstractContextManager[Any]:
    """Half precision for the forward pass where the frozen weights have it, else nothing."""
    return torch.autocast(models.device.type, models.dtype, enabled=models.dtype != torch.float32)


class _Run:
    """A training that is under way: weights, what the optimiser remembers, the scale of gradients."""

    def __init__(
        self,
        models: Models,
        learning: Mapping[str, nn.Parameter],
        recipe: StepRecipe,
        loss: LossOfBatch,
    ) -> None:
        self._models, self._learning, self._recipe, self._loss = models, learning, recipe, loss
        self._optimiser = make_optimiser(list(learning.values()), recipe)
        half = models.dtype == torch.float16
        self._scaler = torch.amp.GradScaler(models.device.type, enabled=half)

    def step(self, number: int) -> Tensor:
        """One update of the weights; the loss of its last batch."""
        parts = self._recipe.accumulation
        self._optimiser.zero_grad(set_to_none=True)
        for part in range(parts):
            with autocast(self._models):
                value = self._loss(number * parts + part)
            self._scaler.scale(value / parts).backward()  # type: ignore[no-untyped-call]
        if self._recipe.max_grad_norm > 0:
            self._scaler.unscale_(self._optimiser)
            nn.utils.clip_grad_norm_(list(self._learning.values()), self._recipe.max_grad_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return value.detach()

    def checkpoint(self, done: int) -> Checkpoint:
        """All that the next step needs."""
        tensors = state_of(self._learning, self._optimiser)
        if self._scaler.is_enabled():
            tensors["scale"] = torch.tensor(self._scaler.get_scale())
        return Checkpoint(done, tensors)

    def resume(self, found: Checkpoint | None) -> int:
        """The number of steps that an earlier try has done, with everything as it left it."""
        if found is None:
            return 0
        tensors = dict(found.tensors)
        scale = tensors.pop("scale", None)
        if scale is not None:
            self._scaler.load_state_dict(self._scaler.state_dict() | {"scale": float(scale)})
        if found.step > self._recipe.steps:
            raise StageError(
                f"checkpoint: is after {found.step} steps, wanted at most the {self._recipe.steps} of this run; "
                "delete it to start anew"
            )
        restore(self._learning, self._optimiser, tensors)
        return found.step


def _check_loss(value: Tensor, step: int) -> None:
    if math.isfinite(value.item()):
        return
    if step == 1:
        raise StageError(
            f"before anything was learned the loss is {value.item()}: the pipeline's weights give no finite numbers; "
            "look at the folder given, or set precision to full"
        )
    raise StageError(f"step {step}: the loss is {value.item()}; lower learning_rate")


def _check_weights(learning: Mapping[str, nn.Parameter], step: int) -> None:
    """The loss of a step is that before its update: what the update made of the weights is looked at here."""
    broken = next((n for n, weight in learning.items() if not weight.isfinite().all()), None)
    if broken is not None:
        raise StageError(
            f"step {step}: {broken} became NaN or infinite and is not saved; lower learning_rate"
        )
