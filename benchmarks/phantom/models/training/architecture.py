"""The parts of the pipeline before anything is learned, and the folder they are kept in."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from benchmarks.phantom.models.training.captions import corpus
from benchmarks.phantom.models.training.pictures import SIZE_PX, classes
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

_WIDTH = 64  # of text embeddings
_TOKENS = 32  # of a prompt, start and end included; longer ones are cut
_LATENTS = 4
_FACTOR = 4  # pixels to a latent
_END_OF_WORD = "</w>"
_SPECIALS = ("<|startoftext|>", "<|endoftext|>")


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a StableDiffusionPipeline that hold something learned."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL


def build_parts(seed: int) -> Parts:
    """Parts with random weights that follow from `seed`."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer()
    return Parts(tokenizer, _text_encoder(tokenizer), _unet(), _vae())


def build_tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer whose byte pairs were merged until every word of the captions is one token.

    Laid out as CLIP's own: bytes, bytes that end a word, merges in their order, start, end.
    """
    untrained = CLIPTokenizer().backend_tokenizer
    alphabet = sorted(ByteLevel.alphabet())
    trainer = BpeTrainer(
        vocab_size=5000,
        initial_alphabet=alphabet,
        end_of_word_suffix=_END_OF_WORD,
        show_progress=False,
    )
    untrained.train_from_iterator(corpus(classes()), trainer)
    merges = [tuple(pair) for pair in json.loads(untrained.to_str())["model"]["merges"]]
    units = [*alphabet, *(byte + _END_OF_WORD for byte in alphabet)]
    units += [one + other for one, other in merges]
    vocabulary = {unit: i for i, unit in enumerate(dict.fromkeys([*units, *_SPECIALS]))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=_TOKENS)


def build_scheduler() -> DDIMScheduler:
    """Noise that ends in nothing but noise.

    With Stable Diffusion's own schedule the last step keeps a trace of the picture's mean, so a model
    learns to take its brightness from the noise and the tone asked for is lost (Lin et al. 2024).
    """
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
        clip_sample=False,
    )


def build_pipeline(parts: Parts) -> StableDiffusionPipeline:
    """The stock pipeline of these parts, without a safety checker."""
    pipeline = StableDiffusionPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=parts.unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_pipeline(parts: Parts, folder: Path) -> None:
    """Leaves the pipeline in `folder`; the two large parts in half precision.

    The text encoder stays in single precision: transformers loads a file in the precision it has,
    diffusers does not, and a stock pipeline must not get parts of two kinds.
    """
    pipeline = build_pipeline(parts)
    pipeline.unet.half()
    pipeline.vae.half()
    pipeline.save_pretrained(folder, safe_serialization=True)
    pipeline.unet.float()
    pipeline.vae.float()


def load_parts(folder: Path) -> Parts:
    """The parts of a saved pipeline, in single precision, on the CPU. Nothing is downloaded."""
    found = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    return Parts(found.tokenizer, found.text_encoder, found.unet, found.vae)


def _text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=4 * _WIDTH,
        projection_dim=_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def _unet() -> UNet2DConditionModel:
    """Attention to the prompt on both levels: on the coarser alone, tones were not followed."""
    return UNet2DConditionModel(
        sample_size=SIZE_PX // _FACTOR,
        in_channels=_LATENTS,
        out_channels=_LATENTS,
        layers_per_block=1,
        block_out_channels=(48, 96),
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=_LATENTS,
        norm_num_groups=8,
        sample_size=SIZE_PX,
        mid_block_add_attention=False,
    )
