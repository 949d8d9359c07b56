"""Frozen backbones: what a golden vector refuses, what a bank holds, and each library's way in."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from tonegap.data.fixed_pictures import fixed_pictures, prepared_pictures
from tonegap.formats.job import ImageSpec

from ..plugins.conftest import ROOT, run_here

__all__ = ["run_here"]
VIT, RESNET = "extractors/tiny-vit", "extractors/tiny-resnet"


@pytest.fixture
def images(tmp_path):
    """A folder for an embed stage with five images of 160 px."""
    return write_images(tmp_path / "given", 160)


def write_images(folder, size_px):
    (folder / "files").mkdir(parents=True)
    np.save(folder / "golden.npy", prepared_pictures(ImageSpec(size_px, "crop")))
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


def weights_of(network, **changed):
    """Its tensors, each away from where it starts; `drop`: those whose names have a word are left out."""
    torch.manual_seed(7)
    tensors = network.state_dict()
    return {
        name: value + torch.rand_like(value) / 20 if value.is_floating_point() else value
        for name, value in tensors.items()
        if not any(word in name for word in changed.get("drop", ()))
    }


OWN = {"weights": "own.safetensors#sha256=" + "7" * 64, "golden": "unchecked"}


@pytest.mark.parametrize(
    ("plugin", "name", "drop", "words"),
    [
        (VIT, "test_vit", ["norm", "bias"], "blocks.0.attn.proj.bias, blocks.0.attn.qkv.bias"),
        (VIT, "test_vit", ["blocks.1."], "12 are missing (first: blocks.1.attn.proj.bias"),
        (RESNET, "test_resnet", ["running_mean"], "are missing (first: bn1.running_mean"),
        (RESNET, "test_resnet", ["layer1.0.bn1.running_var"], "1 is missing (first: layer1.0.bn1"),
    ],
)
def test_a_truncated_file_is_refused_and_its_first_tensors_are_named(
    run_here, images, plugin, name, drop, words
):
    import timm

    whole = weights_of(timm.create_model(name))
    save_file(whole, images / "files" / "own.safetensors")
    bank(embedded(run_here, images, OWN, plugin))
    cut = weights_of(timm.create_model(name), drop=drop)
    assert len(cut) < len(whole)
    save_file(cut, images / "files" / "own.safetensors")
    ended = embedded(run_here, images, OWN, plugin)
    assert ended.code == 1
    assert words in ended.errors
    assert not (ended.out / "bank.npy").exists()


def test_a_file_of_a_deeper_network_is_refused_and_one_without_a_head_is_not(run_here, images):
    import timm

    own = weights_of(timm.create_model("test_vit"))
    blocks = {
        k.replace("blocks.0.", "blocks.9."): v.clone() for k, v in own.items() if "blocks.0." in k
    }
    save_file(own | blocks, images / "files" / "own.safetensors")
    ended = embedded(run_here, images, OWN)
    assert ended.code == 1
    assert "12 are no part of the network (first: blocks.9.attn.proj.bias" in ended.errors
    bodies = []
    for given in (own, {k: v for k, v in own.items() if not k.startswith("head.")}):
        save_file(given, images / "files" / "own.safetensors")
        bodies.append(bank(embedded(run_here, images, OWN)))
    assert np.array_equal(*bodies)


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


@pytest.fixture
def small_vit(tmp_path):
    """A folder for an embed stage with five images of 32 px, and what writes weights of a ViT of transformers there."""
    folder = write_images(tmp_path / "given", 32)

    def write(model, change=lambda tensors: tensors):
        own = folder / "files" / "own"
        shutil.rmtree(own, ignore_errors=True)
        model.eval().save_pretrained(own)
        path = own / "model.safetensors"
        save_file(change(load_file(path)), path, metadata={"format": "pt"})
        x = torch.from_numpy(np.load(folder / "images.npy")).permute(0, 3, 1, 2).float() / 255
        return folder, (x - 0.5) / 0.5

    return write


def vit_config():
    small = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    torch.manual_seed(1)
    return transformers.ViTConfig(**small, image_size=32, patch_size=8)


FOLDER = {
    "library": "transformers",
    "weights": "own#sha256=" + "5" * 64,
    "golden": "unchecked",
}


def test_a_folder_of_transformers_gives_its_pooled_output(run_here, small_vit):
    model = transformers.ViTModel(vit_config())
    folder, x = small_vit(model)
    with torch.inference_mode():
        wanted = model(pixel_values=x).pooler_output
    found = bank(embedded(run_here, folder, FOLDER, size_px=32))
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classifier", [True, False])
def test_a_pooler_that_was_never_trained_is_not_used(run_here, small_vit, classifier):
    if classifier:
        model = transformers.ViTForImageClassification(vit_config())
        tower = model.vit
    else:
        model = tower = transformers.ViTModel(vit_config(), add_pooling_layer=False)
    folder, x = small_vit(model)
    with torch.inference_mode():
        wanted = tower(pixel_values=x).last_hidden_state[:, 0]
    found = bank(embedded(run_here, folder, FOLDER, size_px=32))
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda given: {k: v for k, v in given.items() if "layernorm.weight" not in k},
            "1 is missing (first: layernorm.weight)",
        ),
        (
            lambda given: given | {"layernorm.more": torch.zeros(2)},
            "1 is no part of the network (first: layernorm.more)",
        ),
        (lambda given: {f"visual.{k}": v for k, v in given.items()}, "are missing (first: "),
        (lambda given: given | {"layernorm.weight": torch.zeros(3)}, "own: no model of transfor"),
    ],
)
def test_a_folder_of_transformers_whose_weights_do_not_load_is_refused(
    run_here, small_vit, change, words
):
    folder, _ = small_vit(transformers.ViTModel(vit_config()), change)
    ended = embedded(run_here, folder, FOLDER, size_px=32)
    assert ended.code == 1
    assert words in ended.errors
    assert not (ended.out / "bank.npy").exists()


def test_a_prefix_is_none_of_a_folder_of_transformers(run_here, small_vit):
    folder, _ = small_vit(transformers.ViTModel(vit_config()))
    ended = embedded(run_here, folder, FOLDER | {"prefix": "visual."}, size_px=32)
    assert ended.code == 1
    assert "prefix is 'visual.', but a folder of transformers" in ended.errors


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


def by_hand(size_px, geometry, filter_):
    """The fixed pictures prepared with Pillow alone."""
    made = []
    for picture in map(Image.fromarray, fixed_pictures()):
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        box = None if geometry == "stretch" else (left, top, left + side, top + side)
        made.append(np.asarray(picture.resize((size_px, size_px), filter_, box=box)))
    return np.stack(made)


WRONG = {
    "stretch": lambda size_px: prepared_pictures(ImageSpec(size_px, "stretch")),
    "bicubic": lambda size_px: by_hand(size_px, "crop", Image.Resampling.BICUBIC),
    "nearest": lambda size_px: by_hand(size_px, "crop", Image.Resampling.NEAREST),
    "other size": lambda size_px: np.stack(
        [np.asarray(Image.fromarray(p).resize((size_px, size_px), Image.Resampling.BILINEAR))
         for p in prepared_pictures(ImageSpec(size_px * 3 // 4, "crop"))]
    ),
}  # fmt: skip


@pytest.fixture
def pinned(run_here, request, tmp_path):
    """What embeds five images by a network of a library whose golden vectors its folder declares."""

    def pin(library):
        import timm
        from torchvision.models import resnet18

        if library == "transformers":
            write = request.getfixturevalue("small_vit")
            folder, _ = write(transformers.ViTModel(vit_config()))
            size_px, given = 32, FOLDER | {"golden": "required"}
        else:
            torch.manual_seed(5)
            network = resnet18() if library == "torchvision" else timm.create_model("test_vit")
            folder, size_px = request.getfixturevalue("images"), 160
            given = OWN | {"golden": "required", "library": library}
            given["network"] = {"timm": "test_vit", "torchvision": "resnet18"}[library]
            save_file(network.state_dict(), folder / "files" / "own.safetensors")
        plugin = tmp_path / "extractors" / "pinned"
        shutil.copytree(ROOT / VIT, plugin)
        shutil.copy(ROOT / "extractors/frozen.toml", plugin.parent)
        found = embedded(run_here, folder, given, plugin, size_px)
        assert found.code == 1
        vectors = json.loads(
            found.errors.split("the fixed pictures give ")[1].split(": compare")[0]
        )
        digest = given["weights"].partition("#sha256=")[2]
        (plugin / "golden.json").write_text(json.dumps({digest: vectors}))

        def run(prepared=None):
            if prepared is not None:
                np.save(folder / "golden.npy", prepared(size_px))
            return embedded(run_here, folder, given, plugin, size_px)

        return run

    return pin


@pytest.mark.parametrize("library", ["timm", "torchvision", "transformers"])
def test_pictures_that_are_prepared_otherwise_are_refused(pinned, library):
    run = pinned(library)
    assert json.loads((run().out / "notes.json").read_text())["golden"] == "agree"
    for name, prepared in WRONG.items():
        ended = run(prepared)
        assert ended.code == 1, name
        assert (
            "geometry, image_size_px, crop_px, mean, std or the network are others" in ended.errors
        )
        assert not (ended.out / "bank.npy").exists()


@pytest.mark.parametrize("plugin", [VIT, RESNET])
def test_the_shipped_vectors_refuse_another_geometry(run_here, images, plugin):
    np.save(images / "golden.npy", WRONG["stretch"](160))
    ended = embedded(run_here, images, {"geometry": "stretch"}, plugin)
    assert ended.code == 1
    assert "golden.json: fixed picture" in ended.errors


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (None, "golden.npy: cannot be read as an array"),
        (np.zeros((3, 150, 160, 3), np.uint8), "holds uint8 [3, 150, 160, 3], wanted uint8"),
        (np.zeros((3, 160, 160, 3)), "holds float64 [3, 160, 160, 3], wanted uint8"),
        (np.zeros((2, 160, 160, 3), np.uint8), "holds [3, 17] numbers, wanted [2, 17]"),
    ],
)
def test_fixed_pictures_that_are_none_are_refused(run_here, images, left, words):
    (images / "golden.npy").unlink()
    if left is not None:
        np.save(images / "golden.npy", left)
    ended = embedded(run_here, images)
    assert ended.code == 1
    assert words in ended.errors


@pytest.mark.parametrize("folder", sorted(p.parent for p in ROOT.glob("extractors/*/golden.json")))
def test_golden_vectors_tell_the_fixed_images_apart(folder):
    vectors = np.array(json.loads((folder / "golden.json").read_text())["none"])
    assert vectors.shape == (3, 17)
    apart = np.abs(vectors[:, None, :-1] - vectors[None, :, :-1]).max(axis=2)
    assert apart[~np.eye(3, dtype=bool)].min() > 0.01 * vectors[:, -1].min()
