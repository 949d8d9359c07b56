"""Samplers: the same image alone, in any batch, and from a stock pipeline."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import (
    DDPMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
)
from PIL import Image

from tonegap_kit.diffusion.models import decode_latents, encode_images, open_models
from tonegap_kit.diffusion.sampling import SamplingRecipe, img2img, text2img
from tonegap_kit.errors import StageError

CPU = torch.device("cpu")
PROMPTS = ["a photo of light skin", "the dark skin", "a photo of light skin", "an image", "skin"]
SEEDS = [3, 4, 5, 6, 7]
RECIPE = SamplingRecipe(steps=6, strength=0.5, guidance=3.0, batch=5)


def differ(one, other):
    """The largest difference of two lists of images, in grey levels."""
    return max(
        int(np.abs(np.asarray(a, int) - np.asarray(b, int)).max())
        for a, b in zip(one, other, strict=True)
    )


def decoded(monkeypatch, run):
    """The latents that a run decodes: images are rounded to 8 bits, which hides small differences."""
    seen = []
    monkeypatch.setattr(
        "tonegap_kit.diffusion.sampling.decode_latents",
        lambda models, latents: (seen.append(latents), np.zeros((len(latents), 1, 1, 3)))[1],
    )
    list(run())
    return torch.cat(seen)


@pytest.mark.parametrize("folder", ["pipeline_folder", "plain_folder"])
def test_an_image_is_the_same_alone_and_in_any_batch(folder, request, monkeypatch):
    models = open_models(request.getfixturevalue(folder), CPU)
    whole, single, odd = (
        decoded(monkeypatch, lambda b=b: text2img(models, PROMPTS, SEEDS, replace(RECIPE, batch=b)))
        for b in (5, 1, 3)
    )
    assert whole.std() > 0.1
    assert (whole - single).abs().max() < 1e-4
    assert (whole - odd).abs().max() < 1e-4


def test_an_image_made_from_an_image_is_the_same_alone_and_in_any_batch(
    models, images, monkeypatch
):
    latents = encode_images(models, images)
    rows = [0, 0, 1, 5, 2]
    whole, single = (
        decoded(
            monkeypatch,
            lambda b=b: img2img(models, latents, rows, PROMPTS, SEEDS, replace(RECIPE, batch=b)),
        )
        for b in (5, 1)
    )
    assert (whole - single).abs().max() < 1e-4


def test_a_sampler_that_adds_noise_keeps_each_image_to_itself(plain_folder, monkeypatch):
    models = replace(open_models(plain_folder, CPU), scheduler_class=DDPMScheduler)
    whole, single = (
        decoded(monkeypatch, lambda b=b: text2img(models, PROMPTS, SEEDS, replace(RECIPE, batch=b)))
        for b in (5, 1)
    )
    assert (whole - single).abs().max() < 1e-4


@pytest.mark.parametrize("folder", ["pipeline_folder", "plain_folder"])
def test_text_gives_the_image_of_a_stock_pipeline(folder, request):
    where = request.getfixturevalue(folder)
    pipeline = StableDiffusionPipeline.from_pretrained(where)
    pipeline.set_progress_bar_config(disable=True)
    stock = pipeline(
        PROMPTS[:2],
        num_inference_steps=6,
        guidance_scale=3.0,
        generator=[torch.Generator().manual_seed(s) for s in SEEDS[:2]],
        output_type="np",
    ).images
    ours = list(text2img(open_models(where, CPU), PROMPTS[:2], SEEDS[:2], RECIPE))
    assert differ(ours, (stock * 255).round()) <= 1


@pytest.mark.parametrize("folder", ["pipeline_folder", "plain_folder"])
def test_an_image_gives_the_image_of_a_stock_pipeline(folder, request, images):
    where = request.getfixturevalue(folder)
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(where)
    pipeline.set_progress_bar_config(disable=True)
    stock = pipeline(
        PROMPTS[:2],
        image=[Image.fromarray(images[i]) for i in (4, 1)],
        strength=0.5,
        num_inference_steps=6,
        guidance_scale=3.0,
        generator=[torch.Generator().manual_seed(s) for s in SEEDS[:2]],
        output_type="np",
    ).images
    models = open_models(where, CPU)
    made = img2img(models, encode_images(models, images), [4, 1], PROMPTS[:2], SEEDS[:2], RECIPE)
    assert differ(list(made), (stock * 255).round()) <= 1


def test_without_guidance_the_empty_prompt_is_never_shown(models, monkeypatch):
    sizes = []
    forward = models.unet.forward
    monkeypatch.setattr(
        models.unet, "forward", lambda x, *a, **k: (sizes.append(len(x)), forward(x, *a, **k))[1]
    )
    list(text2img(models, PROMPTS[:2], SEEDS[:2], replace(RECIPE, guidance=1.0)))
    assert set(sizes) == {2}


def test_another_seed_and_another_prompt_give_other_images(models):
    one, other_seed, other_prompt = text2img(
        models, ["skin", "skin", "dark"], [1, 2, 1], replace(RECIPE, guidance=7.0)
    )
    assert differ([one], [other_seed]) > 2
    assert differ([one], [other_prompt]) > 0


def test_no_prompt_gives_no_image(models):
    assert list(text2img(models, [], [], RECIPE)) == []


def test_a_seed_too_few_is_refused(models):
    with pytest.raises(StageError, match="2 prompts and 1 seeds"):
        list(text2img(models, PROMPTS[:2], [1], RECIPE))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 10, "strength": 0.05}, "does no step at all"),
        ({"strength": 0.0}, "above 0"),
        ({"strength": 1.5}, "at most 1"),
        ({"steps": 0}, "steps are 0"),
        ({"batch": 0}, "batch is 0"),
    ],
)
def test_a_recipe_that_makes_nothing_is_refused(change, said):
    with pytest.raises(StageError, match=said):
        replace(RECIPE, **change)


def test_the_paper_s_recipe_does_half_of_its_steps():
    assert SamplingRecipe(steps=100, strength=0.5, guidance=2.0, batch=1).done_steps == 50


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_latents_that_are_no_finite_numbers_give_no_black_image(models, number):
    with pytest.raises(StageError, match="gave images of NaN or infinite numbers"):
        decode_latents(models, torch.full((1, *models.latent_shape), number))
