"""A stage's input, small enough to be read in the test that uses it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tonegap_kit.command import Stage
from tonegap_kit.job import read_job

SIDE = 8


@pytest.fixture
def make_stage(tmp_path: Path) -> Callable[..., Stage]:
    """Writes job.json with these parameters and says what the kit makes of it."""

    def make(parameters: dict[str, Any] | None = None, **changes: Any) -> Stage:
        job = {
            "contract": 1,
            "stage": "train",
            "task": "toy/task",
            "classes": ["a", "b", "c"],
            "positive": ["a"],
            "tones": ["I", "II", "III", "IV", "V", "VI"],
            "seed": 0,
            "image": {"size_px": SIDE, "geometry": "crop"},
            "parameters": parameters or {},
            "device": "cpu",
            "threads": 1,
            "time_limit_s": 60,
        } | changes
        for folder in ("in", "out"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "in" / "job.json").write_text(json.dumps(job))
        return Stage(read_job(tmp_path / "in" / "job.json"), tmp_path / "in", tmp_path / "out")

    return make


@pytest.fixture
def write_partition(tmp_path: Path) -> Callable[..., None]:
    """Writes NAME.csv from its lines, and NAME.npy with as many images (image i is all i)."""

    def write(name: str, *lines: str, n_images: int | None = None, side: int = SIDE) -> None:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.csv").write_text("".join(f"{line}\n" for line in lines))
        n = len(lines) - 1 if n_images is None else n_images
        images = (
            np.zeros((n, side, side, 3), np.uint8)
            + np.arange(n, dtype=np.uint8)[:, None, None, None]
        )
        np.save(tmp_path / "in" / f"{name}.npy", images)

    return write
