"""CLIP's and DINOv2's files as their makers lay them out, random here: read whole, and computed as their papers say.

Networks have their real size, so that what an extractor's folder declares is what is tried.
"""

import json
from math import sqrt

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn.functional import conv2d, gelu, layer_norm, linear

from tonegap.declared.assets import asset_named
from tonegap.declared.plugin import read_plugin

from ..plugins.conftest import ROOT, run_here
from .test_frozen import OWN, bank, embedded, write_images

__all__ = ["run_here"]
WIDTH, HEADS, DEPTH = 768, 12, 12
# The parts of a block: normalisation, queries with keys and values, what follows attention, normalisation, two maps.
CLIP = ("ln_1", "attn.in_proj_", "attn.out_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
DINOV2 = ("norm1", "attn.qkv.", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
OF_WIDTHS = ((), (3, 1), (1, 1), (), (4, 1), (1, 4))


def blocks(stem, parts):
    """The shapes of twelve blocks' tensors by name."""
    found = {}
    for i in range(DEPTH):
        for part, widths in zip(parts, OF_WIDTHS, strict=True):
            sides = [WIDTH * n for n in widths] or [WIDTH]
            name = f"{stem}.{i}.{part}" + ("" if part.endswith(("_", ".")) else ".")
            found |= {f"{name}weight": sides, f"{name}bias": sides[:1]}
    return found


def drawn(shapes):
    """Random tensors that half precision holds, factors about 1."""
    generator = torch.Generator().manual_seed(3)
    found = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator) / 25
        is_gain = name.endswith("gamma") or (len(shape) == 1 and name.endswith("weight"))
        found[name] = (value + is_gain).half().float()
    return found


def transformed(tensors, x, stem, parts, act, eps, scales=("", "")):
    """What the blocks make of tokens x [n, tokens, width]; `scales`: the factors of each block's two additions."""
    for i in range(DEPTH):
        of = {name: tensors[name] for name in tensors if name.startswith(f"{stem}.{i}.")}
        at = [f"{stem}.{i}.{part}" for part in parts]
        first, second = (of[f"{stem}.{i}.{name}"] if name else 1.0 for name in scales)
        y = layer_norm(x, [WIDTH], of[f"{at[0]}.weight"], of[f"{at[0]}.bias"], eps)
        y = linear(y, of[f"{at[1]}weight"], of[f"{at[1]}bias"])
        q, k, v = y.unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        y = (q @ k.transpose(2, 3) / sqrt(WIDTH / HEADS)).softmax(3) @ v
        y = y.transpose(1, 2).flatten(2)
        x = x + first * linear(y, of[f"{at[2]}.weight"], of[f"{at[2]}.bias"])
        y = layer_norm(x, [WIDTH], of[f"{at[3]}.weight"], of[f"{at[3]}.bias"], eps)
        y = act(linear(y, of[f"{at[4]}.weight"], of[f"{at[4]}.bias"]))
        x = x + second * linear(y, of[f"{at[5]}.weight"], of[f"{at[5]}.bias"])
    return x


def pixels_of(images, plugin):
    """The five images as the extractor's folder declares: their centre, scaled."""
    parameters = read_plugin(ROOT, "extractor", plugin).file.parameters
    size_px, crop_px, mean, std = (
        parameters[key].default for key in ("image_size_px", "crop_px", "mean", "std")
    )
    edge = (size_px - crop_px) // 2
    pixels = torch.from_numpy(np.load(images / "images.npy")).permute(0, 3, 1, 2) / 255
    centre = pixels[:, :, edge : edge + crop_px, edge : edge + crop_px]
    return (centre - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def test_clips_file_of_both_towers_gives_what_clips_image_tower_computes(run_here, tmp_path):
    images = write_images(tmp_path / "given", 224)
    shapes = {"conv1.weight": [WIDTH, 3, 16, 16], "class_embedding": [WIDTH]}
    shapes |= {"positional_embedding": [197, WIDTH], "proj": [WIDTH, 512]}
    shapes |= {f"ln_{at}.{kind}": [WIDTH] for at in ("pre", "post") for kind in ("weight", "bias")}
    t = drawn(shapes | blocks("transformer.resblocks", CLIP))
    both = {f"visual.{name}": value.half() for name, value in t.items()}
    save_file(both | {"text_projection": torch.zeros(512, 512)}, images / "files/own.safetensors")
    x = conv2d(pixels_of(images, "clip-vit-b-16"), t["conv1.weight"], stride=16)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([t["class_embedding"].expand(5, 1, WIDTH), x], 1) + t["positional_embedding"]
    x = layer_norm(x, [WIDTH], t["ln_pre.weight"], t["ln_pre.bias"])
    # QuickGELU, which CLIP's own code has in place of GELU.
    x = transformed(t, x, "transformer.resblocks", CLIP, lambda y: y * (1.702 * y).sigmoid(), 1e-5)
    wanted = layer_norm(x[:, 0], [WIDTH], t["ln_post.weight"], t["ln_post.bias"]).numpy()
    ended = embedded(run_here, images, OWN, "extractors/clip-vit-b-16", 224)
    assert np.abs(bank(ended) - wanted).max() < 1e-3
    assert json.loads((ended.out / "notes.json").read_text())["random"] is False


def test_dinov2s_file_with_its_mask_gives_what_dinov2_computes(run_here, tmp_path):
    images = write_images(tmp_path / "given", 256)
    shapes = {"patch_embed.proj.weight": [WIDTH, 3, 14, 14], "patch_embed.proj.bias": [WIDTH]}
    shapes |= {"cls_token": [1, 1, WIDTH], "mask_token": [1, WIDTH], "pos_embed": [1, 1370, WIDTH]}
    shapes |= {"norm.weight": [WIDTH], "norm.bias": [WIDTH]} | blocks("blocks", DINOV2)
    shapes |= {f"blocks.{i}.ls{j}.gamma": [WIDTH] for i in range(DEPTH) for j in (1, 2)}
    t = drawn(shapes)
    # The same at every place, so that how a grid of 16 is made of one of 37 is no matter here.
    t["pos_embed"][:, 1:] = t["pos_embed"][:, 1:2]
    torch.save({name: value.half() for name, value in t.items()}, images / "files" / "own.pth")
    patch = t["patch_embed.proj.weight"], t["patch_embed.proj.bias"]
    x = conv2d(pixels_of(images, "dinov2-vit-b-14"), *patch, stride=14).flatten(2).transpose(1, 2)
    x = torch.cat([t["cls_token"].expand(5, 1, WIDTH), x], 1) + t["pos_embed"][:, :257]
    x = transformed(t, x, "blocks", DINOV2, gelu, 1e-6, ("ls1.gamma", "ls2.gamma"))
    wanted = layer_norm(x[:, 0], [WIDTH], t["norm.weight"], t["norm.bias"], 1e-6).numpy()
    given = OWN | {"weights": "own.pth#sha256=" + "7" * 64}
    ended = embedded(run_here, images, given, "extractors/dinov2-vit-b-14", 256)
    assert np.abs(bank(ended) - wanted).max() < 1e-3
    assert json.loads((ended.out / "notes.json").read_text())["random"] is False


@pytest.mark.parametrize("name", ["clip-vit-b-16", "dinov2-vit-b-14"])
def test_an_extractors_asset_is_the_file_that_timm_takes_for_its_network(name):
    network = read_plugin(ROOT, "extractor", name).file.parameters["network"].default
    pinned, asset = timm.get_pretrained_cfg(network), asset_named(ROOT, name)
    if asset.url != pinned.url:  # of the makers, or of timm's own copy at a revision
        repository, _, file = asset.url.partition("/resolve/")
        assert repository.endswith(f"/{pinned.hf_hub_id}")
        assert len(file.split("/")[0]) == 40
