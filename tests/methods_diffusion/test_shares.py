"""Images made by the shares of several processes: those that one process makes, in its order."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from masked_toy import Made, Workbench, draw_masked
from tiny_pipeline import build_pipeline

from tonegap.declared.plugin import plugin_ids, read_plugin
from tonegap_kit.shares import BatchShare

ROOT = Path(__file__).parents[2]
QUICK: dict[str, Any] = {
    "inversion_steps": 1,
    "inversion_batch": 2,
    "inversion_accumulation": 1,
    "lora_steps": 1,
    "lora_batch": 2,
    "min_images": 2,
    "healthy_images": 1,
    "healthy_steps": 2,
    "prior_images": 1,
    "epochs": 1,
    "pairs": 2,
    "preference_steps": 1,
    "preference_batch": 1,
    "preference_accumulation": 1,
    "sampling_steps": 2,
    "sampling_batch": 2,
    "per_source": 1,
    "strength": 1.0,
    "output_px": 32,
    "ratio": 0.5,
    "fill": 2.0,
}
OWN = {
    "cgddi-healthy": {"labels": ["psoriasis"]},
    "cgddi-semantic": {"targets": ["I", "VI"], "ratio": 0.5},
}


def able() -> list[str]:
    """The methods that say that several GPUs may share their images."""
    every = [read_plugin(ROOT, "method", name) for name in plugin_ids(ROOT, "method")]
    return [plugin.id for plugin in every if plugin.file.several_gpus]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_pipeline(tmp_path_factory.mktemp("pipelines") / "tiny")


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    inputs = draw_masked(tmp_path / "toy", n=24)
    (tmp_path / "work").mkdir()
    return Workbench(tmp_path / "work", inputs, monkeypatch, capsys)


Fitted = Callable[[str], tuple[Mapping[str, Any], Path | None]]


@pytest.fixture
def fitted(bench: Workbench, pipeline: Path) -> Fitted:
    """The parameters of a method and what its fit left."""

    def fit(method: str) -> tuple[Mapping[str, Any], Path | None]:
        file = read_plugin(ROOT, "method", method).file
        given = {name: value for name, value in QUICK.items() if name in file.parameters}
        given |= {"pipeline": pipeline, **OWN.get(method, {})}
        if "fit" not in file.stages:
            return given, None
        made = bench.run(method, "fit", given)
        assert made.code == 0, made.errors
        return given, made.out / "model"

    return fit


def _colours(made: Made) -> np.ndarray:
    return np.stack([made.image(row) for row in made.rows]).astype(int)


@pytest.mark.parametrize("method", able())
def test_shares_put_together_are_the_set_of_one_process(
    bench: Workbench, fitted: Fitted, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, model = fitted(method)
    taken: list[int] = []
    take = BatchShare.take

    def seen(self: BatchShare, asked: Sequence[Any], batch: int) -> list[Any]:
        taken.append(batch)
        return take(self, asked, batch)

    monkeypatch.setattr(BatchShare, "take", seen)
    alone = bench.run(method, "generate", given, model)
    assert alone.code == 0, alone.errors
    assert len(alone.rows) > 2  # more than one batch
    shared = bench.shared(method, given, model, 3)
    assert shared.files().keys() == alone.files().keys()
    tables = ("synthetic.csv", "notes.json")
    assert [shared.files().get(name) for name in tables] == [
        alone.files().get(name) for name in tables
    ]
    assert set(taken) == {given["sampling_batch"]}  # else a batch would not be that of one process
    # Sources and prompts are encoded in other batches: equal to rounding, no more.
    assert abs(_colours(shared) - _colours(alone)).max() <= 1
