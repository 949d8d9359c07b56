"""The extractor on a toy data set: features of the layer and the weights that were asked for."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tonegap.declared.plugin import plugin_ids, read_plugin
from tonegap_kit.small_net import Cnn4

from .conftest import ROOT

NETWORK = "extractors/network-layer"
CNN4 = {"network": "cnn4", "image_size_px": 32}


@pytest.fixture(scope="module")
def inputs(toy, tmp_path_factory):
    """The toy's training images; the first three of them, again, as synthetic ones."""
    folder = tmp_path_factory.mktemp("features")
    for name in ("train.csv", "train.npy"):
        (folder / name).symlink_to(toy.folder / name)
    rows = (toy.folder / "train.csv").read_text().splitlines()
    (folder / "synthetic.csv").write_text("\n".join(rows[:4]).replace("train-", "new-") + "\n")
    np.save(folder / "synthetic.npy", np.load(toy.folder / "train.npy")[:3])
    return folder


@pytest.fixture
def given(inputs, tmp_path):
    """The inputs with a weights file of a network [seed]; returns folder and parameter."""

    def given(seed, prefix=""):
        torch.manual_seed(seed)
        tensors = {f"{prefix}{name}": value for name, value in Cnn4(5).state_dict().items()}
        folder = tmp_path / "given"
        (folder / "files").mkdir(parents=True)
        save_file(tensors, folder / "files" / "probe.safetensors")
        for path in inputs.iterdir():
            (folder / path.name).symlink_to(path)
        return folder, {**CNN4, "weights": "probe.safetensors#sha256=" + "0" * 64}

    return given


def features(ended):
    assert ended.code == 0, ended.errors
    return [np.load(ended.out / f"{name}.npy") for name in ("train", "synthetic")]


def test_each_image_has_a_row_and_equal_images_have_equal_features(run_here, inputs):
    train, synthetic = features(run_here(NETWORK, inputs, CNN4))
    assert (train.shape, synthetic.shape, train.dtype) == ((200, 256), (3, 256), np.float32)
    assert np.allclose(synthetic, train[:3], atol=1e-5)
    assert train.std(axis=0).max() > 0


def test_without_weights_the_network_is_random_and_says_so(run_here, inputs):
    ended = run_here(NETWORK, inputs, CNN4)
    assert ended.code == 0, ended.errors
    assert '"random": true' in (ended.out / "notes.json").read_text()


def test_a_random_network_does_not_depend_on_the_seed_of_the_job(run_here, inputs):
    one, other = (features(run_here(NETWORK, inputs, CNN4, seed=seed)) for seed in (0, 7))
    assert np.array_equal(one[0], other[0])


def test_features_are_those_of_the_weights_that_were_given(run_here, given, inputs):
    folder, parameters = given(seed=3)
    ended = run_here(NETWORK, folder, parameters | {"normalisation": "none"})
    train, _ = features(ended)
    assert '"random": false' in (ended.out / "notes.json").read_text()
    torch.manual_seed(3)
    network = Cnn4(5).eval()
    image = torch.from_numpy(np.load(inputs / "train.npy")[:1]).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        maps = network.layers(image)
        expected = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
    assert np.allclose(train[0], expected[0], atol=1e-5)


def test_a_layer_by_name_is_averaged_over_the_picture(run_here, inputs):
    train, _ = features(run_here(NETWORK, inputs, CNN4 | {"layer": "layers"}))
    whole, _ = features(run_here(NETWORK, inputs, CNN4))
    assert train.shape == (200, 128)
    assert np.allclose(train, whole[:, :128], atol=1e-5)


def test_a_prefix_is_taken_off_the_names_in_the_file(run_here, given):
    folder, parameters = given(seed=3, prefix="body.")
    ended = run_here(NETWORK, folder, parameters | {"prefix": "body."})
    assert ended.code == 0, ended.errors


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prefix": "body."}, "does not fit the network"),
        ({"network": "resnet18"}, "does not fit the network"),
        ({"network": "nobody"}, "network is 'nobody', wanted cnn4"),
        ({"layer": "tail"}, "layer is 'tail', wanted penultimate or one of: layers, head"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(run_here, given, changes, words):
    folder, parameters = given(seed=3)
    ended = run_here(NETWORK, folder, parameters | changes)
    assert ended.code == 1
    assert words in ended.errors
    assert not (ended.out / "train.npy").exists()


@pytest.mark.slow
@pytest.mark.parametrize("network", ["inception_v3", "resnet18", "vit_b_16"])
def test_networks_of_torchvision_have_features(run_stage, inputs, tmp_path, network):
    few = tmp_path / "few"
    few.mkdir()
    for name in ("train", "synthetic"):
        (few / f"{name}.csv").write_text(
            "\n".join((inputs / f"{name}.csv").read_text().splitlines()[:3]) + "\n"
        )
        images = np.load(inputs / f"{name}.npy")[:2].repeat(3, axis=1).repeat(3, axis=2)
        np.save(few / f"{name}.npy", images)
    image = {"image": {"size_px": 96, "geometry": "crop"}}
    ended = run_stage(NETWORK, few, {"network": network}, **image)
    train, _ = features(ended)
    assert train.shape[0] == 2
    assert np.isfinite(train).all()


BACKBONES = {name: read_plugin(ROOT, "extractor", name) for name in plugin_ids(ROOT, "extractor")}
NEEDING = [
    n
    for n, p in BACKBONES.items()
    if "needs_weights" in p.file.parameters and p.file.parameters["needs_weights"].default
]


@pytest.mark.parametrize("name", NEEDING)
def test_a_large_backbone_without_its_weights_is_refused(run_here, inputs, name):
    ended = run_here(f"extractors/{name}", inputs, stage="embed")
    assert ended.code == 1
    assert re.search("weights is none|crop_px is", ended.errors)


@pytest.mark.parametrize(
    "name", [n for n in NEEDING if BACKBONES[n].file.parameters["library"].default == "timm"]
)
def test_timm_has_the_network_and_takes_the_preprocessing_that_is_pinned(name):
    import timm

    own = {key: spec.default for key, spec in BACKBONES[name].file.parameters.items()}
    assert timm.is_model(own["network"].split(".")[0])
    if "." in own["network"] and name != "dermlip":
        pinned = timm.get_pretrained_cfg(own["network"])
        assert list(pinned.mean) == pytest.approx(own["mean"])
        assert list(pinned.std) == pytest.approx(own["std"])
