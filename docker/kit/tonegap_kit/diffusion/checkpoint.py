"""What a training run has to remember to go on after a kill as if nothing had happened.

A checkpoint is one safetensors file with a step's number, written aside and renamed, so that there is
always a whole one. Random draws need no place in it: each step draws from a generator of its own number.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from tonegap_kit.errors import StageError

_WEIGHT, _STATE = "weight", "state"


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where checkpoints lie, and after how many steps one is left; `every` of 0 keeps finished parts alone."""

    folder: Path
    every: int

    def is_due(self, done: int, steps: int) -> bool:
        """Whether a checkpoint is to be left after `done` of `steps` steps; always after the last."""
        return done == steps or (self.every > 0 and done % self.every == 0)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by name after `step` steps."""

    step: int
    tensors: Mapping[str, Tensor]


def write_checkpoint(keeper: Keeper, name: str, checkpoint: Checkpoint) -> None:
    """Leaves a checkpoint in place of the one before it."""
    flat = {key: value.detach().cpu().contiguous() for key, value in checkpoint.tensors.items()}
    path = _path(keeper, name)
    aside = path.with_suffix(".partial")
    with aside.open("wb") as f:
        f.write(save(flat, metadata={"step": str(checkpoint.step)}))
        f.flush()
        os.fsync(f.fileno())
    aside.replace(path)


def read_checkpoint(keeper: Keeper, name: str) -> Checkpoint | None:
    """The last checkpoint of this name, or None. Raises StageError for one that cannot be read."""
    path = _path(keeper, name)
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as f:
            step = int((f.metadata() or {})["step"])
            return Checkpoint(step, {key: f.get_tensor(key) for key in f.keys()})  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as problem:
        raise StageError(f"{path}: is no checkpoint: {problem}; delete it to start anew") from None


def state_of(
    learning: Mapping[str, nn.Parameter], optimiser: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Weights that learn and what the optimiser remembers of each, by name."""
    found: dict[str, Tensor] = {f"{_WEIGHT}/{n}": p.detach() for n, p in learning.items()}
    for name, parameter in learning.items():
        for key, value in optimiser.state[parameter].items():
            found[f"{_STATE}/{name}/{key}"] = torch.as_tensor(value)
    return found


def restore(
    learning: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    tensors: Mapping[str, Tensor],
) -> None:
    """Sets weights and optimiser to what `state_of` said of them. Raises StageError if they do not fit."""
    found = {name for kind, name in (_split(key) for key in tensors) if kind == _WEIGHT}
    if found != set(learning):
        raise StageError(
            f"checkpoint: is of {len(found)} weights, wanted the {len(learning)} that learn here; "
            f"delete it to start anew"
        )
    states: dict[int, dict[str, Any]] = {i: {} for i in range(len(learning))}
    for i, (name, parameter) in enumerate(learning.items()):
        with torch.no_grad():
            parameter.copy_(tensors[f"{_WEIGHT}/{name}"])
        prefix = f"{_STATE}/{name}/"
        states[i] = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})


def _split(key: str) -> tuple[str, str]:
    kind, _, name = key.partition("/")
    return kind, name


def _path(keeper: Keeper, name: str) -> Path:
    return keeper.folder / f"{name}.safetensors"
