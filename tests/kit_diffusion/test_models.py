"""Pipeline folders as people have them: which files are read, and what is said of those that cannot be."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, TCDScheduler
from PIL import Image
from safetensors.torch import load_file, save_file

from tonegap_kit.diffusion.models import (
    SAMPLERS,
    accelerate,
    accelerate_parts,
    encode_images,
    open_models,
    prompt_mask,
    resized,
    spare_memory,
    token_ids,
    with_sampler,
)
from tonegap_kit.diffusion.sampling import SamplingRecipe, img2img, text2img
from tonegap_kit.errors import StageError

CPU = torch.device("cpu")
WHOLE = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(pipeline_folder, tmp_path):
    """A copy of the tiny pipeline that a test may change."""
    return shutil.copytree(pipeline_folder, tmp_path / "copy")


def configured(folder, **changes):
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return open_models(folder, CPU)


def same_network(folder, other):
    one, two = (open_models(place, CPU).unet.state_dict() for place in (folder, other))
    return all(torch.equal(one[name], two[name]) for name in one)


def test_a_sample_size_of_the_same_number_twice_is_one_number(folder, models):
    assert configured(folder, sample_size=[8, 8]).latent_shape == models.latent_shape == (4, 8, 8)


@pytest.mark.parametrize(
    "size", [[8, 16], None, [], 0, -8, True, 8.0, 100_000, {}, [8, True], [[8], [8]]]
)
def test_another_sample_size_is_refused_with_what_to_write(folder, size):
    found = configured(folder, sample_size=size)
    with pytest.raises(StageError, match=f"sample_size is {re.escape(repr(size))}, wanted one"):
        _ = found.image_px


def test_settings_that_are_a_list_are_said_to_be_none(folder):
    (folder / "unet" / "config.json").write_text("[]")
    with pytest.raises(StageError, match=r"unet/config\.json holds no settings by name"):
        open_models(folder, CPU)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_weight_that_is_missing_is_named(folder, part):
    (path,) = (folder / part).glob("*.safetensors")
    tensors = load_file(path)
    gone = sorted(name for name in tensors if name.endswith("weight"))[0]
    save_file({k: v for k, v in tensors.items() if k != gone}, path, metadata={"format": "pt"})
    with pytest.raises(StageError, match=f"{part} lacks 1 of its weights, the first is .*weight"):
        open_models(folder, CPU)


def test_half_precision_in_shards_is_read_as_diffusers_writes_it(folder, pipeline_folder):
    stock = StableDiffusionPipeline.from_pretrained(pipeline_folder)
    shutil.rmtree(folder / "unet")
    stock.unet.half().save_pretrained(folder / "unet", variant="fp16", max_shard_size="40KB")
    names = [path.name for path in (folder / "unet").glob("*.safetensors")]
    assert len(names) > 1
    assert all(".fp16-0" in name for name in names)
    rounded = open_models(pipeline_folder, CPU).unet.half().float().state_dict()
    read = open_models(folder, CPU).unet.state_dict()
    assert all(torch.equal(read[name], rounded[name]) for name in read)


def test_half_precision_is_read_beside_weights_without_averaging(folder, pipeline_folder):
    unet = folder / "unet"
    (unet / WHOLE).rename(unet / "diffusion_pytorch_model.fp16.safetensors")
    (unet / "diffusion_pytorch_model.non_ema.safetensors").write_bytes(b"never read")
    assert same_network(folder, pipeline_folder)


def test_a_small_side_of_a_network_of_old_is_the_mistake_that_stock_pipelines_correct(folder):
    """Saved before diffusers 0.9 with 32, as Stable Diffusion 1.1 was, whose images have 512 px."""
    for version, side in (("0.8.1", 64), ("0.9.0", 8), ("0.10.0.dev0", 8)):
        assert configured(folder, _diffusers_version=version).latent_shape == (4, side, side)


def test_the_mask_of_a_prompt_is_the_tokenizer_s_own(models):
    """Padded with the end token, with one that a prompt may have, and where a prompt is cut."""
    prompts = ["an image! of ! skin !", "", "skin " * 60]
    for pad in ("<|endoftext|>", "!</w>"):
        models.tokenizer.pad_token = pad
        found = models.tokenizer(
            prompts, padding="max_length", max_length=40, truncation=True, return_tensors="pt"
        )
        assert torch.equal(prompt_mask(models, token_ids(models, prompts)), found.attention_mask)
        assert found.attention_mask.sum(dim=1).tolist() == [9, 2, 40]


@pytest.mark.parametrize("pad", ["<|endoftext|>", "!"])
def test_a_text_encoder_with_a_mask_gives_the_images_of_a_stock_pipeline(folder, pad):
    for name, change in (
        ("text_encoder/config.json", {"use_attention_mask": True}),
        ("tokenizer/tokenizer_config.json", {"pad_token": pad}),
    ):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    prompts = ["an image! of skin !", "dark"]
    draws = [torch.Generator().manual_seed(s) for s in (3, 4)]
    asked = {"num_inference_steps": 4, "guidance_scale": 3.0, "output_type": "np"}
    stock = pipeline(prompts, generator=draws, **asked).images
    ours = list(text2img(open_models(folder, CPU), prompts, [3, 4], SamplingRecipe(4, 1.0, 3.0, 2)))
    assert np.abs(np.stack(ours).astype(int) - (stock * 255).round()).max() <= 1


def test_pickles_are_refused_with_the_command_that_converts_them(folder):
    (folder / "unet" / WHOLE).unlink()
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(
        StageError, match=r"weights of unet are pickles .* P\.from_pretrained\('copy'"
    ):
        open_models(folder, CPU)


def test_a_sampler_of_another_family_is_refused(folder):
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({"_class_name": "FlowMatchEulerDiscreteScheduler"}))
    with pytest.raises(
        StageError, match="FlowMatchEulerDiscreteScheduler is of no Stable Diffusion"
    ):
        open_models(folder, CPU)


def test_sparing_memory_keeps_the_fused_attention(models):
    before = {type(one) for one in models.unet.attn_processors.values()}
    spare_memory(models)
    assert {type(one) for one in models.unet.attn_processors.values()} == before
    assert {kind.__name__ for kind in before} == {"AttnProcessor2_0"}


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the stock pipeline says what it sets
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "folder"])
def test_a_sampler_by_name_gives_the_images_of_a_stock_pipeline(plain_folder, name):
    models = with_sampler(open_models(plain_folder, CPU), name)
    scheduler = models.scheduler_class.from_pretrained(plain_folder / "scheduler")
    pipeline = StableDiffusionPipeline.from_pretrained(plain_folder, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    draws = [torch.Generator().manual_seed(s) for s in (3, 4)]
    stock = pipeline(
        ["skin", "dark"],
        num_inference_steps=5,
        guidance_scale=3.0,
        generator=draws,
        output_type="np",
    ).images
    ours = list(text2img(models, ["skin", "dark"], [3, 4], SamplingRecipe(5, 1.0, 3.0, 2)))
    assert np.abs(np.stack(ours).astype(int) - (stock * 255).round()).max() <= 1


def test_an_unknown_sampler_is_refused(models):
    with pytest.raises(StageError, match="sampler is 'best', wanted one of folder, pndm"):
        with_sampler(models, "best")


def test_a_sampler_with_an_eta_gets_none_as_in_the_stock_pipelines(
    plain_folder, images, monkeypatch
):
    models, given = replace(open_models(plain_folder, CPU), scheduler_class=TCDScheduler), []
    step = TCDScheduler.step
    monkeypatch.setattr(
        TCDScheduler,
        "step",
        lambda self, x, t, s, eta=0.3, generator=None, return_dict=True: (
            given.append(eta),
            step(self, x, t, s, eta, generator, return_dict),
        )[1],
    )
    list(
        img2img(
            models,
            encode_images(models, images),
            [0],
            ["skin"],
            [1],
            SamplingRecipe(4, 0.5, 1.0, 1),
        )
    )
    assert set(given) == {0.0}


def test_another_layout_of_pixels_gives_the_same_images(plain_folder):
    recipe = SamplingRecipe(4, 1.0, 3.0, 2)
    plain, other = open_models(plain_folder, CPU), open_models(plain_folder, CPU)
    accelerate(other, ["channels-last"])
    assert other.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    one, two = (
        np.stack(list(text2img(m, ["skin", "dark"], [1, 2], recipe))) for m in (plain, other)
    )
    assert np.abs(one.astype(int) - two).max() <= 1


def test_tf32_is_used_where_it_is_asked_for_alone(models):
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    try:
        for place in places:
            place.allow_tf32 = False
        accelerate(models, [])
        assert [place.allow_tf32 for place in places] == [False, False]
        accelerate(models, ["tf32"])
        assert [place.allow_tf32 for place in places] == [True, True]
    finally:
        for place, was in zip(places, before, strict=True):
            place.allow_tf32 = was


@pytest.mark.parametrize("means", ["compile", "graphs"])
def test_a_network_is_compiled_when_it_is_first_asked(means):
    """That it is to be; compiling itself needs a compiler, and replayed kernels a GPU."""
    network, before = torch.nn.Linear(2, 2), torch.are_deterministic_algorithms_enabled()
    try:
        accelerate_parts(network, torch.nn.Identity(), [])
        assert network._compiled_call_impl is None
        accelerate_parts(network, torch.nn.Identity(), [means])
        assert network._compiled_call_impl is not None
    finally:
        torch.use_deterministic_algorithms(before)


def test_unknown_means_are_refused(models):
    with pytest.raises(
        StageError, match="acceleration: found 'faster', wanted some of channels-last"
    ):
        accelerate(models, ["tf32", "faster"])


def test_made_images_are_resized_bicubically():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    wanted = Image.fromarray(image).resize((8, 8), Image.Resampling.BICUBIC)
    assert (resized(image, 8) == np.asarray(wanted)).all()
