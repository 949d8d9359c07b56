"""A pipeline folder of the diffusers library as parts that only compute: no gradient, no download.

Reads safetensors alone. The parts are those of a Stable Diffusion pipeline, whichever of its pipeline
classes the folder names; the noise schedule and the sampler are the folder's own.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from tonegap_kit.command import Stage
from tonegap_kit.determinism import device_of
from tonegap_kit.diffusion.parts import (
    RAISED,
    check_together,
    correct_old_side,
    read_part,
    read_tokenizer,
    said,
)
from tonegap_kit.diffusion.scheduler import read_scheduler, stock_sampler, try_sampler
from tonegap_kit.errors import StageError

_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_ENCODE_BATCH = 16
_TEXT_BATCH = 64
_LARGEST_SIDE = 1024
SAMPLERS = {
    "folder": "",
    "pndm": "PNDMScheduler",
    "ddim": "DDIMScheduler",
    "euler": "EulerDiscreteScheduler",
    "dpm-solver++": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
}
ACCELERATION = ("channels-last", "tf32", "compile", "graphs")
# Rectified flows by the class that a folder names: the classes that sample by text, and from an image.
FLOWS = {
    f"{name}{form}Pipeline": (f"{name}Pipeline", f"{name}Img2ImgPipeline")
    for name in ("StableDiffusion3", "Flux")
    for form in ("", "Img2Img")
}
_PRECISIONS = {"full": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Models:
    """The parts of a pipeline on one device; `dtype` is that of the frozen weights.

    `scheduler_class` and `scheduler_config` make a fresh sampler for each batch: a sampler remembers
    what it did.
    """

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler_class: type[Any]
    scheduler_config: Mapping[str, Any]
    device: torch.device
    dtype: torch.dtype

    @property
    def image_px(self) -> int:
        """The side of images that the pipeline was trained on."""
        return self.latent_shape[1] * self.vae_factor

    @property
    def vae_factor(self) -> int:
        """How many pixels lie along one side of a latent's cell."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image's latents. Raises StageError where images are not square."""
        found = self.unet.config.sample_size
        sides = list(found) if isinstance(found, (list, tuple)) else [found]
        side = sides[0] if sides else None
        same = all(type(one) is int and one == side for one in sides)
        if not isinstance(side, int) or not same or not 0 < side <= _LARGEST_SIDE:
            raise StageError(
                f"unet/config.json: sample_size is {found!r}, wanted one number or the same one twice, the side of "
                f"an image's latents from 1 to {_LARGEST_SIDE}: 64 for images of 512 px"
            )
        return int(self.vae.config.latent_channels), side, side

    def new_sampler(self, *, painting: bool = False) -> Any:
        """A sampler before its first step, set as the stock pipeline sets it that makes images, or that paints."""
        return stock_sampler(self.scheduler_class, self.scheduler_config, painting=painting)

    def noise_schedule(self) -> DDPMScheduler:
        """The forward process: how much noise each of the trained timesteps has."""
        return DDPMScheduler.from_config(dict(self.scheduler_config))


@dataclass(frozen=True, slots=True)
class Latents:
    """What the autoencoder makes of n images: mean and deviation `[n, c, h, w]`, scaled, in main memory."""

    mean: Tensor
    deviation: Tensor

    def __len__(self) -> int:
        return len(self.mean)

    def draw(self, rows: Tensor, noise: Tensor) -> Tensor:
        """Latents of these rows, one draw from each one's distribution by standard normal noise."""
        return self.mean[rows] + self.deviation[rows] * noise


def load_models(stage: Stage, parameter: str = "pipeline", precision: str = "precision") -> Models:
    """The pipeline that a folder parameter names, in the precision and with the sampler that parameters ask for.

    The precision is `auto` (fp16 on a GPU, full on a CPU), `full`, `fp16` or `bf16`. Raises StageError
    if there is no pipeline, or one that cannot be read.
    """
    folder = stage.folder(parameter)
    if folder is None:
        raise StageError(
            f"parameter {parameter} is 'none', wanted a Stable Diffusion pipeline folder as "
            f"PATH#sha256=HEX; `tonegap digest PATH` prints one"
        )
    device = device_of(stage.job.device)
    dtype = dtype_of(stage.job.text(precision), device)
    return open_models(folder, device, dtype, stage.job.text("sampler"))


def with_sampler(models: Models, name: str) -> Models:
    """The models with another sampler of the same noise schedule; `folder` leaves the pipeline's own.

    Raises StageError for a name that is not in SAMPLERS.
    """
    _check_sampler(name)
    if name == "folder":
        return models
    # The config of another sampler is what a stock pipeline hands over: each takes what it knows.
    return replace(models, scheduler_class=getattr(diffusers, SAMPLERS[name]))


def _check_sampler(name: str) -> None:
    if name not in SAMPLERS:
        raise StageError(f"sampler is {name!r}, wanted one of {', '.join(SAMPLERS)}")


def kind_of(folder: Path) -> str:
    """The pipeline class that a folder's `model_index.json` names; empty where it names none."""
    try:
        index = json.loads((folder / "model_index.json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(index.get("_class_name", "")) if isinstance(index, dict) else ""


def open_models(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    sampler: str = "folder",
) -> Models:
    """The pipeline in a folder, with a sampler that `with_sampler` knows.

    Raises StageError naming what is missing, cannot be read, or is of no Stable Diffusion pipeline.
    """
    be_quiet()
    _check_sampler(sampler)
    if kind_of(folder) in FLOWS:
        raise StageError(
            f"{folder}: is a rectified flow ({kind_of(folder)}), wanted a Stable Diffusion pipeline; flows can only be "
            f"asked, by text2img-plain and img2img-plain"
        )
    missing = [part for part in _PARTS if not (folder / part).is_dir()]
    if missing:
        raise StageError(
            f"{folder}: has no {', '.join(missing)}, wanted a pipeline folder with "
            f"{', '.join(_PARTS)}"
        )
    pickled = [part for part in _PARTS[:3] if not any((folder / part).glob("*.safetensors"))]
    if any(path.suffix == ".bin" for part in pickled for path in (folder / part).iterdir()):
        raise StageError(
            f"{folder}: the weights of {', '.join(pickled)} are pickles (.bin), which can run code and are not "
            f'read; write safetensors once: python -c "from diffusers import StableDiffusionPipeline as P; '
            f"P.from_pretrained('{folder.name}', use_safetensors=False).save_pretrained('NEW')\""
        )
    try:
        return _opened(folder, device, dtype, sampler)
    except RAISED as problem:
        raise StageError(
            f"{folder}: cannot be read as a Stable Diffusion pipeline of safetensors files: {said(problem)}"
        ) from None
    except StageError as problem:
        raise StageError(f"{folder}: {problem}") from None


def _opened(folder: Path, device: torch.device, dtype: torch.dtype, sampler: str) -> Models:
    scheduler_class, config = read_scheduler(folder / "scheduler" / "scheduler_config.json")
    unet = read_part(UNet2DConditionModel, folder / "unet", device, dtype)
    vae = read_part(AutoencoderKL, folder / "vae", device, dtype)
    encoder = read_part(CLIPTextModel, folder / "text_encoder", device, dtype)
    tokenizer = read_tokenizer(folder / "tokenizer", encoder)
    check_together(unet, vae, encoder)
    correct_old_side(unet)
    opened = Models(unet, vae, encoder, tokenizer, scheduler_class, config, device, dtype)
    models = with_sampler(opened, sampler)
    try:
        models.noise_schedule()
        for painting in (False, True):
            try_sampler(models.new_sampler(painting=painting))
    except RAISED as problem:
        raise ValueError(
            f"scheduler/scheduler_config.json gives no sampler: {said(problem)}"
        ) from None
    return models


def accelerate(models: Models, means: Sequence[str]) -> None:
    """Has the parts use means that may change an image's last digits, each named in ACCELERATION.

    `tf32` multiplies full-precision numbers with 10 bits of mantissa, `channels-last` lays pixels out as tensor
    cores like them, `compile` has torch compile the network, which takes a minute, and `graphs` does so and has a GPU
    replay its kernels as one (CUDA graphs; without a GPU it is `compile`). Raises StageError for any other.
    """
    accelerate_parts(models.unet, models.vae, means)


def accelerate_parts(network: Any, vae: Any, means: Sequence[str]) -> None:
    """The same for a network of any kind and an autoencoder."""
    check_acceleration(means)
    if "tf32" in means:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    if "channels-last" in means:
        for part in (network, vae):
            part.to(memory_format=torch.channels_last)
    if {"compile", "graphs"}.intersection(means):
        torch.use_deterministic_algorithms(True)  # here the compiler's own switch matters too
        network.compile(mode="reduce-overhead" if "graphs" in means else "default")


def check_acceleration(means: Sequence[str]) -> None:
    """Raises StageError for a means that is not in ACCELERATION."""
    unknown = [name for name in means if name not in ACCELERATION]
    if unknown:
        raise StageError(
            f"acceleration: found {unknown[0]!r}, wanted some of {', '.join(ACCELERATION)}"
        )


def spare_memory(models: Models) -> None:
    """Has the parts need less memory and more time: checkpointed gradients, decoding in slices and tiles.

    Training is not changed by it; images may be by a grey level. Attention stays torch's fused one, which
    needs no more memory than slices of it.
    """
    models.unet.enable_gradient_checkpointing()
    models.vae.enable_slicing()
    models.vae.enable_tiling()


def encode_images(
    models: Models,
    images: NDArray[np.uint8],
    side_px: int | None = None,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
) -> Latents:
    """The latents of images `uint8 [n, h, w, 3]`, resized to `side_px`, or else to the pipeline's side."""
    means, deviations = [], []
    with torch.inference_mode():
        for start in range(0, len(images), _ENCODE_BATCH):
            taken = images[start : start + _ENCODE_BATCH]
            chunk = as_input(taken, side_px or models.image_px, resample)
            found = models.vae.encode(chunk.to(models.device, models.dtype)).latent_dist
            means.append(found.mean.float().cpu())
            deviations.append(found.std.float().cpu())
    if not means:
        raise StageError("no image was given to encode, wanted one or more")
    scale = models.vae.config.scaling_factor
    # Clones: a tensor made in inference mode may not take part in training.
    return Latents(torch.cat(means).clone() * scale, torch.cat(deviations).clone() * scale)


def decode_latents(models: Models, latents: Tensor) -> NDArray[np.uint8]:
    """Images `uint8 [n, h, w, 3]` of scaled latents [n, c, h, w]. Raises StageError for one that is not finite."""
    latents = latents.to(models.device, models.dtype) / models.vae.config.scaling_factor
    with torch.inference_mode():
        decoded = models.vae.decode(latents, return_dict=False)[0]
    if not decoded.isfinite().all():
        raise StageError(
            f"sampling in {models.dtype} gave images of NaN or infinite numbers, wanted finite ones; look at the "
            "weights given, or set precision to full"
        )
    grey = (decoded.float() / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
    return np.asarray((grey * 255).round(), np.uint8)


def embed_prompts(models: Models, prompts: Sequence[str]) -> Tensor:
    """What the text encoder says of each prompt, [n, tokens, width]; each distinct one is encoded once."""
    distinct = list(dict.fromkeys(prompts))
    with torch.inference_mode():
        ids = token_ids(models, distinct)
        parts = [ids[i : i + _TEXT_BATCH] for i in range(0, len(ids), _TEXT_BATCH)]
        found = torch.cat([encode_ids(models, part) for part in parts])
    place = {prompt: i for i, prompt in enumerate(distinct)}
    return found.clone()[[place[prompt] for prompt in prompts]]


def token_ids(models: Models, prompts: Sequence[str]) -> Tensor:
    """Token numbers of prompts, [n, tokens], padded; a placeholder of several vectors is spelled out."""
    tokenizer = models.tokenizer
    spelled = [spell_out(prompt, tokenizer.get_added_vocab()) for prompt in prompts]
    length = tokenizer.model_max_length
    found = tokenizer(
        spelled, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
    ids: Tensor = found.input_ids
    return ids


def encode_ids(models: Models, ids: Tensor) -> Tensor:
    """What the text encoder says of token numbers, [n, tokens, width]."""
    mask = None
    if getattr(models.text_encoder.config, "use_attention_mask", False):
        mask = prompt_mask(models, ids).to(models.device)
    found: Tensor = models.text_encoder(ids.to(models.device), attention_mask=mask)[0]
    return found


def prompt_mask(models: Models, ids: Tensor) -> Tensor:
    """1 for a prompt's token numbers [n, tokens] up to its end token, and 0 for what it is padded with.

    As the tokenizer's own mask, also where it pads with the end token or with one that may be in a prompt.
    """
    end, pad = models.tokenizer.eos_token_id, models.tokenizer.pad_token_id
    trailing = (ids == pad).long().flip(1).cumprod(dim=1).flip(1)
    mask: Tensor = 1 - trailing
    if pad == end:  # the first of the trailing ones ends the prompt
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, :-1]], dim=1)
    return mask


def spell_out(prompt: str, added: Mapping[str, int]) -> str:
    """The prompt with each placeholder of several vectors followed by its other names: `t t_1 t_2`.

    A placeholder within another's name is no placeholder, as for the tokenizer: the longest name at a place counts.
    """
    if not added:
        return prompt
    longest_first = sorted(added, key=len, reverse=True)

    def spelled(found: re.Match[str]) -> str:
        names, k = [found[0]], 1
        while f"{found[0]}_{k}" in added:
            names.append(f"{found[0]}_{k}")
            k += 1
        return " ".join(names)

    return re.sub("|".join(re.escape(token) for token in longest_first), spelled, prompt)


def add_tokens(models: Models, learned: Mapping[str, Tensor]) -> None:
    """Teaches tokenizer and text encoder these placeholders, each with its vectors [v, width].

    Raises StageError for one that they know already.
    """
    if not learned:
        return
    tokenizer, encoder = models.tokenizer, models.text_encoder
    names = [name for token, found in learned.items() for name in vector_names(token, len(found))]
    known = set(tokenizer.get_vocab()) & set(names)
    if known or len(set(names)) < len(names):
        raise StageError(f"placeholder {min(known or names)!r} is a word of the pipeline already")
    width = encoder.get_input_embeddings().embedding_dim
    other = next((token for token, found in learned.items() if found.shape[1] != width), None)
    if other is not None:
        raise StageError(
            f"placeholder {other!r} has vectors of {learned[other].shape[1]} numbers, this pipeline's words have "
            f"{width}: it was learned with another one"
        )
    tokenizer.add_tokens(names)
    # Not drawn at random from the old rows, as the library would: every new row is set below.
    encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    table = encoder.get_input_embeddings().weight.requires_grad_(False)
    rows = tokenizer.convert_tokens_to_ids(names)
    table[rows] = torch.cat(list(learned.values())).to(table.device, table.dtype)


def vector_names(token: str, n: int) -> list[str]:
    """The words of a placeholder of n vectors: `t`, `t_1`, `t_2` …"""
    return [token, *(f"{token}_{k}" for k in range(1, n))]


def as_input(
    images: NDArray[np.uint8], side: int, resample: Image.Resampling = Image.Resampling.BILINEAR
) -> Tensor:
    """Images as `float32 [n, 3, side, side]` from -1 to 1, resized where they differ."""
    if images.shape[1:3] != (side, side):
        images = np.stack([resized(image, side, resample) for image in images])
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def resized(
    image: NDArray[np.uint8], side: int, resample: Image.Resampling = Image.Resampling.BICUBIC
) -> NDArray[np.uint8]:
    """An image [side, side, 3], stretched; bicubic as in the papers' scripts, which leave it to Pillow."""
    picture = Image.fromarray(image).resize((side, side), resample)
    return np.asarray(picture, np.uint8)


def dtype_of(precision: str, device: torch.device) -> torch.dtype:
    """The numbers that `auto`, `full`, `fp16` or `bf16` means on a device. Raises StageError for any other."""
    if precision == "auto":
        precision = "fp16" if device.type == "cuda" else "full"
    if precision not in _PRECISIONS:
        raise StageError(f"precision is {precision!r}, wanted auto, {', '.join(_PRECISIONS)}")
    if precision != "full" and device.type != "cuda":
        raise StageError(f"precision is {precision!r}, which needs device 'cuda'; use 'full'")
    return _PRECISIONS[precision]


def be_quiet() -> None:
    """Leaves warnings and progress bars of the libraries out of the log."""
    diffusers.utils.logging.set_verbosity(diffusers.utils.logging.CRITICAL)  # errors are raised too
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
