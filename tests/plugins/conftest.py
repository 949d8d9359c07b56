"""Plug-ins started as the engine starts them, on a toy data set that a small network can learn.

Four classes are four colours of a spot on skin; its place, the skin's tone and the noise are random.
"""

import csv
import json
import os
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from programs import importable

from tonegap_kit.colour import rgb_from_lab
from tonegap_kit.skin import draw_skin_colour

ROOT = Path(__file__).parents[2]
CLASSES = ("red", "dark", "pale", "violet")
TYPES = ("I", "II", "III", "IV", "V", "VI")
SIDE = 32
_SPOTS = np.array([(0, 25, 10), (-25, 0, 0), (25, -5, 5), (-10, 15, -25)], np.float32)
# For a toy of 200 images: seconds, not minutes.
QUICK = {
    "backbone": "cnn4",
    "centre_crop": 1.0,
    "augmentation": "flip-shift",
    "epochs": 4,
    "batch": 20,
    "learning_rate": 0.005,
    "schedule": "cosine",
    "sampler": "shuffle",
}


@dataclass(frozen=True)
class Ended:
    """A stage that ended: its exit code, its log and what it left."""

    code: int
    errors: str
    out: Path

    @property
    def predictions(self) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = pq.read_table(self.out / "predictions.parquet").to_pydict()
        return columns

    def probabilities(self, epoch: int) -> np.ndarray:
        """Rows of one epoch, [n, k], in the order of the classes."""
        table = self.predictions
        here = np.array(table["epoch"]) == epoch
        return np.stack([np.array(table[f"p_{c}"])[here] for c in CLASSES], axis=1)

    @property
    def synthetic(self) -> list[dict[str, str]]:
        with (self.out / "synthetic.csv").open(newline="", encoding="utf-8") as f:
            return list(csv.DictReader(f))


@dataclass(frozen=True)
class Toy:
    """A stage's input folder; `truth` are the classes of the held-out images in their order."""

    folder: Path
    truth: np.ndarray
    n_validation: int


def draw_toy(folder: Path, tones: Sequence[str] = TYPES) -> Toy:
    """Writes 200 training, 40 validation and 40 test images; dark tones are rare in training."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    truth = [
        _draw_partition(folder, name, n, tones, rng)
        for name, n in (("train", 200), ("validation", 40), ("test", 40))
    ]
    return Toy(folder, np.concatenate(truth[1:]), 40)


def _draw_partition(
    folder: Path, name: str, n: int, tones: Sequence[str], rng: np.random.Generator
) -> np.ndarray:
    y = np.arange(n) % len(CLASSES)
    dark = rng.random(n) < (0.1 if name == "train" else 0.5)
    half = len(tones) // 3 * 2
    t = np.where(dark, rng.integers(half, len(tones), n), rng.integers(0, half, n))
    images = [_draw(tones[t[i]], y[i], rng) for i in range(n)]
    np.save(folder / f"{name}.npy", np.stack(images))
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["image_id", "label", "tone"] if name != "test" else ["image_id"])
        for i in range(n):
            told = [CLASSES[y[i]], tones[t[i]]] if name != "test" else []
            table.writerow([f"{name}-{i:03}", *told])
    return y


def _draw(tone: str, y: int, rng: np.random.Generator) -> np.ndarray:
    lab = draw_skin_colour(rng, tone) + rng.normal(0, 1.5, (SIDE, SIDE, 3)).astype(np.float32)
    at = rng.integers(4, SIDE - 14, 2)
    lab[at[0] : at[0] + 10, at[1] : at[1] + 10] += _SPOTS[y]
    return rgb_from_lab(lab)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """Input for a `train` or `generate` stage with the six types; without job.json."""
    return draw_toy(tmp_path_factory.mktemp("toy") / "in")


@pytest.fixture(scope="session")
def run_stage(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ended]:
    """Starts a plug-in's stage in a process of its own, as the engine does, and waits for it."""

    def run(
        plugin: str, folder: Path, parameters: dict[str, Any] | None = None, **changes: Any
    ) -> Ended:
        room, argv = _prepare(tmp_path_factory.mktemp("stage"), plugin, folder, parameters, changes)
        ended = subprocess.run(
            [sys.executable, *argv],
            cwd=room,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(ended.returncode, ended.stderr, Path(argv[-1]))

    return run


@pytest.fixture
def run_here(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Runs a plug-in's program in this process: the same files and words, without importing torch anew."""

    def run(
        plugin: str, folder: Path, parameters: dict[str, Any] | None = None, **changes: Any
    ) -> Ended:
        room, argv = _prepare(tmp_path_factory.mktemp("here"), plugin, folder, parameters, changes)
        monkeypatch.setattr(sys, "argv", argv)
        with importable(room), pytest.raises(SystemExit) as ended:
            runpy.run_path(str(room / argv[0]), run_name="__main__")
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, capsys.readouterr().err, Path(argv[-1]))

    return run


def _prepare(
    place: Path,
    plugin: str,
    folder: Path,
    parameters: dict[str, Any] | None,
    changes: dict[str, Any],
) -> tuple[Path, list[str]]:
    """The plug-in's folder and its command line, after `python`, on a fresh copy of the input."""
    room = ROOT / plugin
    spec = _spec(room)
    inputs, out = place / "in", place / "out"
    for made in (inputs, out):
        made.mkdir(parents=True)
    for path in folder.iterdir():
        (inputs / path.name).symlink_to(path)
    job = _job(spec, parameters or {}) | changes
    (inputs / "job.json").write_text(json.dumps(job), encoding="utf-8")
    return room, [spec["command"][1], job["stage"], "--in", str(inputs), "--out", str(out)]


def _spec(room: Path) -> dict[str, Any]:
    """A plug-in's TOML file with the parameters that it takes from a shared one."""
    (file,) = room.glob("*.toml")
    spec = tomllib.loads(file.read_text(encoding="utf-8"))
    if "parameters_from" in spec:
        shared = tomllib.loads((room.parent / spec["parameters_from"]).read_text(encoding="utf-8"))
        spec["parameters"] = shared["parameters"] | spec.get("parameters", {})
    return spec


def _job(spec: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    filled = {name: entry["default"] for name, entry in spec["parameters"].items()}
    filled |= {name: value for name, value in (QUICK | parameters).items() if name in filled}
    return {
        "contract": 1,
        "stage": spec["stages"][0],
        "task": "toy/spots",
        "classes": list(CLASSES),
        "positive": [],
        "tones": list(TYPES),
        "seed": 0,
        "image": {"size_px": SIDE, "geometry": "crop"},
        "parameters": filled,
        "device": "cpu",
        "threads": 1,
        "time_limit_s": 60,
    }


def _environment() -> dict[str, str]:
    kit = {
        "PYTHONPATH": str(ROOT / "docker" / "kit"),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
    }
    return dict(os.environ) | kit | {"PYTHONDONTWRITEBYTECODE": "1"}
