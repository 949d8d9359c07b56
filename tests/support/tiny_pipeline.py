"""A Stable Diffusion pipeline folder with random weights: the classes of the full-size one, in milliseconds."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tonegap_kit.determinism import seed_everything

SIDE, WIDTH, TEXT_LENGTH = 32, 16, 40
_WORDS = (
    *("a", "an", "image", "photo", "of", "on", "the", "skin", "very", "light", "dark"),
    *("skinned", "individual", "rendering", "cropped"),
)
_SCHEDULERS = {
    "v-zero": lambda: DDIMScheduler(
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    ),
    "eps-pndm": lambda: PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    ),
}


def build_pipeline(folder: Path, schedule: str = "v-zero", in_channels: int = 4) -> Path:
    """The folder, with a pipeline of 32 px images and random weights, always the same ones.

    `schedule` is `v-zero` (v-prediction, DDIM) or `eps-pndm` (as Stable Diffusion 1 and 2.1-base);
    9 input channels make an inpainting network.
    """
    seed_everything(7)
    pipeline = StableDiffusionPipeline(
        vae=_autoencoder(),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(),
        unet=_network(in_channels),
        scheduler=_SCHEDULERS[schedule](),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _network(in_channels: int) -> UNet2DConditionModel:
    unet = UNet2DConditionModel(
        sample_size=SIDE // 4,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    # As it is drawn, the network hardly listens to the text; a test of captions needs one that does.
    with torch.no_grad():
        for name, weight in unet.named_parameters():
            if "attn2.to_out" in name or "attn2.to_v" in name:
                weight.mul_(8)
    return unet


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=SIDE,
        scaling_factor=0.8,
    )


def _text_encoder() -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(_vocabulary()[0]),
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TEXT_LENGTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return CLIPTextModel(config)


def _tokenizer() -> CLIPTokenizer:
    vocabulary, merges = _vocabulary()
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TEXT_LENGTH)


def _vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Printable letters, the same at a word's end, and the words above, laid out as CLIP does."""
    letters = [chr(c) for c in range(33, 127)]
    merges: list[tuple[str, str]] = []
    for word in _WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            pair = (pieces[0], pieces[1])
            if pair not in merges:
                merges.append(pair)
            pieces = ["".join(pair), *pieces[2:]]
    ends = [f"{letter}</w>" for letter in letters]
    names = ["<|startoftext|>", "<|endoftext|>", *letters, *ends, *("".join(m) for m in merges)]
    return {name: i for i, name in enumerate(dict.fromkeys(names))}, merges
