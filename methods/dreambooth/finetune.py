"""The whole denoising network trained on captioned images, as DreamBooth does it.

The network learns in place: a copy of it would be the 3.4 GB that a host of 16 GiB has not. Who trains another
one reads the pipeline's own weights back first.

Source: Ruiz et al. 2022, arXiv 2208.12242.
"""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from tonegap_kit.diffusion.checkpoint import drop_checkpoint, write_tensors
from tonegap_kit.diffusion.lora import CaptionedSides, captioned_loss
from tonegap_kit.diffusion.models import Models
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch, run_steps
from tonegap_kit.errors import StageError


def finetune(
    models: Models, sides: CaptionedSides, recipe: StepRecipe, seed: int, watch: Watch
) -> None:
    """Trains the models' network in full precision and where it is.

    Captions are encoded by then and nothing is decoded: what would do that is emptied, 0.6 GiB at full size, and the
    models are of no use afterwards but for their network.
    """
    models.unet.float().requires_grad_(True)
    loss = captioned_loss(models, sides, recipe.batch, seed)
    for part in (models.text_encoder, models.vae.decoder):
        part.to("meta")
    run_steps(
        models, dict(models.unet.named_parameters()), recipe, loss, replace(watch, keep_last=False)
    )
    models.unet.zero_grad(set_to_none=True)
    models.unet.requires_grad_(False).to(models.dtype)


def save_network(path: Path, models: Models, dtype: torch.dtype, watch: Watch) -> None:
    """Leaves the network's weights in place of its checkpoint, named as diffusers' UNet2DConditionModel names them."""
    weights = {name: weight.to(dtype) for name, weight in models.unet.state_dict().items()}
    write_tensors(path, weights, {"format": "pt"})
    if watch.keeper is not None:
        drop_checkpoint(watch.keeper, watch.name)


def check_network(models: Models, path: Path) -> None:
    """Raises StageError for a file that is no network of these models as `save_network` leaves it."""
    own = models.unet.state_dict()
    try:
        with safe_open(path, framework="pt") as f:
            found = {name: f.get_slice(name) for name in f.keys()}  # noqa: SIM118
            shapes = {name: list(part.get_shape()) for name, part in found.items()}
            whole = shapes == {name: list(weight.shape) for name, weight in own.items()}
            if whole and all(f.get_tensor(name).isfinite().all() for name in own):
                return
    except (OSError, SafetensorError, RuntimeError):
        pass
    raise StageError(
        f"{path}: is no finished network of this pipeline, whose {len(own)} weights are finite numbers; delete it to "
        "train it anew"
    )


def load_network(models: Models, path: Path) -> None:
    """Gives the models the weights of a file that `save_network` left, one by one.

    Raises StageError if they do not fit.
    """
    own = models.unet.state_dict()
    try:
        with safe_open(path, framework="pt") as f:
            names = set(f.keys())
            if names != set(own):
                raise StageError(
                    f"{path}: holds {len(names)} weights, wanted the network's {len(own)}"
                )
            for name, weight in own.items():
                weight.copy_(f.get_tensor(name))
    except (OSError, SafetensorError, RuntimeError) as problem:
        raise StageError(
            f"{path}: holds no weights of this pipeline's network: {str(problem).splitlines()[0]}"
        ) from None
