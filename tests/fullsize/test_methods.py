"""Every diffusion method by its own command on the real architectures: it ends, within the memory that is declared.

Networks, text encoders and vocabularies are those of Stable Diffusion 1.5, 2.1 and the inpainting weights; images
are of 64 px, which a CPU can do, and weights are random. Takes minutes and 8 to 16 GiB: `pytest -m fullsize`, one
at a time.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from full_pipelines import TOKENS, vocabulary, write_pipeline
from masked_toy import TYPES, draw_masked
from PIL import Image
from safetensors import safe_open

from tonegap.declared.plugin import read_plugin
from tonegap.declared.suite import Limits
from tonegap.untrusted import written_bytes

pytestmark = [
    pytest.mark.fullsize,
    pytest.mark.skipif(vocabulary() is None, reason="open_clip_torch is not there"),
]
ROOT = Path(__file__).parents[2]
_GIB = 1 << 30
LORA = "pytorch_lora_weights.safetensors"
QUICK: dict[str, Any] = {
    "inversion_steps": 1,
    "inversion_batch": 1,
    "inversion_accumulation": 1,
    "inversion_at_once": 1,
    "lora_steps": 1,
    "lora_batch": 1,
    "lora_resolution_px": 0,
    "per_source": 1,
    "ratio": 0.1,
    "sampling_steps": 2,
    "strength": 1.0,
    "min_images": 2,
    "healthy_images": 1,
    "healthy_steps": 2,
    "prior_images": 1,
    "output_px": 64,
    "epochs": 1,
    "batch": 4,
    "targets": ["VI"],
}
PAIRS = {
    "pairs": 2,
    "preference_steps": 1,
    "preference_batch": 1,
    "preference_accumulation": 1,
    "lora_rank": 4,
}
# Where a tone is filled up: the twelve images have each condition on each tone once, so that nothing is missing.
FILLED = {"fill": 2.0, "ratio": 0.5}


@dataclass(frozen=True)
class Ended:
    """A stage that ended: what it left, its processor seconds, its largest memory and output in bytes."""

    out: Path
    seconds: float
    memory: int
    written: int
    errors: str
    code: int


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A folder of a pipeline by its name; kept in TONEGAP_FULLSIZE where that names a folder."""
    kept = os.environ.get("TONEGAP_FULLSIZE")
    place = Path(kept) if kept else tmp_path_factory.mktemp("pipelines")

    def of(name: str, side: int = 8) -> Path:
        folder = place / (name if side == 8 else f"{name}-{8 * side}px")
        return folder if folder.exists() else write_pipeline(folder, name, latent_side=side)

    return of


@pytest.fixture
def run(tmp_path: Path, record_property: Callable[[str, object], None]) -> Callable[..., Ended]:
    def go(
        method: str,
        stage: str,
        given: dict[str, Path],
        model: Path | None = None,
        toy: tuple[int, Sequence[str]] = (12, TYPES),
        **own: Any,
    ) -> Ended:
        place = tmp_path / f"{method}-{stage}"
        inputs = draw_masked(place / "toy", toy[0], 64, toy[1])
        (place / "in" / "files").mkdir(parents=True)
        (place / "out" / "checkpoints").mkdir(parents=True)
        for path in inputs.iterdir():
            (place / "in" / path.name).symlink_to(path)
        if model is not None:
            (place / "in" / "model").symlink_to(model)
        plugin = read_plugin(ROOT, "method", method)
        values = {name: spec.default for name, spec in plugin.file.parameters.items()}
        values |= {name: value for name, value in (QUICK | own).items() if name in values}
        for name, folder in given.items():
            (place / "in" / "files" / folder.name).symlink_to(folder)
            values[name] = f"{folder.name}#sha256={'0' * 64}"
        job = {
            "contract": 1,
            "stage": stage,
            "task": "toy/masked",
            "classes": ["basal cell carcinoma", "psoriasis"],
            "positive": [],
            "tones": ["I", "II", "III", "IV", "V", "VI"],
            "seed": 0,
            "image": {"size_px": 64, "geometry": "crop"},
            "parameters": values,
            "device": "cpu",
            "threads": 2,
            "time_limit_s": 3600,
        }
        (place / "in" / "job.json").write_text(json.dumps(job))
        ended = _timed(plugin.folder, plugin.file.command, stage, place)
        memory, written = ended.memory / _GIB, ended.written / _GIB
        said = f"{ended.seconds:.0f} CPU s, {memory:.1f} GiB, output at most {written:.1f} GiB"
        record_property(f"{method} {stage}", said)
        sys.stdout.write(f"{method} {stage}: {said}\n")
        assert ended.code == 0, ended.errors
        assert ended.memory < Limits().memory_mib << 20
        assert max(ended.written, written_bytes(ended.out)) < Limits().output_mib << 20
        return ended

    return go


def _written(folder: Path) -> int:
    """Bytes below a folder, of which a file may go while it is looked at."""
    try:
        return written_bytes(folder)
    except FileNotFoundError:
        return 0


def _timed(folder: Path, command: tuple[str, ...], stage: str, place: Path) -> Ended:
    argv = [
        sys.executable,
        *command[1:],
        stage,
        "--in",
        str(place / "in"),
        "--out",
        str(place / "out"),
    ]
    kit = {"PYTHONPATH": str(ROOT / "docker" / "kit"), "PYTHONDONTWRITEBYTECODE": "1"}
    with (place / "log").open("w") as log:
        process = subprocess.Popen(
            argv, cwd=folder, env={**os.environ, **kit}, stdout=log, stderr=log
        )
        # wait4 tells of this one child what RUSAGE_CHILDREN tells of the largest.
        pid, written = 0, 0
        while not pid:
            time.sleep(0.5)
            written = max(written, _written(place / "out"))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        place / "out",
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss << 10,
        written,
        (place / "log").read_text()[-2000:],
        process.returncode,
    )


def _images(made: Ended) -> int:
    """How many images were made; each has more than one colour."""
    paths = list((made.out / "images").glob("*.png"))
    for path in paths:
        with Image.open(path) as image:
            assert any(low < high for low, high in image.convert("RGB").getextrema())
    return len(paths)


def _check_learned(model: Path) -> None:
    """Every weight that was learned is a finite number, and no word, addition or network is nothing."""
    paths = list(model.rglob("*.safetensors"))
    assert paths
    for path in paths:
        with safe_open(path, framework="pt") as file:
            learned = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118 - no mapping
        assert all(value.isfinite().all() for value in learned), path
        assert any(value.any() for value in learned), path
        # Attention within one cell, as in the middle at 64 px, has nothing to learn.
        if path.name == LORA:
            assert sum(bool(value.any()) for value in learned) > 0.8 * len(learned), path


def _load_into_stock(folder: Path, model: Path) -> None:
    stock = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float16)
    known = len(stock.tokenizer)
    words = sorted((model / "words").glob("*.safetensors"))
    for path in words:
        stock.load_textual_inversion(path.parent, weight_name=path.name)
    assert len(stock.tokenizer) >= known + len(words)
    for path in sorted(model.rglob(LORA)):  # one at a time: peft warns of a second beside it
        stock.load_lora_weights(path.parent, adapter_name="own")
        assert "own" in stock.unet.peft_config
        stock.unload_lora_weights()


def test_what_skin_diff_learns_on_sd21_loads_into_stock_diffusers(
    run: Callable[..., Ended], pipeline: Callable[..., Path]
) -> None:
    folder = pipeline("sd21")
    model = run("skin-diff", "fit", {"pipeline": folder}).out / "model"
    made = run("skin-diff", "generate", {"pipeline": folder}, model)
    assert _images(made) == 1
    _check_learned(model)
    stock = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float16)
    for path in sorted((model / "words").glob("*.safetensors")):
        stock.load_textual_inversion(path.parent, weight_name=path.name)
    assert len(stock.tokenizer) == TOKENS + 2
    assert stock.tokenizer.tokenize("bas-class skin") == ["bas-class", "skin</w>"]
    stock.load_lora_weights(model / "lora")
    layers = [
        name for name, module in stock.unet.named_modules() if name.endswith("lora_A.default_0")
    ]
    assert len(layers) == 128  # 16 transformers of two attentions of four layers


def test_skin_diff_fits_and_generates_at_512_px(
    run: Callable[..., Ended], pipeline: Callable[..., Path]
) -> None:
    """Of one photograph of each class, and one image: at this side a CPU takes minutes."""
    folder, own = pipeline("sd21", side=64), {"toy": (2, ["I"]), "ratio": 0.5}
    model = run("skin-diff", "fit", {"pipeline": folder}, **own).out / "model"
    made = run("skin-diff", "generate", {"pipeline": folder}, model, **own)
    assert _images(made) == 1
    _check_learned(model)


@pytest.mark.parametrize(
    ("method", "kinds", "own"),
    [
        ("ti-only", {"pipeline": "sd15"}, {}),
        ("lora-only", {"pipeline": "sd15"}, {"save_memory": True}),
        ("magic", {"pipeline": "sd21"}, PAIRS),
        ("skin-diff-2024", {"pipeline": "sd21-v"}, {"inversion_vectors": 2}),
        ("cgddi-semantic", {"pipeline": "sd21", "healthy_pipeline": "inpainting"}, {}),
        # Three steps for each of two conditions, and a checkpoint of 10 GB after each but the last.
        ("dreambooth", {"pipeline": "sd15"}, FILLED | {"batch": 2, "checkpoint_every": 1}),
    ],
)
def test_a_method_that_learns_fits_and_generates(
    run: Callable[..., Ended],
    pipeline: Callable[..., Path],
    method: str,
    kinds: dict[str, str],
    own: dict[str, Any],
) -> None:
    given = {name: pipeline(kind) for name, kind in kinds.items()}
    fitted = run(method, "fit", given, **own)
    made = run(method, "generate", given, fitted.out / "model", **own)
    assert _images(made)
    _check_learned(fitted.out / "model")
    if method != "dreambooth":
        _load_into_stock(given["pipeline"], fitted.out / "model")


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("img2img-plain", "sd15"),
        ("text2img-plain", "sd15"),
        ("cgddi-healthy", "inpainting"),
        ("cgddi-lesion-mapping", "inpainting"),
    ],
)
def test_a_method_that_learns_nothing_generates(
    run: Callable[..., Ended], pipeline: Callable[..., Path], method: str, kind: str
) -> None:
    own = {"cgddi-healthy": {"labels": ["psoriasis"]}, "text2img-plain": FILLED}.get(method, {})
    made = run(method, "generate", {"pipeline": pipeline(kind)}, **own)
    assert _images(made)
