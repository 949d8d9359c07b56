"""The classifier of phantom skin: one file says what it knows, and is refused where it is none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.phantom.models.training.phantom_classifier import (
    N_FEATURES,
    PhantomClassifier,
    read_classifier,
    write_classifier,
)
from safetensors.torch import save_file

from tonegap_kit.errors import StageError

PICTURES = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), np.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    write_classifier(
        PhantomClassifier(("a", "b", "c"), ("I", "VI"), 32).eval(),
        tmp_path / "classifier.safetensors",
    )
    return tmp_path / "classifier.safetensors"


def test_a_classifier_that_was_written_and_read_thinks_the_same(file):
    torch.manual_seed(0)
    written, read = (
        PhantomClassifier(("a", "b", "c"), ("I", "VI"), 32).eval(),
        read_classifier(file),
    )
    assert (read.classes, read.tones, read.size_px) == (("a", "b", "c"), ("I", "VI"), 32)
    assert np.array_equal(read.judge(PICTURES).p_class, written.judge(PICTURES).p_class)


def test_probabilities_of_a_picture_sum_to_one(file):
    opinion = read_classifier(file).judge(PICTURES)
    assert opinion.p_class.shape == (5, 3)
    assert opinion.p_class.sum(axis=1) == pytest.approx(np.ones(5))
    assert opinion.p_tone.sum(axis=1) == pytest.approx(np.ones(5))


def test_features_are_what_both_heads_stand_on(file):
    classifier = read_classifier(file)
    features = torch.from_numpy(classifier.features(PICTURES))
    assert features.shape == (5, N_FEATURES)
    named = classifier.class_head(features).argmax(dim=1)
    assert named.tolist() == classifier.judge(PICTURES).p_class.argmax(axis=1).tolist()


def test_no_pictures_have_no_features(file):
    assert read_classifier(file).features(PICTURES[:0]).shape == (0, N_FEATURES)


def test_pictures_of_another_size_are_refused(file):
    with pytest.raises(StageError, match=r"wanted \(32, 32, 3\)"):
        read_classifier(file).features(PICTURES[:, :16])


def test_a_file_of_other_weights_is_no_classifier(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(StageError, match="holds weights, but no classifier"):
        read_classifier(tmp_path / "other.safetensors")


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(StageError, match="no valid safetensors"):
        read_classifier(tmp_path / "bad.safetensors")
