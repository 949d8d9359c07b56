"""What sampling would refuse, said from parameters and a pipeline's settings before anything is learned.

The mistake it exists to prevent: a `fit` of hours whose `generate` ends at its first line.
"""

import inspect
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import diffusers
from torch import Tensor
from transformers import CLIPTokenizer

from tonegap_kit.command import Stage
from tonegap_kit.diffusion.inversion import InversionRecipe, check_unknown, initial_id
from tonegap_kit.diffusion.models import FLOWS, SAMPLERS, be_quiet, kind_of
from tonegap_kit.diffusion.parts import RAISED
from tonegap_kit.errors import StageError
from tonegap_kit.synthetic import LARGEST_PX

_TRAINED_STEPS = 1000  # what a scheduler has that does not say how many
_PNDM_STEPS = 4


def check_steps(stage: Stage, name: str = "sampling_steps", pipeline: str = "pipeline") -> None:
    """Raises StageError where the parameter `name` asks for more steps than the pipeline's noise schedule has.

    Or for fewer than PNDM's first ones, of Runge and Kutta. A rectified flow has no such limit; a folder that cannot be
    read is left to who opens it.
    """
    folder, steps = stage.folder(pipeline), stage.job.integer(name)
    if folder is None or kind_of(folder) in FLOWS:
        return
    told = _settings(folder / "scheduler" / "scheduler_config.json")
    trained = told.get("num_train_timesteps", _TRAINED_STEPS)
    if type(trained) is not int or trained < 1:
        return
    sampler = str(stage.job.parameters.get("sampler", "folder"))
    by_pndm = _sampler_class(told, sampler) is diffusers.PNDMScheduler
    if by_pndm and told.get("skip_prk_steps") is not True and 0 < steps < _PNDM_STEPS:
        raise StageError(
            f"{name} is {steps}, wanted at least {_PNDM_STEPS}, which PNDM begins with where the folder's "
            "scheduler_config.json does not say skip_prk_steps"
        )
    # With leading timesteps all are moved by one, as the stock pipelines set it: the first of all of them is not there.
    most = trained - (_spacing(told, sampler) == "leading")
    if steps > most:
        raise StageError(
            f"{name} is {steps}, wanted at most {most}, as the pipeline was trained on {trained} steps"
        )


def _sampler_class(told: Mapping[str, Any], sampler: str) -> Any:
    return getattr(diffusers, SAMPLERS.get(sampler) or str(told.get("_class_name")), None)


def _spacing(told: Mapping[str, Any], sampler: str) -> object:
    """Where timesteps lie: as the folder says, or else as the class of the sampler has it."""
    kind = _sampler_class(told, sampler)
    known = inspect.signature(kind).parameters if isinstance(kind, type) else {}
    own = known["timestep_spacing"].default if "timestep_spacing" in known else "leading"
    return told.get("timestep_spacing", own)


def check_side(name: str, side: int) -> None:
    """Raises StageError where images of a side, which the parameter `name` says, could not be handed over."""
    if not 1 <= side <= LARGEST_PX:
        raise StageError(f"{name} is {side}, wanted a side of 1 to {LARGEST_PX:,} pixels")


def check_plain(stage: Stage, also: str = "") -> None:
    """Raises StageError where `pipeline` is none, or its settings are of a network that was trained to paint.

    `also` is what the sentence of the latter ends with.
    """
    folder = stage.folder("pipeline")
    if folder is None:
        raise StageError(
            "parameter pipeline is 'none', wanted a Stable Diffusion pipeline folder as PATH#sha256=HEX; "
            "`tonegap digest PATH` prints one"
        )
    if kind_of(folder) in FLOWS:
        return  # said where it is opened
    latents = _settings(folder / "vae" / "config.json").get("latent_channels", 4)
    found = _settings(folder / "unet" / "config.json").get("in_channels", 4)
    if found != latents:
        raise StageError(
            f"pipeline: its network has {found} input channels, as inpainting weights have, wanted {latents} to "
            f"learn and sample with; give a plain Stable Diffusion folder{also}"
        )


def check_words(
    stage: Stage, tokens: Collection[str], recipe: InversionRecipe, given: Mapping[str, Tensor]
) -> None:
    """Raises StageError where the pipeline's tokenizer knows a placeholder, or not the word that learning begins with.

    Where words are `given` nothing begins with one. A tokenizer that cannot be read is left to who opens the pipeline.
    """
    folder = stage.folder("pipeline")
    if folder is None or not (folder / "tokenizer").is_dir():
        return
    be_quiet()
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except RAISED:
        return
    if given:
        check_unknown(tokenizer, {token: len(vectors) for token, vectors in given.items()})
        return
    initial_id(tokenizer, recipe.initial_token)
    check_unknown(tokenizer, dict.fromkeys(tokens, recipe.vectors))


def _settings(path: Path) -> dict[str, Any]:
    """A part's settings by name; none where they cannot be read, which is said where the part is."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
