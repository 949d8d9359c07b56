"""A stage's input of drawn skin with lesion masks, and methods run on it in this process."""

import csv
import json
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from programs import importable

from tonegap.data.phantom.draw import Sitter, draw
from tonegap.declared.plugin import read_plugin
from tonegap_kit.shares import put_together

ROOT = Path(__file__).parents[2]
LABELS = ("basal cell carcinoma", "psoriasis")
TYPES = ("I", "II", "III", "IV", "V", "VI")


@dataclass(frozen=True)
class Made:
    """A stage that ended: its exit code, what it said of an error, what it left, and the rest of what it said."""

    code: int
    errors: str
    out: Path
    said: str = ""

    @property
    def rows(self) -> list[dict[str, str]]:
        with (self.out / "synthetic.csv").open(newline="", encoding="utf-8") as f:
            return list(csv.DictReader(f))

    @property
    def notes(self) -> dict[str, Any]:
        notes: dict[str, Any] = json.loads((self.out / "notes.json").read_text())
        return notes

    def image(self, row: Mapping[str, str]) -> np.ndarray:
        with Image.open(self.out / "images" / row["file"]) as image:
            return np.asarray(image)

    def files(self) -> dict[str, bytes]:
        """The bytes of all it left."""
        return {
            path.relative_to(self.out).as_posix(): path.read_bytes()
            for path in sorted(self.out.rglob("*"))
            if path.is_file()
        }


def draw_masked(folder: Path, n: int = 24, size_px: int = 32, tones: Sequence[str] = TYPES) -> Path:
    """Writes n training images with masks, tones in turn, labels in turn within a tone."""
    folder.mkdir(parents=True)
    rows = [
        (f"t{i:03}", LABELS[i // len(tones) % len(LABELS)], tones[i % len(tones)]) for i in range(n)
    ]
    drawn = [draw(Sitter(f"s{i}", label, tone), size_px) for i, label, tone in rows]
    np.save(folder / "train.npy", np.stack([image for image, _ in drawn]))
    np.save(folder / "train_masks.npy", np.stack([mask for _, mask in drawn]))
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["image_id", "label", "tone"])
        table.writerows(rows)
    return folder


@dataclass(frozen=True)
class Workbench:
    """Runs stages of a method on one input, as often as asked, each in a fresh folder.

    `kept` are checkpoints of an earlier try: their names, and where they lie.
    """

    place: Path
    inputs: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(
        self,
        method: str,
        stage: str,
        parameters: Mapping[str, Any] | None = None,
        model: Path | None = None,
        kept: Sequence[tuple[str, Path]] = (),
        **job: Any,
    ) -> Made:
        program, place = self._laid_out(method, stage, parameters or {}, model, kept, job)
        return self._run(program, stage, place / "in", place / "out")

    def shared(
        self, method: str, parameters: Mapping[str, Any], model: Path | None, n: int
    ) -> Made:
        """A `generate` whose images are made by n processes' shares, one after another in this one."""
        program, place = self._laid_out(method, "generate", parameters, model, (), {})
        shares = [place / "out" / "shares" / str(k) for k in range(n)]
        for k, share in enumerate(shares):
            share.mkdir(parents=True)
            made = self._run(program, "generate", place / "in", share, "--share", f"{k}/{n}")
            assert made.code == 0, made.errors
        put_together(place / "out", shares)
        return Made(0, "", place / "out", "")

    def _laid_out(
        self,
        method: str,
        stage: str,
        parameters: Mapping[str, Any],
        model: Path | None,
        kept: Sequence[tuple[str, Path]],
        job: Mapping[str, Any],
    ) -> tuple[Path, Path]:
        """The program of a method, and a fresh folder with what its stage is given."""
        plugin = read_plugin(ROOT, "method", method)
        place = self.place / f"{method}-{stage}-{len(list(self.place.iterdir()))}"
        inputs, out = place / "in", place / "out"
        inputs.mkdir(parents=True)
        out.mkdir()
        for path in self.inputs.iterdir():
            (inputs / path.name).symlink_to(path)
        if model is not None:
            (inputs / "model").symlink_to(model)
        values = {name: spec.default for name, spec in plugin.file.parameters.items()}
        values |= {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        document = _job(inputs, stage, values | _given(inputs, parameters)) | job
        (inputs / "job.json").write_text(json.dumps(document), encoding="utf-8")
        if "resumable" in (plugin.folder / "method.toml").read_text():
            (out / "checkpoints").mkdir()
            for name, path in kept:
                (out / "checkpoints" / name).write_bytes(path.read_bytes())
        return plugin.folder / plugin.file.command[1], place

    def _run(self, program: Path, stage: str, inputs: Path, out: Path, *more: str) -> Made:
        argv = [str(program), stage, "--in", str(inputs), "--out", str(out), *more]
        self.monkeypatch.setattr(sys, "argv", argv)
        with importable(program.parent), pytest.raises(SystemExit) as ended:
            runpy.run_path(str(program), run_name="__main__")
        assert isinstance(ended.value.code, int)
        said = self.capsys.readouterr()
        return Made(ended.value.code, said.err, out, said.out)


def _given(inputs: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, folders among them put where a stage finds them."""
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, Path):
            (inputs / "files").mkdir(exist_ok=True)
            (inputs / "files" / value.name).symlink_to(value)
            value = f"{value.name}#sha256={'0' * 64}"
        found[name] = value
    return found


def _job(inputs: Path, stage: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    with (inputs / "train.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    images = np.load(inputs / "train.npy", mmap_mode="r")
    return {
        "contract": 1,
        "stage": stage,
        "task": "toy/masked",
        "classes": list(dict.fromkeys(row["label"] for row in rows)),
        "positive": [],
        "tones": list(dict.fromkeys(row["tone"] for row in rows)),
        "seed": 0,
        "image": {"size_px": int(images.shape[1]), "geometry": "crop"},
        "parameters": dict(parameters),
        "device": "cpu",
        "threads": 1,
        "time_limit_s": 600,
    }
