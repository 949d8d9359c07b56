import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .conftest import CLASSES, Ended, Toy

RunStage = Callable[..., Ended]


@pytest.fixture(scope="module")
def erm(toy: Toy, run_stage: RunStage) -> Ended:
    return run_stage("baselines/erm", toy.folder)


def _digest(ended: Ended) -> str:
    return hashlib.sha256((ended.out / "predictions.parquet").read_bytes()).hexdigest()


def _accuracy(ended: Ended, toy: Toy, epoch: int) -> float:
    hits = ended.probabilities(epoch).argmax(axis=1) == toy.truth
    return float(hits[toy.n_validation :].mean())


def test_erm_predicts_every_held_out_image_in_every_epoch(erm: Ended) -> None:
    assert erm.code == 0, erm.errors
    table = erm.predictions
    ids = [f"validation-{i:03}" for i in range(40)] + [f"test-{i:03}" for i in range(40)]
    assert table["image_id"] == ids * 4
    assert table["epoch"] == [e for e in (1, 2, 3, 4) for _ in ids]
    sums = sum(np.array(table[f"p_{label}"]) for label in CLASSES)
    assert np.abs(sums - 1).max() < 1e-5


def test_erm_learns_what_class_frequencies_cannot_say(
    erm: Ended, toy: Toy, run_stage: RunStage
) -> None:
    prior = run_stage("baselines/class-prior", toy.folder)
    assert prior.code == 0, prior.errors
    assert _accuracy(prior, toy, 1) == 0.25  # four classes, as many of each
    assert _accuracy(erm, toy, 4) > 0.6


def test_progress_is_told(erm: Ended) -> None:
    lines = [line for line in erm.errors.splitlines() if line.startswith("tonegap-progress")]
    assert lines == [f"tonegap-progress {k} 4" for k in range(5)]


def test_the_same_job_gives_the_same_bytes_and_another_seed_others(
    erm: Ended, toy: Toy, run_stage: RunStage, run_here: RunStage
) -> None:
    again = run_stage("baselines/erm", toy.folder)
    assert _digest(again) == _digest(erm)
    assert (again.out / "notes.json").read_bytes() == (erm.out / "notes.json").read_bytes()
    assert _digest(run_here("baselines/erm", toy.folder, seed=1)) != _digest(erm)


@pytest.mark.parametrize("name", ["resample", "reweight"])
def test_the_tone_aware_baselines_learn_too(name: str, toy: Toy, run_here: RunStage) -> None:
    ended = run_here(f"baselines/{name}", toy.folder)
    assert ended.code == 0, ended.errors
    assert _accuracy(ended, toy, 4) > 0.5


def test_shuffled_labels_teach_nothing(toy: Toy, run_here: RunStage) -> None:
    ended = run_here("baselines/shuffled-labels", toy.folder, {"sampler": "class-balanced"})
    assert ended.code == 0, ended.errors
    # 40 test images of four classes: chance is 0.25, and 0.46 is three standard errors above it.
    assert _accuracy(ended, toy, 4) < 0.46


def test_class_frequencies_are_those_of_real_training_images(
    toy: Toy, run_stage: RunStage, tmp_path: Path
) -> None:
    shutil.copytree(toy.folder, tmp_path / "in")
    rows = (tmp_path / "in" / "train.csv").read_text().splitlines()[:5]
    (tmp_path / "in" / "train.csv").write_text(
        "\n".join([*rows[:4], rows[4].replace("violet", "red")]) + "\n"
    )
    np.save(tmp_path / "in" / "train.npy", np.load(toy.folder / "train.npy")[:4])
    # Synthetic images of one class would move the frequencies, if they were counted.
    (tmp_path / "in" / "synthetic.csv").write_text("image_id,label,tone\ns,violet,VI\n")
    np.save(tmp_path / "in" / "synthetic.npy", np.load(toy.folder / "train.npy")[:1])
    ended = run_stage("baselines/class-prior", tmp_path / "in")
    # The four rows are red, dark, pale, red.
    assert (ended.probabilities(1) == [0.5, 0.25, 0.25, 0]).all()


def test_synthetic_images_are_trained_on_beside_the_real_ones(
    toy: Toy, run_here: RunStage, tmp_path: Path
) -> None:
    shutil.copytree(toy.folder, tmp_path / "in")
    # Real images called violet, whatever they show: a network that saw them says violet more often.
    rows = "".join(f"s{i},violet,VI\n" for i in range(200))
    (tmp_path / "in" / "synthetic.csv").write_text("image_id,label,tone\n" + rows)
    np.save(tmp_path / "in" / "synthetic.npy", np.load(toy.folder / "train.npy"))
    ended = run_here("baselines/erm", tmp_path / "in")
    notes = json.loads((ended.out / "notes.json").read_text())
    assert (notes["n_real"], notes["n_synthetic"]) == (200, 200)
    violet = ended.probabilities(4)[:, CLASSES.index("violet")]
    assert violet.mean() > 0.45


def test_a_frozen_backbone_without_augmentation_learns_from_features_computed_once(
    toy: Toy, run_here: RunStage
) -> None:
    ended = run_here(
        "baselines/erm", toy.folder, {"frozen": True, "augmentation": "none", "epochs": 30}
    )
    assert ended.code == 0, ended.errors
    assert _accuracy(ended, toy, 30) > 0.4


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("train.npy", None, "train.npy: cannot be read as an array"),
        ("test.npy", b"<html>", "test.npy: cannot be read as an array"),
        (
            "validation.csv",
            b"image_id,label,tone\nx,red,I\n",
            "holds uint8 [40, 32, 32, 3], wanted uint8 [1",
        ),
        ("train.csv", b"image_id,label,tone\nx,blue,I\n", "row 1: label is 'blue'"),
    ],
)
def test_bad_input_is_one_clear_line(
    toy: Toy, run_stage: RunStage, tmp_path: Path, file: str, content: bytes | None, said: str
) -> None:
    shutil.copytree(toy.folder, tmp_path / "in")
    (tmp_path / "in" / file).unlink()
    if content is not None:
        (tmp_path / "in" / file).write_bytes(content)
    ended = run_stage("baselines/class-prior", tmp_path / "in")
    assert ended.code == 1
    assert len(ended.errors.splitlines()) == 1
    assert ended.errors.startswith("error: ")
    assert said in ended.errors
    assert not list(ended.out.iterdir())


def test_a_stage_that_wants_a_gpu_where_there_is_none_fails(toy: Toy, run_here: RunStage) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    ended = run_here("baselines/erm", toy.folder, device="cuda")
    assert ended.code == 1
    assert (
        ended.errors == "error: job.json: device is 'cuda', but torch finds no CUDA device here\n"
    )
