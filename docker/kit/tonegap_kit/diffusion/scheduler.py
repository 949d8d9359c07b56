"""A pipeline folder's noise schedule as samplers: read, set as the stock pipelines set it, and tried out.

The mistake it exists to prevent: a sampler of the settings as they lie in the folder. The stock pipelines of the
diffusers library change some of them when they are built, and make other images with them.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import Tensor

_TRIED_STEPS = (
    4,
    12,
)  # of 4 alone, a second-order sampler may make NaN where it makes none of more


def read_scheduler(path: Path) -> tuple[type[Any], dict[str, Any]]:
    """The class that a `scheduler_config.json` names, and its settings. Raises ValueError for none of diffusion."""
    config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise ValueError("scheduler/scheduler_config.json holds no settings by name")
    name = config.get("_class_name")
    found = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, diffusers.SchedulerMixin)):
        raise ValueError(f"scheduler {name!r} is none that diffusers has")
    if not hasattr(found, "add_noise"):
        raise ValueError(f"scheduler {found.__name__} is of no Stable Diffusion pipeline")
    return found, config


def stock_sampler(kind: type[Any], config: Mapping[str, Any], *, painting: bool = False) -> Any:
    """A sampler as a stock pipeline has it that is built with it: by text or from an image, or `painting`.

    All set `steps_offset` to 1. Those by text and from an image never clip latents. The one that paints leaves out the
    Runge-Kutta steps of a folder for PNDM, and clips where the folder does not say that it should not. One that
    replaces the folder's is set so too, but for the Runge-Kutta steps.
    """
    sampler = kind.from_config(dict(config))
    if getattr(sampler.config, "steps_offset", 1) != 1:
        sampler.register_to_config(steps_offset=1)
    if not painting and getattr(sampler.config, "clip_sample", False) is True:
        sampler.register_to_config(clip_sample=False)
    # A sampler that replaces the folder's comes after the stock pipeline was built.
    own = config.get("_class_name") == kind.__name__
    if painting and own and getattr(sampler.config, "skip_prk_steps", True) is False:
        sampler.register_to_config(skip_prk_steps=True)
    return sampler


def try_sampler(sampler: Any) -> None:
    """Takes a few steps with latents of one number. Raises what the library does, or ValueError without a number."""
    draws = [torch.Generator().manual_seed(0)]
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        few, more = _TRIED_STEPS
        sampler.set_timesteps(min(more, max(few, sampler.config.num_train_timesteps // 2)))
        if hasattr(
            sampler, "set_begin_index"
        ):  # as sampling does: a timestep may stand there twice
            sampler.set_begin_index(0)
        x = torch.full((1, 4, 8, 8), 0.5)
        first = sampler.add_noise(x, x, sampler.timesteps[:1])
        x = x * sampler.init_noise_sigma
        step = stepper(sampler, draws)
        for t in sampler.timesteps:
            x = step(sampler.scale_model_input(x, t) * 0.1, t, x)
    if not (first.isfinite().all() and x.isfinite().all()):
        raise ValueError(f"scheduler {type(sampler).__name__} gives NaN or infinite numbers")


def stepper(
    sampler: Any, draws: Sequence[torch.Generator]
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The sampler's step; one that adds noise takes it from each image's own generator.

    Where a sampler has an eta, it is 0, as the stock pipelines call it.
    """
    known = inspect.signature(sampler.step).parameters
    given = {"generator": list(draws), "eta": 0.0}
    given = {name: value for name, value in given.items() if name in known}

    def step(found: Tensor, t: Tensor, x: Tensor) -> Tensor:
        stepped: Tensor = sampler.step(found, t, x, return_dict=False, **given)[0]
        return stepped

    return step
