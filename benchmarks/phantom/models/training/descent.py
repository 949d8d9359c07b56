"""Steps of gradient descent that a kill does not undo.

What a step draws follows from the seed and its number, so a run that goes on from its checkpoint leaves
the same weights as one that was never stopped.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

LossAt = Callable[[np.random.Generator, torch.Generator], Tensor]
Progress = Callable[[str], None]

_WARM_UP = 100  # steps
_EVERY = 200  # steps between checkpoints


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast; `averaged_over` is the length in steps of the weights' running mean."""

    steps: int
    learning_rate: float
    averaged_over: float
    seed: int


class _State:
    """What a checkpoint holds: weights, their running mean, the optimiser, and how far it is."""

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.network, self.recipe = network, recipe
        self.mean = {name: value.clone() for name, value in network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            network.parameters(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self.step, self.cpu_s = 0, 0.0

    def save(self, path: Path) -> None:
        """Writes the checkpoint whole, or not at all."""
        held = {
            "network": self.network.state_dict(),
            "mean": self.mean,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "cpu_s": self.cpu_s,
        }
        part = path.with_suffix(".part")
        torch.save(held, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Goes on from a checkpoint."""
        held = torch.load(path, weights_only=True)
        self.network.load_state_dict(held["network"])
        self.optimiser.load_state_dict(held["optimiser"])
        self.mean, self.step, self.cpu_s = held["mean"], held["step"], held["cpu_s"]

    def advance(self, loss_at: LossAt) -> float:
        """One step; gives its loss."""
        started = time.process_time()
        for part in self.optimiser.param_groups:
            part["lr"] = self.recipe.learning_rate * rate_at(self.step, self.recipe.steps)
        rng = np.random.default_rng([self.recipe.seed, self.step])
        noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
        loss = loss_at(rng, noise)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self._average()
        self.cpu_s += time.process_time() - started
        return loss.item()

    def _average(self) -> None:
        # Short at first, so that the random weights of the start are soon forgotten.
        share = 1 / min(self.recipe.averaged_over, 1 + self.step / 10)
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.mean[name].lerp_(value, share)
            else:
                self.mean[name].copy_(value)


def rate_at(step: int, steps: int) -> float:
    """The learning rate's share at a step: a short rise, then half a cosine down to zero."""
    rise = min(1.0, (step + 1) / _WARM_UP)
    return rise * 0.5 * (1 + math.cos(math.pi * step / steps))


def descend(
    network: nn.Module, loss_at: LossAt, recipe: Recipe, checkpoint: Path, progress: Progress
) -> float:
    """Trains `network` and leaves the running mean of its weights in it; gives the CPU seconds taken.

    Goes on from `checkpoint` where there is one.
    """
    state = _State(network.train(), recipe)
    if checkpoint.exists():
        state.load(checkpoint)
    losses: list[float] = []
    while state.step < recipe.steps:
        losses.append(state.advance(loss_at))
        if state.step % _EVERY == 0 or state.step == recipe.steps:
            state.save(checkpoint)
            mean = sum(losses[-_EVERY:]) / len(losses[-_EVERY:])
            progress(f"{checkpoint.stem} {state.step}: loss {mean:.4f}, {state.cpu_s:.0f} CPU-s")
    network.load_state_dict(state.mean)
    network.eval()
    return state.cpu_s
