"""Half precision on a GPU, and the speed at full size with random weights: run with `-m gpu`."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from tiny_pipeline import build_pipeline
from transformers import CLIPTextConfig, CLIPTextModel

from tonegap_kit.diffusion.inversion import Concepts, InversionRecipe, learn_tokens
from tonegap_kit.diffusion.lora import Captioned, LoraRecipe, merged_lora, save_lora, train_lora
from tonegap_kit.diffusion.models import encode_images, open_models, spare_memory
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch, encode_examples
from tonegap_kit.diffusion.sampling import SamplingRecipe, img2img

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
STEPS = StepRecipe(steps=3, batch=2, accumulation=2, learning_rate=1e-2, max_grad_norm=1.0)
RECIPE = SamplingRecipe(steps=8, strength=0.5, guidance=2.0, batch=5)
PROMPTS = ["a photo of skin", "an image of dark skin", "skin", "light", "dark"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("spare", [False, True])
def test_all_parts_run_in_every_precision(pipeline_folder, images, dtype, spare, tmp_path):
    models = open_models(pipeline_folder, torch.device("cuda"), dtype)
    if spare:
        spare_memory(models)
    encoded = encode_examples(models, images, mirror=True)
    words = InversionRecipe(replace(STEPS, max_grad_norm=0.0), 1, "skin", ("a photo of a {}",))
    own = Concepts(encoded, {"red-class": torch.arange(3), "blu-class": torch.arange(3, 6)})
    learned = learn_tokens(models, own, words, 0, Watch("words"))
    assert all(torch.isfinite(vectors).all() for vectors in learned.values())
    lora = LoraRecipe(STEPS, rank=2, alpha=2)
    examples = Captioned(encoded, torch.arange(5), tuple(PROMPTS))
    path = save_lora(tmp_path, train_lora(models, examples, None, lora, 0, Watch("lora")), lora)
    latents = encode_images(models, images)
    with merged_lora(models, path):
        runs = [
            np.stack(
                list(
                    img2img(models, latents, range(5), PROMPTS, range(5), replace(RECIPE, batch=b))
                )
            ).astype(int)
            for b in (5, 1)
        ]
    assert abs(runs[0] - runs[1]).max() <= (1 if dtype == torch.float32 else 24)
    assert abs(runs[0] - runs[1]).mean() < 1


def test_the_parts_are_faster_than_the_papers_loops_at_full_size(tmp_path, capsys):
    path = Path(__file__).parents[2] / "benchmarks_of_code" / "bench_diffusion.py"
    spec = importlib.util.spec_from_file_location("bench_diffusion", path)
    bench_diffusion = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench_diffusion)
    (tmp_path / "work").mkdir()
    folder = full_size(tmp_path)
    bench = bench_diffusion.open_bench(folder, "cuda", tmp_path / "work")
    faster = {
        "LoRA": bench_diffusion.lora(bench)[0],
        "word": bench_diffusion.inversion(bench)[0],
        "sampling": bench_diffusion.sampling(bench, 5)[0],
    }
    with capsys.disabled():
        bench_diffusion._tell(f"full size: {faster}")
    assert min(found.median for found in faster.values()) > 1


def full_size(place):
    """A pipeline folder with the shapes of Stable Diffusion 2.1-base, half precision, random weights."""
    small = StableDiffusionPipeline.from_pretrained(build_pipeline(place / "small", "eps-pndm"))
    text = CLIPTextConfig(
        vocab_size=small.text_encoder.config.vocab_size,
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=23,
        num_attention_heads=16,
        max_position_embeddings=77,
        hidden_act="gelu",
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    unet = UNet2DConditionModel(
        sample_size=64,
        cross_attention_dim=1024,
        attention_head_dim=(5, 10, 20, 20),
        use_linear_projection=True,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )
    small.tokenizer.model_max_length = 77
    large = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=small.tokenizer,
        unet=unet,
        scheduler=small.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    large.to(torch.float16).save_pretrained(place / "full")
    return place / "full"
