"""Pipeline folders of full size with random weights: the architectures of Stable Diffusion, the vocabulary of CLIP.

    python tests/support/full_pipelines.py sd21 FOLDER [LATENT_SIDE]

Half precision in safetensors, as the originals are downloaded; 2 to 2.7 GB, written in about half a minute. With
LATENT_SIDE 8 a folder says that its images are of 64 px: the networks are the same, and a step costs a CPU seconds.
The vocabulary is in the package open_clip_torch (requirements/fullsize.txt), which need only lie on the path.

Sources: configurations of stable-diffusion-v1-5, -2-1-base, -2-1 (v-prediction) and -inpainting.
"""

import gzip
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from tonegap_kit.diffusion.checkpoint import write_tensors

TOKENS = 49_408


@dataclass(frozen=True)
class Kind:
    """What tells one Stable Diffusion from another: its text encoder's width and its network."""

    width: int
    network: Mapping[str, Any]
    text: Mapping[str, Any]
    pad: str
    prediction: str = "epsilon"


_SD1 = {"cross_attention_dim": 768, "attention_head_dim": 8}
_SD2 = {
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}
_TEXT1 = {"num_hidden_layers": 12, "num_attention_heads": 12, "hidden_act": "quick_gelu"}
_TEXT2 = {"num_hidden_layers": 23, "num_attention_heads": 16, "hidden_act": "gelu"}
KINDS = {
    "sd15": Kind(768, _SD1, _TEXT1, "<|endoftext|>"),
    "sd21": Kind(1024, _SD2, _TEXT2, "!"),
    "sd21-v": Kind(1024, _SD2, _TEXT2, "!", "v_prediction"),
    "inpainting": Kind(768, {**_SD1, "in_channels": 9}, _TEXT1, "<|endoftext|>"),
}


def vocabulary() -> Path | None:
    """CLIP's list of merges in the package open_clip_torch, None where that is not installed."""
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "bpe_simple_vocab_16e6.txt.gz"
    return path if path.is_file() else None


def write_pipeline(folder: Path, name: str, latent_side: int = 64) -> Path:
    """The folder, with the pipeline of that name in KINDS."""
    kind = KINDS[name]
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=latent_side, **kind.network)
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=4,
            sample_size=8 * latent_side,
        )
        text = CLIPTextModel(_text_config(kind))
    _save(folder / "unet", unet, "diffusion_pytorch_model")
    _save(folder / "vae", vae, "diffusion_pytorch_model")
    _save(folder / "text_encoder", text, "model")
    _write_tokenizer(folder / "tokenizer", kind.pad)
    _scheduler(kind).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", type(_scheduler(kind)).__name__],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _text_config(kind: Kind) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=TOKENS,
        hidden_size=kind.width,
        intermediate_size=4 * kind.width,
        max_position_embeddings=77,
        bos_token_id=TOKENS - 2,
        eos_token_id=TOKENS - 1,
        pad_token_id=TOKENS - 1 if kind.pad != "!" else 0,
        **kind.text,
    )


def _scheduler(kind: Kind) -> Any:
    shared = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "prediction_type": kind.prediction,
    }
    if kind.prediction == "v_prediction":
        return DDIMScheduler(clip_sample=False, **shared)
    return PNDMScheduler(skip_prk_steps=True, **shared)


def _save(folder: Path, part: Any, stem: str) -> None:
    """Configuration and random weights; a weight exists in memory only while it is written."""
    folder.mkdir(parents=True)
    part.save_config(folder) if hasattr(part, "save_config") else part.config.save_pretrained(
        folder
    )
    write_tensors(folder / f"{stem}.safetensors", _Drawn(part), {"format": "pt"})


class _Drawn(Mapping[str, Tensor]):
    """Half-precision weights of a part's shapes, each drawn when it is asked for, from its name."""

    def __init__(self, part: nn.Module) -> None:
        norms = {
            f"{name}.weight"
            for name, module in part.named_modules()
            if isinstance(module, (nn.LayerNorm, nn.GroupNorm))
        }
        self._norms, self._shapes = norms, {k: v.shape for k, v in part.state_dict().items()}

    def __getitem__(self, name: str) -> Tensor:
        shape = self._shapes[name]
        if name in self._norms:
            return torch.ones(shape, dtype=torch.float16)
        if name.endswith("bias"):
            return torch.zeros(shape, dtype=torch.float16)
        rng = torch.Generator().manual_seed(sum(name.encode()))
        spread = min(0.02, (shape[1:].numel() or 1) ** -0.5)
        return (torch.randn(shape, generator=rng) * spread).half()

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def _write_tokenizer(folder: Path, pad: str) -> None:
    path = vocabulary()
    if path is None:
        raise SystemExit(
            "open_clip_torch is not on the path: pip install --no-deps -r requirements/fullsize.txt"
        )
    merges = gzip.decompress(path.read_bytes()).decode().split("\n")[1 : 49_152 - 256 - 2 + 1]
    letters = _byte_letters()
    words = [*letters, *(f"{c}</w>" for c in letters), *(m.replace(" ", "") for m in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": pad,
        "do_lower_case": True,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def _byte_letters() -> list[str]:
    """A printable letter for each of 256 bytes, in the order of CLIP's vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = 256 - len(plain)
    return [chr(n) for n in plain] + [chr(256 + n) for n in range(others)]


if __name__ == "__main__":
    write_pipeline(Path(sys.argv[2]), sys.argv[1], *(int(word) for word in sys.argv[3:]))
