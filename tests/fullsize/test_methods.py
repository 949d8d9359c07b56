"""Every diffusion method by its own command on the real architectures: it ends, within the memory that is declared.

Networks, text encoders and vocabularies are those of Stable Diffusion 1.5, 2.1 and the inpainting weights; images
are of 64 px, which a CPU can do, and weights are random. Takes minutes and 8 to 16 GiB: `pytest -m fullsize`, one
at a time.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from full_pipelines import TOKENS, vocabulary, write_pipeline
from masked_toy import TYPES, draw_masked

from tonegap.declared.plugin import read_plugin
from tonegap.declared.suite import Limits
from tonegap.untrusted import written_bytes

pytestmark = [
    pytest.mark.fullsize,
    pytest.mark.skipif(vocabulary() is None, reason="open_clip_torch is not there"),
]
ROOT = Path(__file__).parents[2]
_GIB = 1 << 30
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
    """A stage that ended: what it left, its processor seconds and its largest memory in bytes."""

    out: Path
    seconds: float
    memory: int
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
        said = f"{ended.seconds:.0f} CPU s, {ended.memory / _GIB:.1f} GiB"
        record_property(f"{method} {stage}", said)
        sys.stdout.write(f"{method} {stage}: {said}\n")
        assert ended.code == 0, ended.errors
        assert ended.memory < Limits().memory_mib << 20
        assert written_bytes(ended.out) < Limits().output_mib << 20
        return ended

    return go


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
        _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        place / "out",
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss << 10,
        (place / "log").read_text()[-2000:],
        process.returncode,
    )


def test_what_skin_diff_learns_on_sd21_loads_into_stock_diffusers(
    run: Callable[..., Ended], pipeline: Callable[..., Path]
) -> None:
    folder = pipeline("sd21")
    model = run("skin-diff", "fit", {"pipeline": folder}).out / "model"
    made = run("skin-diff", "generate", {"pipeline": folder}, model).out
    assert len(list((made / "images").glob("*.png"))) == 1
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
    assert len(list((made.out / "images").glob("*.png"))) == 1


@pytest.mark.parametrize(
    ("method", "kinds", "own"),
    [
        ("ti-only", {"pipeline": "sd15"}, {}),
        ("lora-only", {"pipeline": "sd15"}, {"save_memory": True}),
        ("magic", {"pipeline": "sd21"}, PAIRS),
        ("skin-diff-2024", {"pipeline": "sd21-v"}, {"inversion_vectors": 2}),
        ("cgddi-semantic", {"pipeline": "sd21", "healthy_pipeline": "inpainting"}, {}),
        ("dreambooth", {"pipeline": "sd15"}, FILLED),
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
    assert list((made.out / "images").glob("*.png"))


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
    assert list((made.out / "images").glob("*.png"))
