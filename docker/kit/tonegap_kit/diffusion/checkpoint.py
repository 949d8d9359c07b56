"""What a training run has to remember to go on after a kill as if nothing had happened.

A checkpoint is one safetensors file with a step's number, written aside and renamed, so that what is there
is whole. Random draws need no place in it: each step draws from a generator of its own number.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from tonegap_kit.errors import StageError

_WEIGHT, _STATE = "weight", "state"
_ADAM = {"step", "exp_avg", "exp_avg_sq"}
_KINDS = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.uint8: "U8",
    torch.int64: "I64",
}


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where checkpoints lie, and after how many steps one is left; `every` of 0 keeps finished parts alone.

    With `one_at_a_time` the one before goes first, where two of them would be too large for a stage's output: a kill
    while one is written costs the steps of that part.
    """

    folder: Path
    every: int
    one_at_a_time: bool = False

    def __post_init__(self) -> None:
        if self.every < 0:
            raise StageError(
                f"checkpoint_every is {self.every}, wanted steps between two checkpoints, or 0 for finished parts alone"
            )

    def is_due(self, done: int, steps: int, keep_last: bool = True) -> bool:
        """Whether a checkpoint is to be left after `done` of `steps` steps; after the last if it is to be kept."""
        if done == steps:
            return keep_last
        return self.every > 0 and done % self.every == 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by name after `step` steps."""

    step: int
    tensors: Mapping[str, Tensor]


def write_checkpoint(keeper: Keeper, name: str, checkpoint: Checkpoint) -> None:
    """Leaves a checkpoint in place of the one before it."""
    path = _path(keeper, name)
    if keeper.one_at_a_time and not path.is_dir():
        path.unlink(missing_ok=True)
    write_tensors(path, checkpoint.tensors, {"step": str(checkpoint.step)})


def drop_checkpoint(keeper: Keeper, name: str) -> None:
    """Forgets a part that is saved elsewhere: whatever of it lies here has done its service."""
    _path(keeper, name).unlink(missing_ok=True)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """A safetensors file, written aside and renamed, one tensor at a time. Raises StageError where it cannot be.

    The library's own writer holds a copy of all of them in memory, which of a network with its moments is 10 GB.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    at = 0
    for key in (ordered := sorted(tensors)):
        one = tensors[key]
        end = at + one.numel() * one.element_size()
        kind, shape = _KINDS[one.dtype], list(one.shape)
        header[key] = {"dtype": kind, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format wants data that begin at a multiple of 8
    aside = path.with_suffix(".partial")
    try:
        with aside.open("wb") as f:
            f.write(len(text).to_bytes(8, "little") + text)
            for key in ordered:
                flat = tensors[key].detach().cpu().contiguous().reshape(-1)
                f.write(flat.view(torch.uint8).numpy().data)
            f.flush()
            os.fsync(f.fileno())
        aside.replace(path)
    except OSError as problem:
        raise StageError(
            f"{aside}: cannot be written: {problem.strerror}; make room or remove what is there, and run again"
        ) from None


def read_checkpoint(keeper: Keeper, name: str) -> Checkpoint | None:
    """The last checkpoint of this name, or None. Raises StageError for one that cannot be read."""
    path = _path(keeper, name)
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as f:
            step = int((f.metadata() or {})["step"])
            if step < 0:
                raise ValueError(f"it is after step {step}")
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
    remembered = _remembered(optimiser)
    states: dict[int, dict[str, Any]] = {i: {} for i in range(len(learning))}
    for i, (name, parameter) in enumerate(learning.items()):
        prefix = f"{_STATE}/{name}/"
        states[i] = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        own = tensors[f"{_WEIGHT}/{name}"], *states[i].values()
        if own[0].shape != parameter.shape or any(
            t.shape not in ((), parameter.shape) for t in own
        ):
            raise StageError(
                f"checkpoint: {name} is of the shape {list(own[0].shape)}, or what is remembered of it is of another; "
                f"wanted {list(parameter.shape)}; delete it to start anew"
            )
        if states[i].keys() != states[0].keys():
            raise StageError(
                f"checkpoint: of {name} {', '.join(states[i]) or 'nothing'} is remembered, of others "
                f"{', '.join(states[0]) or 'nothing'}; delete it to start anew"
            )
        if states[i] and not remembered <= states[i].keys():
            raise StageError(
                f"checkpoint: of {name} {', '.join(states[i])} is remembered, wanted {', '.join(sorted(remembered))}; "
                "delete it to start anew"
            )
        for key, value in {"weight": own[0], **states[i]}.items():
            kinds = {torch.float32} if remembered == _ADAM else {*_KINDS}
            if value.dtype not in kinds or not value.isfinite().all():
                raise StageError(
                    f"checkpoint: {key} of {name} is {value.dtype} or not finite, wanted finite numbers of full "
                    "precision; delete it to start anew"
                )
        with torch.no_grad():
            parameter.copy_(own[0])
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})


def _remembered(optimiser: torch.optim.Optimizer) -> set[str]:
    """What an optimiser has to remember of each weight; of one that this package does not know, its steps."""
    return _ADAM if isinstance(optimiser, torch.optim.AdamW) else {"step"}


def _split(key: str) -> tuple[str, str]:
    kind, _, name = key.partition("/")
    return kind, name


def _path(keeper: Keeper, name: str) -> Path:
    return keeper.folder / f"{name}.safetensors"
