"""Rectified-flow pipeline folders with random weights: the classes of Stable Diffusion 3 and Flux, in milliseconds."""

from pathlib import Path

from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from tiny_pipeline import TEXT_LENGTH, WIDTH, _text_encoder, _tokenizer, _vocabulary
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from tonegap_kit.determinism import seed_everything


def build_sd3(folder: Path, with_t5: bool = True) -> Path:
    """Stable Diffusion 3 in small, always with the same weights; its third text encoder may be left out."""
    seed_everything(11)
    StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=32,
            pooled_projection_dim=2 * WIDTH,
            pos_embed_max_size=16,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_autoencoder(),
        text_encoder=_projected(),
        tokenizer=_tokenizer(),
        text_encoder_2=_projected(),
        tokenizer_2=_tokenizer(),
        text_encoder_3=_t5(2 * WIDTH) if with_t5 else None,
        tokenizer_3=_t5_tokenizer() if with_t5 else None,
    ).save_pretrained(folder, safe_serialization=True)
    return folder


def build_flux(folder: Path) -> Path:
    """Flux in small, with guidance as an input of the network, always with the same weights."""
    seed_everything(13)
    FluxPipeline(
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            guidance_embeds=True,
            axes_dims_rope=(4, 4, 8),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_autoencoder(),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(),
        text_encoder_2=_t5(WIDTH),
        tokenizer_2=_t5_tokenizer(),
    ).save_pretrained(folder, safe_serialization=True)
    return folder


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
        scaling_factor=1.5,
        shift_factor=0.06,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def _projected() -> CLIPTextModelWithProjection:
    config = CLIPTextConfig(
        vocab_size=len(_vocabulary()[0]),
        hidden_size=WIDTH,
        projection_dim=WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TEXT_LENGTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return CLIPTextModelWithProjection(config)


def _t5(width: int) -> T5EncoderModel:
    config = T5Config(
        vocab_size=128, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0
    )
    return T5EncoderModel(config)


def _t5_tokenizer() -> T5Tokenizer:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0)]
    pieces += [(chr(c), -4.0) for c in range(97, 123)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=TEXT_LENGTH)
