"""The parts of a pipeline folder as they are read from safetensors files, and held against each other.

The mistake it exists to prevent: a part that is cut, quantised, NaN or of another pipeline is opened all the same, and
found out by a traceback or a black image after hours.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers import CLIPTokenizer

from tonegap_kit.command import is_out_of_memory
from tonegap_kit.errors import StageError

_WEIGHTS = re.compile(r"(model|diffusion_pytorch_model)(-\d+-of-\d+)?\.safetensors")
_COUNTED = ("position_ids", "num_batches_tracked")  # whole numbers that are no weights
_OLD = (0, 9, 0)  # before it, a small sample_size is a mistake that the stock pipelines correct
_OLD_SIDE = 64
# What a network may be told besides text; Stable Diffusion's are told nothing else.
_BESIDES_TEXT = (
    "class_embed_type",
    "num_class_embeds",
    "addition_embed_type",
    "encoder_hid_dim",
    "encoder_hid_dim_type",
    "time_cond_proj_dim",
)
# What the libraries raise where a folder's files are damaged, or settings do not go together.
RAISED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    ImportError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
)


def said(problem: BaseException) -> str:
    """The first line of what a library says, with the next where it announces one, or else its error's name.

    Raises the problem itself where it is of the machine (its memory, its GPU) and so of no folder or file.
    """
    if "CUDA error" in str(problem) or is_out_of_memory(problem):
        raise problem
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    if not lines:
        return type(problem).__name__
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def read_part(kind: Any, folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """A part with its weights; half-precision files, in shards or whole, are read where a folder has no plain ones.

    Raises StageError for weights that are whole numbers, quantised, cut, NaN or infinite, and ValueError for what else
    the library finds or misses.
    """
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    plain = [name for name in names if _WEIGHTS.fullmatch(name)]
    halves = [] if plain else [name for name in names if re.search(r"\.fp16[.-]", name)]
    for name in plain or halves:
        check_file(folder / name)
    settings = json.loads((folder / "config.json").read_bytes())
    if not isinstance(settings, dict):
        raise ValueError(f"{folder.name}/config.json holds no settings by name")
    if settings.get("quantization_config") is not None:
        raise StageError(
            f"{folder.name}/config.json: has a quantization_config, wanted weights that are not quantised"
        )
    try:
        part, told = kind.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            variant="fp16" if halves else None,
            output_loading_info=True,
        )
    except RAISED as problem:
        raise ValueError(f"{folder.name}: {said(problem)}") from None
    if lacking := sorted(told["missing_keys"]):
        raise ValueError(
            f"{folder.name} lacks {len(lacking)} of its weights, the first is {lacking[0]}"
        )
    part = part.requires_grad_(False).eval().to(device)
    _check_finite(folder.name, part, dtype)
    return part


def check_file(path: Path) -> None:
    """Raises StageError for a safetensors file that is cut or damaged, or has weights that are whole numbers."""
    where = f"{path.parent.name}/{path.name}"
    try:
        with safe_open(path, "pt") as file:
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as problem:
        raise StageError(
            f"{where}: cannot be read as safetensors ({said(problem)}); copy or download it again"
        ) from None
    whole = next(
        (
            name
            for name, kind in sorted(kinds.items())
            if kind.startswith(("I", "U", "B")) and kind != "BF16" and not name.endswith(_COUNTED)
        ),
        None,
    )
    if whole is not None:
        raise StageError(
            f"{where}: {whole} has whole numbers ({kinds[whole]}), as quantised weights have, wanted weights of "
            "floating point"
        )


def _check_finite(name: str, part: Any, dtype: torch.dtype) -> None:
    # A sum is quicker than a look at each number, and finite only where all of them are.
    suspect = (
        (key, w) for key, w in part.named_parameters() if not w.sum(dtype=torch.float32).isfinite()
    )
    broken = next((key for key, w in suspect if not w.isfinite().all()), None)
    if broken is not None:
        told = "" if dtype == torch.float32 else f" as {dtype}; set precision to full"
        raise StageError(f"{name}: {broken} has NaN or infinite numbers, wanted finite ones{told}")


def read_tokenizer(folder: Path, encoder: Any) -> CLIPTokenizer:
    """The tokenizer in a folder.

    Raises StageError for one without words, or that does not go with the encoder, and ValueError for what the library
    finds.
    """
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except RAISED as problem:
        raise ValueError(f"tokenizer: {said(problem)}") from None
    numbers, known = tokenizer.get_vocab(), encoder.get_input_embeddings().num_embeddings
    if not set(numbers) - set(tokenizer.all_special_tokens):
        raise StageError(
            "tokenizer: has no words, wanted the files of a CLIP tokenizer (vocab.json and merges.txt, or "
            "tokenizer.json)"
        )
    if max(numbers.values()) >= known:
        raise StageError(
            f"tokenizer: numbers its words up to {max(numbers.values())}, the text encoder knows {known}: they are of "
            "different pipelines"
        )
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise StageError(
            f"tokenizer: numbers its {len(numbers)} words with gaps, wanted 0 to {len(numbers) - 1}, as words that are "
            "learned come behind them"
        )
    longest, length = encoder.config.max_position_embeddings, tokenizer.model_max_length
    if type(length) is not int or not 3 <= length <= longest:
        raise StageError(
            f"tokenizer/tokenizer_config.json: model_max_length is {length!r}, wanted 3 to {longest}, which the text "
            "encoder takes"
        )
    lacking = [
        name for name in ("bos_token", "eos_token", "pad_token") if not getattr(tokenizer, name)
    ]
    if lacking:
        raise StageError(f"tokenizer/tokenizer_config.json: has no {lacking[0]}, wanted one")
    return tokenizer


def check_together(unet: Any, vae: Any, encoder: Any) -> None:
    """Raises StageError where the network wants more than text, or the parts are of different pipelines."""
    config = unet.config
    besides = next((k for k in _BESIDES_TEXT if getattr(config, k, None) is not None), None)
    if besides is not None:
        raise StageError(
            f"unet/config.json: {besides} is {getattr(config, besides)!r}, wanted a network that is told nothing but "
            "text, as Stable Diffusion's are"
        )
    width, asked = encoder.config.hidden_size, config.cross_attention_dim
    if {width} != set(asked if isinstance(asked, (list, tuple)) else [asked]):
        raise StageError(
            f"unet/config.json: cross_attention_dim is {asked!r}, the text encoder's words have {width} numbers: they "
            "are of different pipelines"
        )
    if config.out_channels != vae.config.latent_channels:
        raise StageError(
            f"unet/config.json: out_channels is {config.out_channels!r}, the autoencoder's latents have "
            f"{vae.config.latent_channels}: they are of different pipelines"
        )
    scale = vae.config.scaling_factor
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < math.inf:
        raise StageError(
            f"vae/config.json: scaling_factor is {scale!r}, wanted a number above 0, such as 0.18215"
        )


def correct_old_side(unet: Any) -> None:
    """Sets the side of latents that the stock pipelines set for networks saved before diffusers 0.9."""
    config = unet.config
    written = re.match(r"(\d+)\.(\d+)\.(\d+)", str(config.get("_diffusers_version", "")))
    side = config.sample_size
    if (
        written is not None
        and tuple(int(part) for part in written.groups()) < _OLD
        and type(side) is int
        and side < _OLD_SIDE
    ):
        unet.register_to_config(sample_size=_OLD_SIDE)
