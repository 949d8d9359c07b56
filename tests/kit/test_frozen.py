"""Frozen backbones: what a golden vector refuses, what a bank holds, and each library's way in."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file

from tonegap_kit.frozen import golden_images

from ..plugins.conftest import ROOT, run_here

__all__ = ["run_here"]
VIT, RESNET = "extractors/tiny-vit", "extractors/tiny-resnet"


@pytest.fixture
def images(tmp_path):
    """A folder for an embed stage with five images of 160 px."""
    return write_images(tmp_path / "given", 160)


def write_images(folder, size_px):
    (folder / "files").mkdir(parents=True)
    rng = np.random.default_rng(3)
    np.save(folder / "images.npy", rng.integers(0, 256, (5, size_px, size_px, 3), dtype=np.uint8))
    (folder / "images.csv").write_text("image_id\n" + "".join(f"i{i}\n" for i in range(5)))
    return folder


def embedded(run_here, folder, changes=None, plugin=VIT, size_px=160):
    image = {"image": {"size_px": size_px, "geometry": "crop"}, "stage": "embed"}
    told = {"task": "", "classes": [], "positive": [], "tones": []}
    return run_here(plugin, folder, changes or {}, **image, **told)


def bank(ended):
    assert ended.code == 0, ended.errors
    return np.load(ended.out / "bank.npy")


@pytest.mark.parametrize(("plugin", "n_features"), [(VIT, 64), (RESNET, 96)])
def test_a_random_backbone_is_the_same_for_everybody(run_here, images, plugin, n_features):
    one, other = (embedded(run_here, images, {"batch": batch}, plugin) for batch in (64, 2))
    assert bank(one).shape == (5, n_features)
    assert bank(one).dtype == np.float32
    assert np.allclose(bank(one), bank(other), rtol=1e-4, atol=1e-5)
    notes = json.loads((one.out / "notes.json").read_text())
    assert notes == {"dimensions": n_features, "golden": "agree", "random": True}


@pytest.mark.parametrize("plugin", [VIT, RESNET])
@pytest.mark.parametrize(
    "wrong",
    [
        {
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },  # of ImageNet, which is not its own
        {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
        {"std": [0.5, 0.5, 0.45]},
        {"crop_px": 144},
    ],
)
def test_a_wrong_preprocessing_is_refused(run_here, images, plugin, wrong):
    ended = embedded(run_here, images, wrong, plugin)
    assert ended.code == 1
    assert "golden.json: " in ended.errors
    assert not (ended.out / "bank.npy").exists()


def test_half_precision_rounds_what_single_precision_holds(run_here, images):
    whole, half = (bank(embedded(run_here, images, {"precision": p})) for p in ("fp32", "fp16"))
    assert half.dtype == np.float16
    assert np.array_equal(half, whole.astype(np.float16))


def test_no_image_leaves_a_bank_without_rows(run_here, images):
    np.save(images / "images.npy", np.zeros((0, 160, 160, 3), np.uint8))
    (images / "images.csv").write_text("image_id\n")
    assert bank(embedded(run_here, images)).shape == (0, 64)


def test_weights_without_golden_vectors_are_refused_unless_told(run_here, images):
    import timm

    torch.manual_seed(9)
    save_file(timm.create_model("test_vit").state_dict(), images / "files" / "own.safetensors")
    given = {"weights": "own.safetensors#sha256=" + "7" * 64}
    ended = embedded(run_here, images, given)
    assert ended.code == 1
    assert "no golden vectors for weights 777777777777" in ended.errors
    told = embedded(run_here, images, given | {"golden": "unchecked"})
    random = bank(embedded(run_here, images))
    assert np.abs(bank(told) - random).max() > 0.1
    notes = json.loads((told.out / "notes.json").read_text())
    assert (notes["golden"], notes["random"]) == ("unchecked", False)


def test_weights_of_another_network_are_refused(run_here, images):
    save_file({"head.weight": torch.zeros(2, 2)}, images / "files" / "own.safetensors")
    ended = embedded(run_here, images, {"weights": "own.safetensors#sha256=" + "7" * 64})
    assert ended.code == 1
    assert "weights do not fit test_vit" in ended.errors


def test_a_classifier_of_torchvision_gives_what_goes_into_its_last_layer(run_here, images):
    from torchvision.models import resnet18

    torch.manual_seed(5)
    network = resnet18().eval()
    save_file(network.state_dict(), images / "files" / "own.safetensors")
    changes = {"library": "torchvision", "network": "resnet18", "golden": "unchecked"}
    changes["weights"] = "own.safetensors#sha256=" + "7" * 64
    found = bank(embedded(run_here, images, changes))
    network.fc = torch.nn.Identity()
    x = torch.from_numpy(np.load(images / "images.npy")).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        wanted = network((x - 0.5) / 0.5)
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_a_folder_of_transformers_gives_its_pooled_output(run_here, tmp_path):
    folder = write_images(tmp_path / "given", 32)
    own = tmp_path / "clip-like"
    torch.manual_seed(1)
    small = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    config = transformers.ViTConfig(**small, image_size=32, patch_size=8)
    model = transformers.ViTModel(config).eval()
    model.save_pretrained(own)
    shutil.copytree(own, folder / "files" / "own")
    changes = {
        "library": "transformers",
        "weights": "own#sha256=" + "5" * 64,
        "golden": "unchecked",
    }
    found = bank(embedded(run_here, folder, changes, size_px=32))
    x = torch.from_numpy(np.load(folder / "images.npy")).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        wanted = model(pixel_values=(x - 0.5) / 0.5).pooler_output
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "nobody"}, "network is 'nobody', which timm"),
        ({"library": "torchvision", "network": "nobody"}, "which torchvision does not have"),
        ({"library": "transformers"}, "weights is none, wanted a folder"),
        ({"needs_weights": True}, "weights is none, but a random network"),
        ({"crop_px": 200}, "crop_px is 200, but images have 160 px"),
        ({"std": [1.0, 0.0, 1.0]}, "wanted three numbers above 0"),
        ({"mean": [1.0]}, "wanted three numbers, for red"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(run_here, images, changes, words):
    ended = embedded(run_here, images, changes)
    assert ended.code == 1
    assert words in ended.errors


def test_the_fixed_images_are_those_that_golden_vectors_were_made_of():
    slopes, squares, scatter = golden_images(17)
    assert slopes[0, 16].tolist() == [255, 0, 128]
    assert slopes[8, 4].tolist() == [255 * 4 // 16, 255 * 8 // 16, 128]
    assert squares[0, 0].tolist() == [90, 60, 50]
    assert squares[0, 8].tolist() == [200, 150, 130]
    assert scatter[2, 1].tolist() == [(31 + 34 + c) ** 2 % 256 for c in (0, 97, 194)]


@pytest.mark.parametrize("folder", sorted(p.parent for p in ROOT.glob("extractors/*/golden.json")))
def test_golden_vectors_tell_the_fixed_images_apart(folder):
    vectors = np.array(json.loads((folder / "golden.json").read_text())["none"])
    assert vectors.shape == (3, 17)
    apart = np.abs(vectors[:, None, :-1] - vectors[None, :, :-1]).max(axis=2)
    assert apart[~np.eye(3, dtype=bool)].min() > 0.01 * vectors[:, -1].min()
