"""LoRA: small additions to the attention of the denoising network that learn in its place.

Captions are encoded once, which is all that a frozen text encoder has to do. Trained additions are
merged into the network for sampling: the same images, without the cost of a side path in every layer.

Source: Hu et al. 2021, arXiv 2106.09685; prior preservation: Ruiz et al. 2022, arXiv 2208.12242.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin as Loader
from diffusers.utils import (
    convert_state_dict_to_diffusers,
    convert_unet_state_dict_to_peft,
)
from numpy.typing import NDArray
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tonegap_kit.diffusion.models import Models, be_quiet, embed_prompts
from tonegap_kit.diffusion.noise_loop import (
    Drawn,
    LossOfBatch,
    StepRecipe,
    Watch,
    generator_of,
    noise_losses,
    run_steps,
    shuffled_rows,
)
from tonegap_kit.diffusion.parts import RAISED, said
from tonegap_kit.errors import StageError

FILE = "pytorch_lora_weights.safetensors"
_METADATA = "lora_adapter_metadata"  # where the diffusers library looks for rank and alpha
_HALVES = [
    pair
    for a, b in (("lora_A", "lora_B"), ("lora.down", "lora.up"), ("lora_down", "lora_up"))
    for pair in ((a, b), (b, a))
]
ATTENTION = ("to_k", "to_q", "to_v", "to_out.0")


@dataclass(frozen=True, slots=True)
class LoraRecipe:
    """How additions of rank `rank`, scaled by alpha / rank, to the layers `targets` are learned.

    `prior_weight` is how much the error on prior images counts beside that on the others; `prior_tied`: a step's
    prior images have the numbers of its examples, round and round, instead of draws of their own.
    """

    steps: StepRecipe
    rank: int
    alpha: int
    targets: tuple[str, ...] = ATTENTION
    prior_weight: float = 1.0
    prior_tied: bool = False

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1:
            raise StageError(f"rank is {self.rank} and alpha is {self.alpha}, wanted 1 or more")


@dataclass(frozen=True, slots=True)
class Captioned:
    """Training images: `rows` of those that `encoded` draws, with a caption each; drawn by `weights` if any.

    Without weights, all rows in random order, one round after another; with them, rows are drawn with
    replacement, a row of twice the weight twice as often.
    """

    encoded: Drawn
    rows: Tensor
    prompts: tuple[str, ...]
    weights: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.rows)
        if (
            n == 0
            or len(self.prompts) != n
            or (self.weights is not None and len(self.weights) != n)
        ):
            raise StageError(
                f"{n} training images, wanted 1 or more, with a caption and weight each"
            )


@dataclass(frozen=True, slots=True)
class CaptionedSides:
    """What a network learns from, and what it is to keep making meanwhile, which counts `prior_weight` times."""

    examples: Captioned
    prior: Captioned | None
    prior_weight: float
    prior_tied: bool = False


def train_lora(
    models: Models,
    examples: Captioned,
    prior: Captioned | None,
    recipe: LoraRecipe,
    seed: int,
    watch: Watch,
) -> dict[str, Tensor]:
    """What is learned, by the names that the diffusers library gives them; the network stays as it is.

    With `prior` images, each batch has as many of them, and their mean error counts `prior_weight`
    times: the network is to keep what it makes of them.
    """
    sides = CaptionedSides(examples, prior, recipe.prior_weight, recipe.prior_tied)
    loss = captioned_loss(models, sides, recipe.steps.batch, seed)
    return train_additions(models, loss, recipe, seed, watch)


def train_additions(
    models: Models, loss: LossOfBatch, recipe: LoraRecipe, seed: int, watch: Watch
) -> dict[str, Tensor]:
    """What additions to the network learn from a loss, by the names that the diffusers library gives them.

    They start at nothing, as LoRA does, and are gone afterwards: the network stays as it is.
    """
    unet = models.unet
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        unet.add_adapter(_config(recipe))
    try:
        learning = {name: p for name, p in unet.named_parameters() if p.requires_grad}
        for weight in learning.values():
            weight.data = weight.data.float()
        run_steps(models, learning, recipe.steps, loss, watch)
        found = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
        return {name: value.detach().cpu().clone() for name, value in found.items()}
    finally:
        unet.unload_lora()


def save_lora(folder: Path, learned: dict[str, Tensor], recipe: LoraRecipe) -> Path:
    """The file in a folder, in the form of diffusers' `load_lora_weights`, with its rank and alpha."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {f"unet.{key}": value for key, value in _config(recipe).to_dict().items()}
    config["unet.target_modules"] = sorted(recipe.targets)
    # The library's own writer adds a second key, and safetensors orders keys at random.
    metadata = {_METADATA: json.dumps(config, sort_keys=True)}
    named = {f"unet.{name}": value.contiguous() for name, value in learned.items()}
    save_file(named, folder / FILE, metadata=metadata)
    return folder / FILE


@contextmanager
def merged_lora(models: Models, path: Path | None) -> Iterator[None]:
    """Has the file's additions merged into the network, and takes them out to the last bit afterwards."""
    if path is None:
        yield
        return
    unet = models.unet
    _load_additions(unet, path.name, *read_additions(path))
    adapted = {name: module for name, module in unet.named_modules() if hasattr(module, "lora_A")}
    before = {
        f"{name}.{key}": weight.clone()
        for name, module in adapted.items()
        for key, weight in module.base_layer.state_dict().items()
    }
    del adapted
    unet.fuse_lora()
    unet.unload_lora()
    try:
        yield
    finally:
        unet.load_state_dict(before, strict=False)


def _load_additions(
    unet: Any, file: str, additions: dict[str, Tensor], alphas: Any, metadata: Any
) -> None:
    """Has additions lie beside the network's layers. Raises StageError unless each has reached a layer."""
    named = {
        name: next(iter(convert_unet_state_dict_to_peft({name.removeprefix("unet."): value})))
        for name, value in additions.items()
    }
    layers = {name for name, _ in unet.named_modules()}
    astray = [name for name, own in named.items() if own.partition(".lora_")[0] not in layers]
    try:
        if not astray:
            Loader.load_lora_into_unet(
                additions,
                network_alphas=alphas,
                unet=unet,
                adapter_name="default",
                metadata=metadata,
            )
            reached = get_peft_model_state_dict(unet)
            astray = [name for name, own in named.items() if own not in reached]
    except RAISED as problem:
        unet.unload_lora()
        first, told = said(problem), str(problem).split("size mismatch")[-1].split("\n")[0]
        raise StageError(
            f"{file}: a LoRA of another network than the pipeline's: {told.strip() or first}"
        ) from None
    if astray:
        unet.unload_lora()
        raise StageError(
            f"{file}: {astray[0]} is an addition to no layer of the pipeline's network, wanted one of this network as "
            f"diffusers' save_lora_weights leaves it"
        )


def check_fits(path: Path, pipeline: Path) -> None:
    """Raises StageError for a LoRA with an addition to no layer of the network in a pipeline folder.

    Reads the network's settings and none of its weights; where they cannot be read, the folder says so when opened.
    """
    be_quiet()
    try:
        settings = json.loads((pipeline / "unet" / "config.json").read_bytes())
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(settings)
    except RAISED:
        return
    additions, alphas, metadata = read_additions(path)
    shapes = {name: value.to("meta") for name, value in additions.items()}
    _load_additions(unet, path.name, shapes, alphas, metadata)


def read_additions(path: Path) -> tuple[dict[str, Tensor], Any, Any]:
    """A LoRA's additions, alphas and metadata in any form that diffusers' `load_lora_weights` takes.

    Where each layer has an alpha of its own, as kohya's files do, the second half of an addition comes multiplied by
    alpha / rank of its layer, and there are no alphas.

    Raises StageError for a file without additions to a denoising network, or with some to another part, or with
    numbers that are whole, or not finite.
    """
    try:
        found: tuple[dict[str, Tensor], Any, Any] = Loader.lora_state_dict(
            path.parent, weight_name=path.name, return_lora_metadata=True
        )
        with safe_open(path, "pt") as file:
            names = list(file.keys())
    except RAISED as problem:
        raise StageError(
            f"{path.name}: cannot be read as a LoRA, wanted safetensors as diffusers' save_lora_weights leaves them: "
            f"{said(problem)}"
        ) from None
    additions, alphas, metadata = found
    _check_additions(path.name, additions)
    if dropped := next((name for name in names if name.endswith("dora_scale")), None):
        raise StageError(
            f"{path.name}: {dropped} is a scale of DoRA in a form that the diffusers library passes over, wanted "
            "lora_magnitude_vector as peft writes it"
        )
    _check_metadata(path.name, metadata)
    if alphas and metadata is None:
        return _scaled(path.name, additions, alphas), None, None
    return found


def _check_additions(file: str, additions: Mapping[str, Tensor]) -> None:
    kinds = {name.partition(".")[0] for name in additions}
    if kinds != {"unet"}:
        raise StageError(
            f"{file}: a LoRA of {', '.join(sorted(kinds)) or 'nothing'}, wanted one of the denoising network "
            f"(unet) alone"
        )
    for name, value in additions.items():
        half, other = next(((a, b) for a, b in _HALVES if a in name), ("", ""))
        if half and name.replace(half, other) not in additions:
            raise StageError(
                f"{file}: has {name} and no {name.replace(half, other)}, wanted both halves of each addition"
            )
        if not value.is_floating_point():
            raise StageError(
                f"{file}: {name} has whole numbers ({value.dtype}), wanted weights of floating point"
            )
        if not value.float().isfinite().all():
            raise StageError(f"{file}: {name} has NaN or infinite numbers, wanted finite ones")


def _check_metadata(file: str, metadata: Any) -> None:
    """Raises StageError for settings in a file's header that are none, or an alpha that is no finite number."""
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise StageError(f"{file}: {_METADATA} is no object of settings by name")
    pattern = metadata.get("unet.alpha_pattern") or {}
    if not isinstance(pattern, dict):
        raise StageError(
            f"{file}: {_METADATA}: unet.alpha_pattern is {pattern!r}, wanted an object"
        )
    for name, alpha in {"lora_alpha": metadata.get("unet.lora_alpha", 1), **pattern}.items():
        if type(alpha) not in (int, float) or not math.isfinite(alpha) or alpha == 0:
            raise StageError(
                f"{file}: {_METADATA}: {name} is {alpha!r}, wanted a finite number, not 0"
            )


def _scaled(
    file: str, additions: dict[str, Tensor], alphas: Mapping[str, float]
) -> dict[str, Tensor]:
    """The additions with alpha / rank of each layer in their second half.

    The library would keep one alpha, that of most layers: it looks others up by names that no layer has.
    """
    scaled = dict(additions)
    for key, alpha in alphas.items():
        name = key.removesuffix(".alpha")
        down = name if name in additions else f"{name}.lora.down.weight"
        up = down.replace(".down.", ".up.")
        if not math.isfinite(alpha) or alpha == 0:
            raise StageError(f"{file}: alpha of {name} is {alpha}, wanted a finite number, not 0")
        if down not in additions or len(additions[down]) == 0:
            raise StageError(f"{file}: has an alpha of {name} and no addition to it")
        scaled[up] = additions[up].float() * (alpha / len(additions[down]))
    return scaled


def captioned_loss(models: Models, sides: CaptionedSides, batch: int, seed: int) -> LossOfBatch:
    """The error on `batch` examples, and on as many prior images where there are any, by the batch's number."""
    schedule = models.noise_schedule()
    drawn_from = [_Side(models, sides.examples, seed, "examples")]
    if sides.prior is not None:
        drawn_from.append(_Side(models, sides.prior, seed, "prior"))
    shares = torch.tensor([1.0, sides.prior_weight][: len(drawn_from)], device=models.device)

    def loss(number: int) -> Tensor:
        drawn: list[tuple[Tensor, Tensor]] = []
        at = torch.empty(0)
        for side in drawn_from:
            rng = generator_of(seed, side.name, "images", number)
            tied = sides.prior_tied and len(drawn) > 0
            at = at % len(side) if tied else side.choose(number, batch, rng)
            drawn.append(side.draw(at, rng))
        clean, text = (torch.cat(part) for part in zip(*drawn, strict=True))
        draws = [side.noise(number) for side in drawn_from]
        losses = noise_losses(models, schedule, clean, text, draws)
        return torch.sum(losses.view(len(drawn_from), -1).mean(dim=1) * shares)

    return loss


class _Side:
    """One kind of training images and what is drawn of it in each batch."""

    def __init__(self, models: Models, examples: Captioned, seed: int, name: str) -> None:
        self._examples, self._seed, self.name = examples, seed, name
        distinct = list(dict.fromkeys(examples.prompts))
        self._table = embed_prompts(models, distinct)
        place = {prompt: i for i, prompt in enumerate(distinct)}
        self._caption = torch.tensor([place[prompt] for prompt in examples.prompts])

    def __len__(self) -> int:
        return len(self._caption)

    def choose(self, number: int, count: int, rng: torch.Generator) -> Tensor:
        """Which of the images batch `number` has, by their places [count]."""
        weights = self._examples.weights
        if weights is None:
            return shuffled_rows(len(self), number * count, count, self._seed, self.name)
        return torch.multinomial(torch.from_numpy(weights), count, replacement=True, generator=rng)

    def draw(self, at: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents and captions [count, ...] of the images at these places."""
        clean = self._examples.encoded.draw(self._examples.rows[at], rng)
        return clean, self._table[self._caption[at].to(self._table.device)]

    def noise(self, number: int) -> torch.Generator:
        """What the noise of batch `number` is drawn from."""
        return generator_of(self._seed, self.name, "noise", number)


def _config(recipe: LoraRecipe) -> LoraConfig:
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        init_lora_weights="gaussian",
        target_modules=list(recipe.targets),
    )
