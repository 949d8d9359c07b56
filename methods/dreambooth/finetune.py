"""The whole denoising network trained on captioned images, as DreamBooth does it.

It learns on a copy in full precision, so that the pipeline that was read stays what it was.

Source: Ruiz et al. 2022, arXiv 2208.12242.
"""

import copy
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tonegap_kit.diffusion.lora import CaptionedSides, captioned_loss
from tonegap_kit.diffusion.models import Models
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch, run_steps
from tonegap_kit.errors import StageError


def finetune(
    models: Models,
    sides: CaptionedSides,
    recipe: StepRecipe,
    seed: int,
    watch: Watch,
) -> Models:
    """The models with a network that was trained; those that were given stay as they are."""
    tuned = replace(models, unet=copy.deepcopy(models.unet).float().requires_grad_(True))
    learning = dict(tuned.unet.named_parameters())
    run_steps(tuned, learning, recipe, captioned_loss(tuned, sides, recipe.batch, seed), watch)
    tuned.unet.requires_grad_(False)
    return replace(tuned, unet=tuned.unet.to(models.dtype))


def save_network(path: Path, models: Models) -> Path:
    """The file with the network's weights, named as the library's UNet2DConditionModel names them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.cpu().contiguous() for k, v in models.unet.state_dict().items()}, path)
    return path


def with_network(models: Models, path: Path) -> Models:
    """The models with the weights of a file that `save_network` left. Raises StageError if they do not fit."""
    try:
        weights = load_file(path)
        unet = copy.deepcopy(models.unet)
        unet.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError) as problem:
        raise StageError(
            f"{path}: holds no weights of this pipeline's network: {str(problem).splitlines()[0]}"
        ) from None
    return replace(models, unet=unet.to(models.device, models.dtype))
