"""Every baseline of the field: that it learns on drawn skin, and bears images of unknown tone.

That the same job gives the same bytes is tested for all of them in `tests/contract`.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ..plugins.conftest import Ended, Toy

RunStage = Callable[..., Ended]
# The parameters with which 200 images are enough, and the epochs that are then kept.
QUICK = {
    "sam": ({}, 4),
    "resample-tone": ({}, 4),
    "fairmoe": ({}, 4),
    "laftr": ({"learning_rate": 0.003, "epochs": 5}, 5),
    "cfair": ({"learning_rate": 0.003, "epochs": 5}, 5),
    "lnl": ({"learning_rate": 0.003, "epochs": 5}, 5),
    "odr": ({"epochs": 5}, 5),
    "entangle": ({}, 4),
    "dfr": ({"subsets": 2, "steps": 200}, 1),
    "bmft": ({"body_epochs": 1, "head_epochs": 2, "body_rate": 0.001, "head_rate": 0.01}, 2),
    "domain-ind": ({"mitigate_by": "light-dark", "epochs": 6}, 6),
    "multi-exit": ({"confidence": 0.9, "epochs": 5}, 5),
    "fairquantize": ({"rounds": 2, "retrain_epochs": 1, "saliency_images": 4}, 2),
    "scp": ({"rounds": 2, "retrain_epochs": 1, "saliency_images": 40, "layers": "all"}, 2),
    "fairprune": ({"rounds": 2, "prune_share": 0.2, "saliency_images": 8}, 2),
}


def _toy(toy: Toy, into: Path) -> Path:
    """The toy's input with a tone for test images, and without that of every other training image."""
    shutil.copytree(toy.folder, into)
    for name in ("train", "validation", "test"):
        head, *rows = (into / f"{name}.csv").read_text().splitlines()
        if name == "test":
            head, rows = head + ",tone", [row + ",I" for row in rows]
        if name == "train":
            rows = [row.rsplit(",", 1)[0] + "," if i % 2 else row for i, row in enumerate(rows)]
        (into / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
    return into


@pytest.mark.parametrize("name", QUICK)
def test_it_learns_with_half_of_the_training_tones_unknown(
    name: str, toy: Toy, run_here: RunStage, tmp_path: Path
) -> None:
    changes, kept = QUICK[name]
    ended = run_here(f"baselines/{name}", _toy(toy, tmp_path / "in"), changes)
    assert ended.code == 0, ended.errors
    p = ended.probabilities(kept)
    assert np.isfinite(p).all()
    # 80 images of four classes: chance is 0.25, and 0.45 is four standard errors above it.
    assert (p.argmax(axis=1) == toy.truth).mean() > 0.45
    assert max(ended.predictions["epoch"]) == kept


def test_batch_normalisation_by_group_learns_for_the_group_that_has_images(
    toy: Toy, run_here: RunStage, tmp_path: Path
) -> None:
    folder = _toy(toy, tmp_path / "in")
    ended = run_here("baselines/fairadabn", folder, {"epochs": 8})
    assert ended.code == 0, ended.errors
    rows = (folder / "validation.csv").read_text().splitlines()[1:]
    light = np.array([row.rsplit(",", 1)[1] in {"I", "II", "III"} for row in rows])
    hits = (
        ended.probabilities(8).argmax(axis=1)[: toy.n_validation] == toy.truth[: toy.n_validation]
    )
    # 14 images: chance is 0.25, and 0.6 three standard errors above it. Of dark ones ten are there to learn from.
    assert light.sum() == 14
    assert hits[light].mean() > 0.6


def test_a_repair_keeps_its_own_rounds_and_not_the_epochs_before_it(
    toy: Toy, run_here: RunStage
) -> None:
    changes = {"epochs": 3, "rounds": 1, "prune_share": 0.99, "saliency_images": 4}
    ended = run_here("baselines/fairprune", toy.folder, changes)
    assert ended.code == 0, ended.errors
    assert set(ended.predictions["epoch"]) == {1}
    assert len(json.loads((ended.out / "notes.json").read_text())["loss"]) == 1


def test_an_unknown_axis_is_refused(toy: Toy, run_here: RunStage) -> None:
    ended = run_here("baselines/resample-tone", toy.folder, {"mitigate_by": "age"})
    assert ended.code == 1
    assert "mitigate_by is 'age', wanted one of tone, light-dark" in ended.errors
