"""The noise schedule of a folder: set as the stock pipelines set it, and refused where it gives no sampler."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)
from PIL import Image

from tonegap_kit.diffusion.inpainting import Torn, inpaint
from tonegap_kit.diffusion.models import encode_images, open_models, with_sampler
from tonegap_kit.diffusion.sampling import SamplingRecipe, img2img, text2img
from tonegap_kit.diffusion.scheduler import stock_sampler, try_sampler
from tonegap_kit.errors import StageError

CPU = torch.device("cpu")
PROMPT, SEED = "a photo of the dark skin", 5
RECIPE = SamplingRecipe(steps=6, strength=0.5, guidance=3.0, batch=1)
Changed = Callable[..., Path]
# The stock pipelines say which settings they set.
TOLD = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture
def changed(pipeline_folder: Path, plain_folder: Path, tmp_path: Path) -> Changed:
    """A folder's copy with another scheduler, given to the stock pipelines too, and other settings; None drops one."""

    def copied(plain: bool, kind: str, **settings: Any) -> Path:
        folder = shutil.copytree(plain_folder if plain else pipeline_folder, tmp_path / "copy")
        path, index = folder / "scheduler" / "scheduler_config.json", folder / "model_index.json"
        found = json.loads(path.read_text()) | settings | {"_class_name": kind}
        path.write_text(json.dumps({k: v for k, v in found.items() if v is not None}))
        parts = json.loads(index.read_text())
        index.write_text(json.dumps(parts | {"scheduler": ["diffusers", kind]}))
        return folder

    return copied


def stock(kind: Any, folder: Path, **asked: Any) -> np.ndarray:
    """The stock pipeline's image, made alone."""
    pipeline = kind.from_pretrained(folder, safety_checker=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    found = pipeline(
        PROMPT,
        num_inference_steps=RECIPE.steps,
        guidance_scale=RECIPE.guidance,
        generator=torch.Generator().manual_seed(SEED),
        output_type="np",
        **asked,
    ).images[0]
    return np.asarray((found * 255).round())


def farthest(ours: np.ndarray, theirs: np.ndarray) -> int:
    return int(np.abs(ours.astype(int) - theirs).max())


@TOLD
@pytest.mark.parametrize(
    ("plain", "kind", "settings"),
    [
        (False, "DDIMScheduler", {"clip_sample": None, "steps_offset": None}),
        (True, "DDIMScheduler", {"steps_offset": 0, "clip_sample": True}),
        (True, "DDPMScheduler", {"steps_offset": None}),
        (True, "LCMScheduler", {}),
        (True, "PNDMScheduler", {"steps_offset": None}),
        (True, "PNDMScheduler", {"skip_prk_steps": False}),
        (True, "EulerDiscreteScheduler", {"steps_offset": 0}),
    ],
)
def test_images_are_those_of_the_stock_pipelines_whatever_the_folder_leaves_unsaid(
    plain: bool, kind: str, settings: dict[str, Any], changed: Changed, images: np.ndarray
) -> None:
    folder = changed(plain, kind, **settings)
    models, source = open_models(folder, CPU), Image.fromarray(images[1])
    hole = np.zeros((1, *images.shape[1:3]), bool)
    hole[0, 8:20, 4:16] = True
    (by_text,) = text2img(models, [PROMPT], [SEED], RECIPE)
    latents = encode_images(models, images[1:2])
    (from_image,) = img2img(models, latents, [0], [PROMPT], [SEED], RECIPE)
    (painted,) = inpaint(models, Torn(images[1:2], hole), [PROMPT], [SEED], RECIPE)
    given = {"image": source, "strength": RECIPE.strength}
    mask = Image.fromarray(hole[0])
    assert farthest(by_text, stock(StableDiffusionPipeline, folder)) <= 1
    assert farthest(from_image, stock(StableDiffusionImg2ImgPipeline, folder, **given)) <= 1
    theirs = stock(StableDiffusionInpaintPipeline, folder, mask_image=mask, **given)
    assert farthest(painted, theirs) <= 1


def test_clipping_would_be_seen(changed: Changed) -> None:
    """The folder of the test above, with a sampler of its settings as they lie there."""
    models = open_models(changed(True, "DDIMScheduler"), CPU)
    raw = DDIMScheduler.from_config(dict(models.scheduler_config))
    assert raw.config.clip_sample is True
    raw.set_timesteps(6)
    own = models.new_sampler()
    own.set_timesteps(6)
    t, x = own.timesteps[0], torch.full((1, 4, 8, 8), 0.5)
    one, other = (s.step(x * 30, t, x, return_dict=False)[0] for s in (raw, own))
    assert (one - other).abs().max() > 0.1


@TOLD
def test_a_sampler_that_replaces_the_folder_s_never_clips_latents_either(
    plain_folder: Path,
) -> None:
    """As a stock pipeline that is built with it; the folder, for PNDM, says nothing of clipping."""
    models = with_sampler(open_models(plain_folder, CPU), "ddim")
    built = StableDiffusionPipeline.from_pretrained(
        plain_folder, scheduler=DDIMScheduler.from_pretrained(plain_folder / "scheduler")
    )
    assert built.scheduler.config.clip_sample is False
    assert models.new_sampler().config.clip_sample is False


def test_only_a_folder_s_own_pndm_loses_its_runge_kutta_steps_where_it_paints() -> None:
    own = {"_class_name": "PNDMScheduler", "skip_prk_steps": False}
    kept = stock_sampler(PNDMScheduler, own)
    painting = stock_sampler(PNDMScheduler, own, painting=True)
    replacing = stock_sampler(PNDMScheduler, {"_class_name": "DDIMScheduler"}, painting=True)
    assert [s.config.skip_prk_steps for s in (kept, painting, replacing)] == [False, True, False]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([1], "holds no settings by name"),
        (None, "holds no settings by name"),
        ({"_class_name": ["DDIMScheduler"]}, r"scheduler \['DDIMScheduler'\] is none"),
        ({"_class_name": 3}, "scheduler 3 is none"),
        ({"_class_name": "KarrasVeScheduler"}, "gives no sampler: "),
        ({"_class_name": "UnCLIPScheduler"}, "gives no sampler: "),
        ({"_class_name": "AmusedScheduler"}, "gives no sampler: "),
        ({"num_train_timesteps": 0}, "gives no sampler: "),
        ({"num_train_timesteps": "1000"}, "gives no sampler: "),
        ({"beta_start": "x"}, "gives no sampler: "),
        ({"beta_start": float("nan")}, "gives no sampler: .* gives NaN or infinite numbers"),
        ({"beta_schedule": "quadratic"}, "gives no sampler: quadratic"),
        ({"timestep_spacing": "wide"}, "gives no sampler: wide"),
        ({"prediction_type": "x0"}, "gives no sampler: .*x0"),
    ],
)
def test_settings_that_give_no_sampler_are_told_when_the_folder_is_opened(
    settings: Any, said: str, pipeline_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(pipeline_folder, tmp_path / "copy")
    path = folder / "scheduler" / "scheduler_config.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | settings if isinstance(settings, dict) else settings))
    with pytest.raises(StageError, match=said) as told:
        open_models(folder, CPU)
    assert "\n" not in str(told.value)


def test_trying_a_sampler_that_draws_leaves_the_common_generator_alone(changed: Changed) -> None:
    folder = changed(True, "DDPMScheduler")
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    models = open_models(folder, CPU)
    assert models.scheduler_class is DDPMScheduler
    assert torch.equal(torch.rand(2), wanted)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("KDPM2AncestralDiscreteScheduler", {}),
        ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    ],
)
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
def test_a_sampler_that_makes_pictures_is_taken(kind: str, settings: dict[str, Any]) -> None:
    """The first makes NaN of four steps alone; the second has one timestep twice."""
    try_sampler(
        getattr(diffusers, kind)(
            beta_schedule="squaredcos_cap_v2", timestep_spacing="linspace", **settings
        )
    )
