"""What is trained on: real and synthetic images, in which share, how long, and fixed views of a frozen backbone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .conftest import CLASSES, Ended, Toy

RunStage = Callable[..., Ended]


@pytest.fixture(scope="module")
def with_synthetic(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy with 100 synthetic images: real ones, all called violet."""
    folder = tmp_path_factory.mktemp("synthetic") / "in"
    shutil.copytree(toy.folder, folder)
    rows = "".join(f"s{i},violet,VI,train-{i:03}\n" for i in range(100))
    (folder / "synthetic.csv").write_text("image_id,label,tone,sources\n" + rows)
    np.save(folder / "synthetic.npy", np.load(toy.folder / "train.npy")[:100])
    return folder


def _notes(ended: Ended) -> dict[str, object]:
    assert ended.code == 0, ended.errors
    notes: dict[str, object] = json.loads((ended.out / "notes.json").read_text())
    return notes


def _violet(ended: Ended, epoch: int) -> float:
    return float(ended.probabilities(epoch)[:, CLASSES.index("violet")].mean())


@pytest.mark.parametrize(
    ("mode", "n_real", "n_synthetic"),
    [("real+synthetic", 200, 100), ("real", 200, 0), ("synthetic", 0, 100)],
)
def test_a_network_is_trained_on_what_the_mode_says(
    mode: str, n_real: int, n_synthetic: int, with_synthetic: Path, run_here: RunStage
) -> None:
    ended = run_here("baselines/erm", with_synthetic, {"data": mode, "epochs": 2})
    notes = _notes(ended)
    assert (notes["n_real"], notes["n_synthetic"]) == (n_real, n_synthetic)
    if mode == "synthetic":
        assert _violet(ended, 2) > 0.9  # it has seen nothing else


def test_real_images_alone_give_what_no_method_gives(
    with_synthetic: Path, toy: Toy, run_here: RunStage
) -> None:
    alone = run_here("baselines/erm", with_synthetic, {"data": "real", "epochs": 1})
    without = run_here("baselines/erm", toy.folder, {"epochs": 1})
    files = [(e.out / "predictions.parquet").read_bytes() for e in (alone, without)]
    assert files[0] == files[1]


def test_real_images_have_the_last_word_after_training_on_synthetic_ones(
    with_synthetic: Path, run_here: RunStage
) -> None:
    asked = {"data": "synthetic-then-real", "pretrain_epochs": 3, "epochs": 5}
    ended = run_here("baselines/erm", with_synthetic, asked)
    notes = _notes(ended)
    assert (notes["n_real"], notes["n_synthetic"], notes["n_before"]) == (200, 0, 100)
    assert sorted(set(ended.predictions["epoch"])) == [1, 2, 3, 4, 5]
    assert _violet(ended, 5) < 0.5


def test_training_on_good_synthetic_images_first_is_a_head_start(
    toy: Toy, tmp_path: Path, run_here: RunStage
) -> None:
    folder = tmp_path / "in"
    shutil.copytree(toy.folder, folder)
    rows = (folder / "train.csv").read_text().replace("train-", "s")
    (folder / "synthetic.csv").write_text(rows)
    shutil.copy(folder / "train.npy", folder / "synthetic.npy")
    asked = {"data": "synthetic-then-real", "pretrain_epochs": 6, "epochs": 1}
    hits = [
        run_here("baselines/erm", where, asked | changed).probabilities(1).argmax(axis=1)
        == toy.truth
        for where, changed in ((folder, {}), (toy.folder, {"data": "real"}))
    ]
    assert hits[0].mean() > hits[1].mean() + 0.2


def test_a_smaller_share_of_synthetic_images_is_part_of_a_larger_one(
    with_synthetic: Path, run_here: RunStage
) -> None:
    n = [
        _notes(run_here("baselines/erm", with_synthetic, {"synthetic_ratio": share, "epochs": 1}))[
            "n_synthetic"
        ]
        for share in (0.0, 0.25, 1.0)
    ]
    assert n == [0, 25, 100]


def test_equal_steps_make_an_epoch_as_long_as_the_real_images(
    with_synthetic: Path, run_here: RunStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tonegap_kit import baseline

    lengths: list[int] = []
    order = baseline.epoch_order

    def counted(*arguments: object) -> object:
        rows = order(*arguments)
        lengths.append(len(rows))
        return rows

    monkeypatch.setattr(baseline, "epoch_order", counted)
    for mode in ("real+synthetic", "real", "synthetic"):
        asked = {"data": mode, "equal_steps": True, "epochs": 1}
        assert run_here("baselines/erm", with_synthetic, asked).code == 0
    assert lengths == [200, 200, 200]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"data": "both"}, "error: data is 'both', wanted one of real+synthetic, real, synthetic"),
        ({"synthetic_ratio": 1.5}, "error: synthetic_ratio is 1.5, wanted a share"),
        (
            {"data": "synthetic", "synthetic_ratio": 0.0},
            "error: data is 'synthetic', but the method made no image, or synthetic_ratio is 0",
        ),
        (
            {"data": "synthetic-then-real", "pretrain_epochs": 0},
            "error: pretrain_epochs is 0, wanted 1 or more",
        ),
        ({"fixed_views": 2}, "error: fixed_views is 2, but this network needs images in each step"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    parameters: dict[str, object], said: str, with_synthetic: Path, run_here: RunStage
) -> None:
    ended = run_here("baselines/erm", with_synthetic, parameters)
    assert ended.code == 1
    assert said in ended.errors
    assert not (ended.out / "predictions.parquet").exists()


def test_fixed_views_of_a_frozen_backbone_are_computed_once(
    toy: Toy, run_here: RunStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tonegap_kit.small_net import Cnn4

    seen: list[int] = []
    forward = Cnn4.forward
    monkeypatch.setattr(Cnn4, "forward", lambda self, x: seen.append(len(x)) or forward(self, x))
    asked = {"frozen": True, "epochs": 30, "fixed_views": 3}
    ended = run_here("baselines/erm", toy.folder, asked)
    assert sum(seen) == 3 * 200 + 80  # three views of each training image, one of each held-out one
    hits = ended.probabilities(30).argmax(axis=1) == toy.truth
    assert hits[toy.n_validation :].mean() > 0.4


@pytest.mark.parametrize("backbone", ["vgg11", "mobilenet_v3_small"])
def test_what_comes_before_the_first_dropout_of_a_frozen_backbone_is_computed_once(
    backbone: str,
) -> None:
    import torch

    from tonegap_kit.backbones import BackboneSpec, build_classifier
    from tonegap_kit.training_images import _fixed_and_rest

    torch.manual_seed(0)
    model = build_classifier(BackboneSpec(backbone, "linear", None, True), 4, 32).eval()
    x = torch.randn(2, 3, 32, 32)
    whole = model(x)
    parts = _fixed_and_rest(model)
    assert parts is not None
    fixed, rest = parts
    assert torch.equal(model.head(rest(fixed(x))), whole)
    rest.train()
    assert not any(isinstance(layer, torch.nn.Dropout) for layer in fixed.modules())
    assert not torch.equal(rest(fixed(x)), rest(fixed(x)))  # dropout goes on in training
