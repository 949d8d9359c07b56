"""Rectified flows in the two methods that only ask: stock pictures, independence of the batch, and what is refused."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    FluxImg2ImgPipeline,
    FluxPipeline,
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3Pipeline,
)
from masked_toy import Made, Workbench, draw_masked
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_flows import build_flux, build_sd3

TONES = ("I", "II", "III", "IV", "I", "II", "III", "I", "II", "I", "V", "VI")
QUICK: dict[str, Any] = {"sampler": "folder", "sampling_steps": 4, "image_size_px": 32}
STOCK: dict[str, tuple[Any, Any]] = {
    "sd3": (StableDiffusion3Pipeline, StableDiffusion3Img2ImgPipeline),
    "flux": (FluxPipeline, FluxImg2ImgPipeline),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("flows")
    return {"sd3": build_sd3(place / "sd3"), "flux": build_flux(place / "flux")}


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    inputs = draw_masked(tmp_path / "toy", n=12, tones=TONES)
    (tmp_path / "work").mkdir()
    return Workbench(tmp_path / "work", inputs, monkeypatch, capsys)


def made_by(bench: Workbench, method: str, pipeline: Path, **parameters: Any) -> Made:
    return bench.run(method, "generate", QUICK | {"pipeline": pipeline} | parameters)


def farthest(one: np.ndarray, other: np.ndarray) -> int:
    return int(abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("kind", ["sd3", "flux"])
def test_an_image_asked_for_is_the_stock_pipeline_s_alone(
    kind: str, folders: dict[str, Path], bench: Workbench
) -> None:
    made = made_by(bench, "text2img-plain", folders[kind], ratio=0.5, sampling_batch=4)
    assert made.code == 0, made.errors
    assert len(made.rows) > 3
    stock = STOCK[kind][0].from_pretrained(folders[kind])
    stock.set_progress_bar_config(disable=True)
    pictures = []
    for row in made.rows[:3]:
        assert row["tone"] in {"V", "VI"}
        assert row["sources"] == ""
        wanted = stock(
            prompt=row["prompt"],
            height=32,
            width=32,
            num_inference_steps=4,
            guidance_scale=3.0,
            generator=torch.Generator().manual_seed(int(row["seed"])),
            output_type="np",
        ).images[0]
        pictures.append(made.image(row))
        assert farthest(pictures[-1], (wanted * 255).round()) <= 1
    assert farthest(pictures[0], pictures[1]) > 2


@pytest.mark.parametrize("kind", ["sd3", "flux"])
def test_an_image_from_an_image_is_the_stock_pipeline_s_alone(
    kind: str, folders: dict[str, Path], bench: Workbench
) -> None:
    given = {"per_source": 1, "output_px": 32, "strength": 0.75, "sampling_batch": 5}
    made = made_by(bench, "img2img-plain", folders[kind], **given)
    assert made.code == 0, made.errors
    assert len(made.rows) == 9  # seven of a majority tone, two dark ones
    photographs = np.load(bench.inputs / "train.npy")
    stock = STOCK[kind][1].from_pretrained(folders[kind])
    stock.set_progress_bar_config(disable=True)
    for row in made.rows[:2]:
        source = photographs[int(row["sources"].removeprefix("t"))]
        wanted = stock(
            prompt=row["prompt"],
            image=Image.fromarray(source),
            height=32,
            width=32,
            strength=0.75,
            num_inference_steps=4,
            guidance_scale=2.0,
            generator=torch.Generator().manual_seed(int(row["seed"])),
            output_type="np",
        ).images[0]
        assert farthest(made.image(row), (wanted * 255).round()) <= 1
    again = made_by(bench, "img2img-plain", folders[kind], **given)
    assert again.files() == made.files()


def test_stable_diffusion_3_without_its_third_text_encoder_is_read(
    bench: Workbench, tmp_path: Path
) -> None:
    """As it is given away to spare memory: the folder names no part there."""
    small = build_sd3(tmp_path / "small", with_t5=False)
    made = made_by(bench, "text2img-plain", small, ratio=0.5)
    assert made.code == 0, made.errors
    assert made.rows


@pytest.mark.parametrize(
    ("method", "stage", "changed", "said"),
    [
        ("text2img-plain", "generate", {"sampler": "unipc"}, "set sampler to folder"),
        ("text2img-plain", "generate", {"lora": "FILE"}, "lora to none"),
        (
            "img2img-plain",
            "generate",
            {"image_size_px": 40},
            "image_size_px is 40, wanted a multiple",
        ),
        ("skin-diff", "fit", {}, "flows can only be asked, by text2img-plain and img2img-plain"),
    ],
)
def test_what_a_flow_does_not_have_is_refused_in_one_sentence(
    method: str,
    stage: str,
    changed: dict[str, Any],
    said: str,
    folders: dict[str, Path],
    bench: Workbench,
    tmp_path: Path,
) -> None:
    if "lora" in changed:
        changed = {"lora": tmp_path / "lora.safetensors"}
        changed["lora"].write_bytes(b"")
    size = {"image": {"size_px": changed.get("image_size_px", 32), "geometry": "crop"}}
    made = bench.run(method, stage, QUICK | {"pipeline": folders["sd3"]} | changed, **size)
    assert made.code == 1
    assert said in made.errors
    assert made.errors.count("\n") == 1


def test_a_flow_with_a_part_missing_is_refused(
    folders: dict[str, Path], bench: Workbench, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for part in folders["flux"].iterdir():
        if part.name != "transformer":
            (broken / part.name).symlink_to(part)
    made = made_by(bench, "text2img-plain", broken)
    assert made.code == 1
    assert "cannot be read as a FluxPipeline of safetensors files" in made.errors


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("cut", "cannot be read as safetensors (Error while deserializing header"),
        ("quantised", "has whole numbers (I8)"),
    ],
)
def test_a_flow_with_weights_that_are_cut_or_quantised_is_refused(
    damage: str, said: str, folders: dict[str, Path], bench: Workbench, tmp_path: Path
) -> None:
    broken = shutil.copytree(folders["flux"], tmp_path / "broken")
    (path,) = (broken / "transformer").glob("*.safetensors")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    else:
        whole = {name: value.to(torch.int8) for name, value in load_file(path).items()}
        save_file(whole, path, metadata={"format": "pt"})
    made = made_by(bench, "text2img-plain", broken)
    assert made.code == 1
    assert f"transformer/{path.name}: " in made.errors
    assert said in made.errors
    assert made.errors.count("\n") == 1
