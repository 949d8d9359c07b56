"""PatchAlign's patches and the vectors of its texts, by hand."""

import numpy as np
import pytest
import torch
from programs import importable
from safetensors.torch import save_file

from tonegap_kit.backbones import BackboneSpec, build_classifier
from tonegap_kit.errors import StageError

with importable("baselines/patchalign"):
    from label_texts import letter_vectors, read_text_vectors
    from patches import Patches, as_patches


def _patches(name: str, input_px: int) -> Patches:
    return Patches(
        build_classifier(BackboneSpec(name, "linear", None, False), 3, input_px), input_px
    )


@pytest.mark.parametrize(
    ("name", "input_px", "n", "d"),
    [
        ("cnn4", 32, 16, 128),  # 4 x 4 places of the last convolution
        ("resnet18", 64, 4, 512),  # 2 x 2
        ("mobilenet_v3_small", 64, 4, 576),
    ],
)
def test_places_of_the_last_feature_map_are_patches(name: str, input_px: int, n: int, d: int):
    patches = _patches(name, input_px)
    assert (patches.n, patches.d) == (n, d)
    assert patches(torch.zeros(2, 3, input_px, input_px)).shape == (2, n, d)


def test_tokens_of_a_vision_transformer_are_patches():
    patches = _patches(
        "vit_b_32", 64
    )  # 2 x 2 patches and the class token; of 16 it would be as slow as 196
    assert (patches.n, patches.d) == (5, 768)


def test_places_come_row_by_row():
    maps = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert as_patches(maps)[0].tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_looking_for_patches_leaves_batch_statistics_alone():
    classifier = build_classifier(BackboneSpec("cnn4", "linear", None, False), 3, 32)
    before = {name: value.clone() for name, value in classifier.body.state_dict().items()}
    Patches(classifier, 32)
    assert all(torch.equal(v, before[name]) for name, v in classifier.body.state_dict().items())


def test_a_network_that_keeps_one_place_only_is_refused():
    with pytest.raises(StageError, match="no more than one place of a 2 px image"):
        _patches("mobilenet_v3_small", 2)


def test_names_alike_in_spelling_have_letter_vectors_alike():
    one, near, far = letter_vectors(["lichen planus", "lichen simplex", "rosacea"], 256)
    assert one @ near > 0.3 > abs(one @ far)
    assert one.norm().item() == pytest.approx(1)
    assert torch.equal(letter_vectors(["lichen planus"], 256)[0], one)


def test_text_vectors_are_read_from_both_kinds_of_file(tmp_path):
    vectors = np.array([[1.0, 2], [3, 4], [5, 6]])
    np.save(tmp_path / "v.npy", vectors)
    save_file({"any": torch.from_numpy(vectors)}, tmp_path / "v.safetensors")
    for name in ("v.npy", "v.safetensors"):
        found = read_text_vectors(tmp_path / name)
        assert found.dtype == torch.float32
        assert found.tolist() == vectors.tolist()


@pytest.mark.parametrize(
    "vectors", [np.zeros(3), np.zeros((2, 2), dtype=int), np.array([[np.nan, 1]])]
)
def test_anything_but_a_matrix_of_finite_numbers_is_refused(tmp_path, vectors):
    np.save(tmp_path / "v.npy", vectors)
    with pytest.raises(StageError, match="wanted real numbers"):
        read_text_vectors(tmp_path / "v.npy")
