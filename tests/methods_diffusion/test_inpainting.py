"""Painting over a lesion: the images of a stock pipeline, and nothing outside the mask touched."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    LCMScheduler,
    SASolverScheduler,
    StableDiffusionInpaintPipeline,
)
from masked_toy import Workbench, draw_masked
from PIL import Image
from tiny_pipeline import SIDE, build_pipeline

from tonegap_kit.diffusion.inpainting import Torn, inpaint
from tonegap_kit.diffusion.models import Models, open_models
from tonegap_kit.diffusion.sampling import SamplingRecipe
from tonegap_kit.errors import StageError

QUICK = {"healthy_steps": 3, "sampling_batch": 4, "labels": ["psoriasis"], "ratio": 0.5}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    place = tmp_path_factory.mktemp("pipelines")

    def of(channels: int) -> Path:
        folder = place / f"tiny-{channels}"
        return folder if folder.exists() else build_pipeline(folder, in_channels=channels)

    return of


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    inputs = draw_masked(tmp_path / "toy")
    (tmp_path / "work").mkdir()
    return Workbench(tmp_path / "work", inputs, monkeypatch, capsys)


def _torn() -> Torn:
    """Two images with holes that begin and end where cells of the latent grid do (4 px)."""
    rng = np.random.default_rng(0)
    holes = np.zeros((2, SIDE, SIDE), bool)
    holes[0, 8:20, 4:16] = True
    holes[1, 16:28, 12:32] = True
    return Torn(rng.integers(0, 255, (2, SIDE, SIDE, 3), dtype=np.uint8), holes)


def _stock(
    folder: Path, torn: Torn, prompts: list[str], strength: float, sampler: Any = DDIMScheduler
) -> list[np.ndarray]:
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(
        folder,
        scheduler=sampler.from_pretrained(folder / "scheduler"),
        safety_checker=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return [
        np.asarray(
            pipeline(
                prompt,
                Image.fromarray(image),
                Image.fromarray(hole),
                num_inference_steps=4,
                strength=strength,
                guidance_scale=3.0,
                negative_prompt="dark",
                generator=torch.Generator().manual_seed(seed),
            ).images[0]
        )
        for seed, (prompt, image, hole) in enumerate(
            zip(prompts, torn.images, torn.holes, strict=True)
        )
    ]


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize("channels", [4, 9])
def test_a_batch_gives_the_images_that_the_stock_pipeline_makes_one_by_one(
    channels: int, strength: float, pipelines: Callable[[int], Path]
) -> None:
    folder, torn = pipelines(channels), _torn()
    prompts = ["an image of skin", "a photo of the dark skin"]
    models: Models = open_models(folder, torch.device("cpu"))
    recipe = SamplingRecipe(steps=4, strength=strength, guidance=3.0, batch=2)
    ours = list(inpaint(models, torn, prompts, [0, 1], recipe, "dark"))
    for mine, theirs in zip(ours, _stock(folder, torn, prompts, strength), strict=True):
        assert np.abs(mine.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize("channels", [4, 9])
@pytest.mark.parametrize(
    "sampler", [EulerAncestralDiscreteScheduler, LCMScheduler, SASolverScheduler]
)
def test_a_sampler_that_draws_noise_draws_what_the_stock_pipeline_s_does(
    sampler: Any, channels: int, strength: float, tmp_path: Path
) -> None:
    """The stock pipeline draws for the latents of the masked image, which 4 channels have no use for."""
    folder = build_pipeline(tmp_path / "plain", "eps-pndm", in_channels=channels)
    torn, prompts = _torn(), ["an image of skin", "a photo of the dark skin"]
    models = replace(open_models(folder, torch.device("cpu")), scheduler_class=sampler)
    recipe = SamplingRecipe(steps=4, strength=strength, guidance=3.0, batch=2)
    ours = list(inpaint(models, torn, prompts, [0, 1], recipe, "dark"))
    for mine, theirs in zip(ours, _stock(folder, torn, prompts, strength, sampler), strict=True):
        assert np.abs(mine.astype(int) - theirs).max() <= 1


def test_one_pixel_of_a_hole_is_enough_for_its_cell(pipelines: Callable[[int], Path]) -> None:
    images = np.full((1, SIDE, SIDE, 3), 120, np.uint8)
    recipe = SamplingRecipe(steps=2, strength=1.0, guidance=1.0, batch=1)
    models = open_models(pipelines(4), torch.device("cpu"))

    def painted(*pixels: tuple[int, int]) -> np.ndarray:
        hole = np.zeros((1, SIDE, SIDE), bool)
        for pixel in pixels:
            hole[0][pixel] = True
        return next(inpaint(models, Torn(images, hole), ["skin"], [0], recipe))

    none, last, first = painted(), painted((11, 11)), painted((8, 8))
    assert np.array_equal(last, first)  # both lie in the cell of rows and columns 8 to 11
    assert not np.array_equal(last, none)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_hole_of_one_pixel_is_painted_in_larger_photographs_too(
    pipelines: Callable[[int], Path], factor: int
) -> None:
    models, side = open_models(pipelines(4), torch.device("cpu")), SIDE * factor
    images = np.full((1, side, side, 3), 120, np.uint8)
    recipe = SamplingRecipe(steps=2, strength=1.0, guidance=1.0, batch=1)
    hole = np.zeros((1, side, side), bool)
    untouched = next(inpaint(models, Torn(images, hole), ["skin"], [0], recipe))
    hole[0, 9 * factor + 1, 9 * factor + 1] = True  # no pixel that nearest neighbours look at
    made = next(inpaint(models, Torn(images, hole), ["skin"], [0], recipe))
    assert not np.array_equal(made, untouched)


def test_a_network_that_cannot_paint_is_refused(pipelines: Callable[[int], Path]) -> None:
    models = open_models(pipelines(5), torch.device("cpu"))
    recipe = SamplingRecipe(steps=2, strength=1.0, guidance=1.0, batch=1)
    with pytest.raises(StageError, match="5 input channels; painting needs one of 4, or one of 9"):
        list(inpaint(models, _torn(), ["skin"] * 2, [0, 1], recipe))


def test_healthy_images_are_painted_in_the_mask_alone_and_name_their_source(
    bench: Workbench, pipelines: Callable[[int], Path]
) -> None:
    made = bench.run("cgddi-healthy", "generate", QUICK | {"pipeline": pipelines(4)})
    assert made.code == 0, made.errors
    images = np.load(bench.inputs / "train.npy")
    masks = np.load(bench.inputs / "train_masks.npy")
    tones = {i: t for i, _, t in _lines(bench.inputs)}
    assert len(made.rows) == 12  # half of 24
    for row in made.rows:
        (source,) = row["sources"].split()
        i, image = int(source[1:]), made.image(row)
        changed = (image != images[i]).any(axis=-1)
        assert changed[masks[i] == 1].mean() > 0.9
        # Beyond the grown mask and its soft edge (2 + 6 px) not a pixel differs.
        far = _further_than(np.isin(masks[i], (1, 2)), 10)
        assert not changed[far].any()
        assert (row["label"], row["tone"]) == ("psoriasis", tones[source])


def _lines(folder: Path) -> list[tuple[str, str, str]]:
    lines = (folder / "train.csv").read_text().splitlines()[1:]
    return [(i, label, tone) for i, label, tone in (line.split(",") for line in lines)]


def _further_than(mask: np.ndarray, px: int) -> np.ndarray:
    """Where no pixel of the mask is within a square of `px` pixels each way."""
    near = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        near[max(row - px, 0) : row + px + 1, max(column - px, 0) : column + px + 1] = True
    return ~near


def test_a_task_without_a_class_for_healthy_skin_is_told_so(
    bench: Workbench, pipelines: Callable[[int], Path]
) -> None:
    parameters = QUICK | {"pipeline": pipelines(4), "labels": ["healthy", "benign"]}
    made = bench.run("cgddi-healthy", "generate", parameters)
    assert made.code == 1
    assert "none for healthy skin" in made.errors


def test_lesions_are_mapped_onto_painted_skin_and_the_same_job_gives_the_same_bytes(
    bench: Workbench, pipelines: Callable[[int], Path]
) -> None:
    few = {"healthy_steps": 2, "padding_px": 1, "ratio": 0.25, "pipeline": pipelines(4)}
    once = bench.run("cgddi-lesion-mapping", "generate", few)
    assert once.code == 0, once.errors
    assert all(len(row["sources"].split()) in {1, 2} for row in once.rows)
    assert bench.run("cgddi-lesion-mapping", "generate", few).files() == once.files()
    filled = bench.run("cgddi-lesion-mapping", "generate", few | {"healthy": "filled"})
    assert filled.rows == once.rows  # the same pairs at the same places
    assert filled.files() != once.files()


def test_a_missing_pipeline_is_asked_for_by_name(bench: Workbench) -> None:
    made = bench.run("cgddi-lesion-mapping", "generate", {"ratio": 0.1, "padding_px": 0})
    assert made.code == 1
    assert "parameter pipeline is 'none'" in made.errors


def test_the_prompt_for_healthy_skin_may_name_the_tone(
    bench: Workbench, pipelines: Callable[[int], Path]
) -> None:
    asked = {"pipeline": pipelines(4), "healthy_prompt": "skin of {tone} individual"}
    made = bench.run("cgddi-healthy", "generate", QUICK | asked)
    words = {row["tone"]: row["prompt"] for row in made.rows}
    assert words["VI"] == "skin of a very dark-skinned individual"
    assert words["I"] == "skin of a very light-skinned individual"
