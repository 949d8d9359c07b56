"""LoRA: what learns, prior preservation, draws by weight, merging, and what a stock pipeline reads."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from torch.utils.data import WeightedRandomSampler

from tonegap_kit.diffusion.lora import (
    ATTENTION,
    Captioned,
    CaptionedSides,
    LoraRecipe,
    _Side,
    captioned_loss,
    check_fits,
    merged_lora,
    read_additions,
    save_lora,
    train_lora,
)
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch, encode_examples, generator_of
from tonegap_kit.diffusion.sampling import SamplingRecipe, text2img
from tonegap_kit.errors import StageError

STEPS = StepRecipe(steps=4, batch=2, accumulation=1, learning_rate=0.05, max_grad_norm=1.0)
RECIPE = LoraRecipe(steps=STEPS, rank=2, alpha=2)
PROMPTS = ("a photo of skin", "an image of dark skin", "skin", "light", "dark", "image")


@pytest.fixture
def examples(models, images):
    encoded = encode_examples(models, images, mirror=False)
    return Captioned(encoded, torch.arange(6), PROMPTS)


def test_the_models_stay_as_they_are(models, examples):
    before = {name: w.clone() for name, w in models.unet.state_dict().items()}
    learned = train_lora(models, examples, None, RECIPE, 0, Watch("lora"))
    after = models.unet.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(before[name], after[name]) for name in before)
    # 7 transformers of 2 attentions of 4 layers, each with two matrices.
    assert len(learned) == 7 * 2 * 4 * 2
    assert any(w.abs().max() > 1e-3 for name, w in learned.items() if "up" in name)


def test_the_same_seed_learns_the_same_and_another_does_not(models, examples):
    one, same, other = (
        train_lora(models, examples, None, RECIPE, seed, Watch("lora")) for seed in (0, 0, 1)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_prior_images_change_what_is_learned_by_their_weight(models, examples, images):
    prior = Captioned(examples.encoded, torch.tensor([5]), ("a rendering of the skin",))
    without = train_lora(models, examples, None, RECIPE, 0, Watch("lora"))
    weightless, weighty = (
        train_lora(models, examples, prior, replace(RECIPE, prior_weight=w), 0, Watch("lora"))
        for w in (0.0, 5.0)
    )
    for name, value in without.items():
        torch.testing.assert_close(value, weightless[name], atol=1e-3, rtol=0)
    assert any((without[n] - weighty[n]).abs().max() > 1e-2 for n in without)


def test_the_prior_error_is_a_mean_over_its_own_images(models, examples):
    """Twice the images of the prior must not count twice."""
    twice = replace(examples, rows=examples.rows.repeat(2), prompts=PROMPTS * 2)
    with torch.no_grad():
        alone, half, whole = (
            captioned_loss(models, CaptionedSides(examples, twice, weight), 2, 0)(3).item()
            for weight in (0.0, 0.5, 1.0)
        )
    assert half - alone == pytest.approx((whole - alone) / 2, rel=1e-4)
    # A random network's error on either is about the same.
    assert 0.5 < (whole - alone) / alone < 2


def batch_of(side, number, count):
    """The captions of one batch."""
    rng = generator_of(0, side.name, "images", number)
    return side.draw(side.choose(number, count, rng), rng)[1]


def test_a_tied_prior_image_has_the_number_of_its_example(models, examples, monkeypatch):
    """Of 6 examples and 2 prior images, example i goes with prior image i modulo 2."""
    prior = Captioned(examples.encoded, torch.tensor([4, 5]), ("a dark photo", "a light photo"))
    seen = []
    draw = _Side.draw
    monkeypatch.setattr(
        _Side, "draw", lambda s, at, rng: (seen.append(at.tolist()), draw(s, at, rng))[1]
    )
    for tied in (True, False):
        loss = captioned_loss(models, CaptionedSides(examples, prior, 1.0, tied), 3, 0)
        with torch.no_grad():
            _ = [loss(number) for number in range(4)]
    tied, free = seen[:8], seen[8:]
    pairs = list(zip(tied[::2], tied[1::2], strict=True))
    assert all(two == [i % 2 for i in one] for one, two in pairs)
    assert tied[::2] == free[::2]
    assert tied[1::2] != free[1::2]


def test_rows_are_drawn_by_weight(models, examples):
    weighted = replace(examples, weights=np.array([0, 0, 1, 3, 0, 0], float))
    side = _Side(models, weighted, 0, "examples")
    table = side._table
    drawn = torch.cat([batch_of(side, i, 4) for i in range(100)])
    counts = [int((drawn == row).all(dim=2).all(dim=1).sum()) for row in table]
    assert counts[0] == counts[1] == counts[4] == counts[5] == 0
    assert counts[2] + counts[3] == 400
    # 3 of 4 draws: 300, with a standard deviation of 8.7.
    assert 260 < counts[3] < 340


def test_weighted_rows_are_those_of_torch_s_own_sampler_from_the_same_generator(models, examples):
    weights = np.array([1, 2, 3, 4, 5, 6], float)
    side = _Side(models, replace(examples, weights=weights), 0, "examples")
    for number in range(5):
        rng, same = (generator_of(0, "examples", "images", number) for _ in range(2))
        released = WeightedRandomSampler(weights.tolist(), 16, replacement=True, generator=same)
        assert side.choose(number, 16, rng).tolist() == list(released)


def test_without_weights_every_image_is_seen_before_any_is_seen_again(models, examples):
    side = _Side(models, examples, 0, "examples")
    drawn = torch.cat([batch_of(side, i, 2) for i in range(3)])
    assert len(torch.unique(drawn.flatten(1), dim=0)) == 6


@pytest.mark.parametrize("alpha", [2, 8])
def test_a_stock_pipeline_loads_it_and_gives_the_same_images(
    pipeline_folder, models, examples, alpha, tmp_path
):
    recipe = replace(RECIPE, alpha=alpha)
    path = save_lora(tmp_path, train_lora(models, examples, None, recipe, 0, Watch("lora")), recipe)
    how = SamplingRecipe(4, 1.0, 4.0, 2)
    before = list(text2img(models, PROMPTS[:2], [1, 2], how))
    with merged_lora(models, path):
        ours = list(text2img(models, PROMPTS[:2], [1, 2], how))
    after = list(text2img(models, PROMPTS[:2], [1, 2], how))

    pipeline = StableDiffusionPipeline.from_pretrained(pipeline_folder)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(tmp_path)
    draws = [torch.Generator().manual_seed(s) for s in (1, 2)]
    stock = pipeline(
        list(PROMPTS[:2]),
        num_inference_steps=4,
        guidance_scale=4.0,
        generator=draws,
        output_type="np",
    ).images
    assert (
        max(abs(a.astype(int) - (b * 255).round()).max() for a, b in zip(ours, stock, strict=True))
        <= 1
    )
    assert max(abs(a.astype(int) - b).max() for a, b in zip(ours, before, strict=True)) > 2
    assert all(np.array_equal(a, b) for a, b in zip(after, before, strict=True))


def test_the_network_is_restored_to_the_last_bit(models, examples, tmp_path):
    path = save_lora(tmp_path, train_lora(models, examples, None, RECIPE, 0, Watch("lora")), RECIPE)
    before = {name: w.clone() for name, w in models.unet.state_dict().items()}
    with merged_lora(models, path):
        merged = models.unet.state_dict()
        assert not all(torch.equal(before[name], merged[name]) for name in before)
    after = models.unet.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("targets", [("to_k", "ff.net.0.proj", "conv1"), ("time_emb_proj",)])
def test_additions_to_any_layer_are_taken_out_again(models, examples, tmp_path, targets):
    recipe = replace(RECIPE, targets=targets)
    path = save_lora(tmp_path, train_lora(models, examples, None, recipe, 0, Watch("lora")), recipe)
    before = {name: w.clone() for name, w in models.unet.state_dict().items()}
    with merged_lora(models, path):
        merged = models.unet.state_dict()
        changed = {name for name in before if not torch.equal(before[name], merged[name])}
    assert {t for t in targets if any(t in name for name in changed)} == set(targets)
    after = models.unet.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_file_that_is_no_lora_is_refused(models, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(StageError, match="cannot be read as a LoRA"), merged_lora(models, path):
        pass


def layers_of(models):
    """The weights of attention [out, in] by their layer's name."""
    ends = tuple(f".{target}.weight" for target in ATTENTION)
    found = models.unet.state_dict()
    return {n.removesuffix(".weight"): w.clone() for n, w in found.items() if n.endswith(ends)}


def additions_to(layers, rank_of=lambda i: 2):
    """Random halves [rank, in] and [out, rank] for each layer; the i-th has the rank `rank_of(i)`."""
    rng = torch.Generator().manual_seed(1)
    return {
        name: tuple(
            torch.randn(size, generator=rng) / 10
            for size in ((rank_of(i), weight.shape[1]), (weight.shape[0], rank_of(i)))
        )
        for i, (name, weight) in enumerate(layers.items())
    }


def peft_file(path, halves, names=("lora_A.weight", "lora_B.weight"), metadata=None):
    tensors = {
        f"unet.{layer}.{name}": half
        for layer, both in halves.items()
        for name, half in zip(names, both, strict=True)
    }
    told = None if metadata is None else {"lora_adapter_metadata": json.dumps(metadata)}
    save_file(tensors, path, metadata=told)
    return path


def kohya_file(path, halves, alphas):
    """As kohya's scripts write it: an alpha beside each layer's two halves, or none where `alphas` has none."""
    tensors = {}
    for layer, (down, up) in halves.items():
        name = f"lora_unet_{layer.replace('.', '_')}"
        tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        if layer in alphas:
            tensors[f"{name}.alpha"] = torch.tensor(float(alphas[layer]))
    save_file(tensors, path)
    return path


@pytest.mark.parametrize(
    ("rank_of", "alpha_of"),
    [
        (lambda i: 2, lambda i: 1 + i % 3),  # alphas differ
        (lambda i: 1 + i % 4, lambda i: 1 + i % 4),  # what resizing leaves: each has its rank
        (lambda i: 1 + i % 4, lambda i: 1),
        (lambda i: 2, lambda i: -1),
        (lambda i: 1 + i % 2, lambda i: 3 if i % 3 else None),  # some layers have none
        (lambda i: 1 + i % 2, lambda i: None),
    ],
)
def test_each_layer_of_a_kohya_file_is_scaled_by_its_own_alpha(models, tmp_path, rank_of, alpha_of):
    """Alpha / rank times the product of its halves; without an alpha, the product.

    The alphas are read here; that mixed ranks then have a scale of 1 is diffusers', from 0.40 on.
    """
    layers = layers_of(models)
    halves = additions_to(layers, rank_of)
    alphas = {name: alpha_of(i) for i, name in enumerate(layers) if alpha_of(i) is not None}
    with merged_lora(models, kohya_file(tmp_path / "k.safetensors", halves, alphas)):
        merged = models.unet.state_dict()
        for name, (down, up) in halves.items():
            wanted = layers[name] + alphas.get(name, len(down)) / len(down) * up @ down
            torch.testing.assert_close(merged[f"{name}.weight"], wanted, atol=1e-6, rtol=0)
    assert all(
        torch.equal(weight, models.unet.state_dict()[f"{n}.weight"]) for n, weight in layers.items()
    )


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), 0])
def test_an_alpha_that_scales_by_no_number_is_refused(models, tmp_path, alpha):
    layers = layers_of(models)
    halves, last = additions_to(layers), list(layers)[-1]
    path = kohya_file(tmp_path / "k.safetensors", halves, dict.fromkeys(layers, 2) | {last: alpha})
    with pytest.raises(StageError, match=r"k\.safetensors: alpha of .* is .*, wanted a finite"):
        read_additions(path)
    for told in ({"unet.lora_alpha": alpha}, {"unet.alpha_pattern": {last: alpha}}):
        with pytest.raises(StageError, match=r"is .*, wanted a finite number, not 0"):
            read_additions(peft_file(tmp_path / "p.safetensors", halves, metadata=told))


@pytest.mark.parametrize("metadata", [[1], {"unet.lora_alpha": "x"}, {"unet.alpha_pattern": [1]}])
def test_settings_of_a_lora_that_are_none_are_refused(models, tmp_path, metadata):
    path = peft_file(tmp_path / "p.safetensors", additions_to(layers_of(models)), metadata=metadata)
    with pytest.raises(StageError, match=r"p\.safetensors: lora_adapter_metadata"):
        read_additions(path)


def test_settings_that_the_library_does_not_know_are_refused(models, tmp_path):
    told = {"unet.r": 2, "unet.lora_alpha": 2, "unet.target_modules": ["to_k"], "unet.colour": 3}
    path = peft_file(tmp_path / "p.safetensors", additions_to(layers_of(models)), metadata=told)
    with pytest.raises(StageError, match=r"p\.safetensors: a LoRA of another network"):
        check_merged(models, path)


def check_merged(models, path):
    with merged_lora(models, path):
        pass


@pytest.mark.parametrize(
    ("rename", "names", "first"),
    [
        (
            lambda layer: layer,
            ("lora_A.default.weight", "lora_B.default.weight"),
            "to_k.lora_A.default.weight",
        ),
        (
            lambda layer: layer.replace("attn1", "attn7"),
            ("lora_A.weight", "lora_B.weight"),
            "attn7.to_k.lora_A.weight",
        ),
        (
            lambda layer: layer.replace("blocks", "rows"),
            ("lora.down.weight", "lora.up.weight"),
            "to_k.lora.down.weight",
        ),
        (
            lambda layer: layer.replace("mid_block", "mid_block.more"),
            ("lora_A.weight", "lora_B.weight"),
            "mid_block.more",
        ),
    ],
)
def test_additions_to_no_layer_are_refused_by_name(
    models, pipeline_folder, tmp_path, rename, names, first
):
    """All of them, as peft's own names are; half of them; by another family's names; those of one block."""
    layers = layers_of(models)
    halves = {rename(name): both for name, both in additions_to(layers).items()}
    path = peft_file(tmp_path / "p.safetensors", halves, names)
    said = rf"p\.safetensors: .*{first}.* is an addition to no layer of the pipeline's network"
    with pytest.raises(StageError, match=said):
        check_merged(models, path)
    with pytest.raises(StageError, match=said):
        check_fits(path, pipeline_folder)
    after = models.unet.state_dict()
    assert not [name for name in after if "lora" in name]
    assert all(torch.equal(weight, after[f"{n}.weight"]) for n, weight in layers.items())


def test_a_lora_that_fits_is_found_to_do_so_without_weights(models, tmp_path):
    """The folder has the network's settings alone."""
    models.unet.save_config(tmp_path / "unet")
    halves = additions_to(layers_of(models))
    check_fits(peft_file(tmp_path / "p.safetensors", halves), tmp_path)
    check_fits(kohya_file(tmp_path / "k.safetensors", halves, {}), tmp_path)
    wide = {name: (down.repeat(1, 2), up) for name, (down, up) in halves.items()}
    with pytest.raises(StageError, match="a LoRA of another network than the pipeline's"):
        check_fits(peft_file(tmp_path / "w.safetensors", wide), tmp_path)


def test_additions_to_another_part_beside_the_network_are_refused(models, tmp_path):
    path = peft_file(tmp_path / "p.safetensors", additions_to(layers_of(models)))
    other = {f"vae.x.lora_{half}.weight": torch.ones(2, 2) for half in "AB"}
    save_file(load_file(path) | other, path)
    with pytest.raises(StageError, match="a LoRA of unet, vae, wanted one of the denoising"):
        read_additions(path)


def test_a_scale_of_dora_that_the_library_drops_is_refused(models, tmp_path):
    halves = additions_to(layers_of(models))
    path = kohya_file(tmp_path / "k.safetensors", halves, {})
    found = load_file(path)
    name = next(iter(found)).partition(".")[0]
    save_file(found | {f"{name}.dora_scale": torch.ones(8, 1)}, path)
    with pytest.raises(StageError, match=r"_to_k\.dora_scale is a scale of DoRA"):
        read_additions(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_additions_of_few_digits_are_read_as_they_are(models, tmp_path, dtype):
    layers = layers_of(models)
    halves = {n: (a.to(dtype), b.to(dtype)) for n, (a, b) in additions_to(layers).items()}
    with merged_lora(models, peft_file(tmp_path / "p.safetensors", halves)):
        merged = models.unet.state_dict()
        for name, (down, up) in halves.items():
            wanted = layers[name] + up.float() @ down.float()
            torch.testing.assert_close(merged[f"{name}.weight"], wanted, atol=1e-6, rtol=0)


def test_additions_of_whole_numbers_are_refused(models, tmp_path):
    halves = {n: (a.to(torch.int8), b) for n, (a, b) in additions_to(layers_of(models)).items()}
    with pytest.raises(StageError, match=r"lora_A\.weight has whole numbers \(torch\.int8\)"):
        read_additions(peft_file(tmp_path / "p.safetensors", halves))


def test_captions_and_images_of_unequal_number_are_refused(examples):
    with pytest.raises(StageError, match="with a caption and weight each"):
        replace(examples, prompts=PROMPTS[:2])


def test_a_loss_that_is_no_number_ends_the_training(models, examples):
    wild = replace(RECIPE, steps=replace(STEPS, learning_rate=1e30, steps=6))
    with pytest.raises(StageError, match=r"the loss is (nan|inf); lower learning_rate"):
        train_lora(models, examples, None, wild, 0, Watch("lora"))
