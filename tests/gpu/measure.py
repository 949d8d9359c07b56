"""Measures a baseline and the diffusion parts beside loops built as diffusers' example scripts are: one JSON file.

    python tests/gpu/measure.py OUT.json full|phantom

Rounds of one and of the other take turns; a figure has the median and the range of its rounds, and the largest memory.
The file is written anew with each figure: a stop loses nothing. Started by tests/gpu/fifteen_minutes.sh.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import bench_diffusion as bench_
import numpy as np
import torch
from full_pipelines import write_pipeline

from tonegap_kit.augment import augmentation_named
from tonegap_kit.backbones import BackboneSpec, build_classifier
from tonegap_kit.diffusion.inversion import Concepts, InversionRecipe, learn_tokens
from tonegap_kit.diffusion.lora import Captioned, LoraRecipe, merged_lora, save_lora, train_lora
from tonegap_kit.diffusion.models import Models, accelerate, encode_images
from tonegap_kit.diffusion.noise_loop import Watch, encode_examples
from tonegap_kit.diffusion.sampling import img2img
from tonegap_kit.partition import Pictures
from tonegap_kit.sources import ImageSource
from tonegap_kit.training import Examples, Recipe, Rule, train_epochs

PHANTOM = Path("benchmarks/phantom/models/phantom-sd")
SCHEMA = "tonegap/gpu-figures@1"
ROUNDS = 3
LIMIT_S = 660  # what was not measured by then is left out; the script has 12 minutes
TESTS_S = 150
STARTED = time.monotonic()
Run = Callable[[], object]


class OverTime(Exception):
    """The time is over."""


@dataclass(frozen=True)
class Clock:
    """Seconds of runs on a device, told one after another."""

    device: torch.device
    out: Path
    figures: list[dict[str, object]] = field(default_factory=list)

    def tell(self, what: str, **values: object) -> None:
        """A figure, at once."""
        at_s = round(time.monotonic() - STARTED, 1)
        self.figures.append({"what": what, "at_s": at_s, **values})
        aside = self.out.with_suffix(".partial")
        aside.write_text(json.dumps({"schema": SCHEMA, "figures": self.figures}, indent=1) + "\n")
        aside.replace(self.out)

    def compare(
        self, what: str, unit: str, amount: Mapping[str, float], runs: Mapping[str, Run]
    ) -> None:
        """Each run's rate in `unit` a second: rounds take turns, after one to warm up."""
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        memory = dict.fromkeys(runs, 0.0)
        for turn in range(ROUNDS + 1):
            for name, run in runs.items():
                taken, gib = self._once(run)
                memory[name] = max(memory[name], gib)
                if turn:
                    seconds[name].append(taken)
        rates = {name: sorted(amount[name] / s for s in own) for name, own in seconds.items()}
        figures = {
            name: {
                "median": round(median(own), 3),
                "range": [round(own[0], 3), round(own[-1], 3)],
                "gib": round(memory[name], 2),
            }
            for name, own in rates.items()
        }
        self.tell(what, unit=f"{unit}/s", rounds=ROUNDS, **figures)

    def _once(self, run: Run) -> tuple[float, float]:
        """Seconds (of the wall on a GPU, of the process on a CPU) and GiB of the GPU."""
        if self.device.type == "cpu":
            start = time.process_time()
            run()
            return time.process_time() - start, 0.0
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        return time.perf_counter() - start, torch.cuda.max_memory_allocated() / (1 << 30)


def main(out: Path, size: str) -> None:
    """Everything, in the order of what matters most; what is not there by the limit is named as left out."""
    device = torch.device("cuda" if size == "full" else "cpu")
    clock = Clock(device, out)
    name = torch.cuda.get_device_name() if size == "full" else f"{os.cpu_count()} processors"
    clock.tell("machine", size=size, device=name, torch=torch.__version__)
    left = [determinism, baseline, lora, words, images, tests, means]
    signal.signal(signal.SIGALRM, _over)
    signal.alarm(LIMIT_S)
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = PHANTOM if size == "phantom" else write_pipeline(Path(place) / "sd21", "sd21")
            bench = bench_.open_bench(folder, device.type, Path(place))
            while left:
                left[0](clock, bench)
                del left[0]
    except OverTime:
        pass
    signal.alarm(0)
    clock.tell("done", left_out=[part.__name__ for part in left])


def _over(_number: int, _frame: object) -> None:
    raise OverTime


def determinism(clock: Clock, bench: bench_.Bench) -> None:
    """Whether a LoRA and its images are the same bytes twice."""
    torch.use_deterministic_algorithms(True)

    def digest() -> str:
        learned = train_lora(bench.models, _examples(bench), None, _recipe(), 0, Watch("twice"))
        made = _made(bench, bench.models, _lora_file(bench, learned), batch=5)
        parts = [*(v.numpy().tobytes() for _, v in sorted(learned.items())), made.tobytes()]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    digests = [digest(), digest()]
    torch.use_deterministic_algorithms(False)
    clock.tell("determinism", same=digests[0] == digests[1], sha256=digests)


def baseline(clock: Clock, _bench: bench_.Bench) -> None:
    """An epoch of `erm` on drawn pictures: ResNet-18 at 224 px on a GPU, the small network at 64 px on a CPU."""
    on_gpu = clock.device.type == "cuda"
    network, side, n = ("resnet18", 224, 2048) if on_gpu else ("cnn4", 64, 1280)
    pixels = np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    told = torch.zeros(n, dtype=torch.long, device=clock.device)
    recipe = Recipe(1, 32, "adam", 1e-3, 0.0, 0.9, "constant", 1, 1.0, "full")
    rng = torch.Generator().manual_seed(0)
    augmentation = augmentation_named("flip-shift")

    def kit() -> None:
        model = build_classifier(BackboneSpec(network, "linear", None, False), 7, side)
        source = ImageSource(Pictures((pixels,)), 1.0, clock.device, augmentation, rng)
        examples = Examples(source, told, told, torch.ones(n, device=clock.device))
        held_out = ImageSource(Pictures((pixels[:1],)), 1.0, clock.device)
        trained = model.to(clock.device)
        order = lambda _epoch: torch.randperm(n, generator=rng)  # noqa: E731
        list(train_epochs(trained, examples, held_out, recipe, order, Rule()))

    clock.compare(f"baseline, {network} {side} px", "image", {"kit": n}, {"kit": kit})


def tests(clock: Clock, _bench: bench_.Bench) -> None:
    """The tests that need a GPU, where there is one and pytest."""
    if clock.device.type == "cpu" or importlib.util.find_spec("pytest") is None:
        clock.tell("pytest -m gpu", left_out="wants a GPU and pytest")
        return
    argv = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "gpu", "tests/kit_diffusion"]
    try:
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=TESTS_S)
        words = ended.stdout.strip().splitlines()
        clock.tell("pytest -m gpu", code=ended.returncode, said=words[-1] if words else "")
    except subprocess.TimeoutExpired:
        clock.tell("pytest -m gpu", left_out=f"not done in {TESTS_S} s")


def lora(clock: Clock, bench: bench_.Bench) -> None:
    """Steps of LoRA, batch 4, beside the example script's loop."""
    examples, steps = _examples(bench), bench_.STEPS
    runs = {
        "example script": lambda: bench_._published_lora(bench),
        "kit": lambda: train_lora(bench.models, examples, None, _recipe(), 0, Watch("lora")),
    }
    clock.compare("lora", "step", dict.fromkeys(runs, steps), runs)


def words(clock: Clock, bench: bench_.Bench) -> None:
    """Steps of a word, batch 4, one at a time and several at once, beside the example script's loop."""
    encoded = encode_examples(bench.models, bench.images, mirror=True)
    steps = replace(bench_.STEP_RECIPE, max_grad_norm=0.0)
    recipe = InversionRecipe(steps, 1, "skin", ("a photo of a {}",))

    def kit(n: int) -> Run:
        rows = {f"new{k}-class": torch.arange(k, 32, n) for k in range(n)}
        return lambda: learn_tokens(
            bench.models, Concepts(encoded, rows), recipe, 0, Watch("words")
        )

    runs = {
        "example script": lambda: bench_._published_inversion(bench),
        "kit, 1": kit(1),
        "kit, 7": kit(7),
    }
    amount = {"example script": bench_.STEPS, "kit, 1": bench_.STEPS, "kit, 7": 7 * bench_.STEPS}
    clock.compare("words", "step of a word", amount, runs)


def images(clock: Clock, bench: bench_.Bench) -> None:
    """Images from images: the notebook's five of a source with the LoRA beside, and the kit's batches."""
    learned = train_lora(bench.models, _examples(bench), None, _recipe(), 0, Watch("images"))
    file = _lora_file(bench, learned)
    stock = bench_._stock(bench, file)
    runs: dict[str, Run] = {"notebook, 5": lambda: bench_._notebook(bench, stock, 0, 5)}
    amount = {"notebook, 5": 5.0}
    for batch in (5, 20) if clock.device.type == "cpu" else (5, 16, 32, 64):
        runs[f"kit, {batch}"] = lambda batch=batch: _made(bench, bench.models, file, batch)
        amount[f"kit, {batch}"] = batch
    clock.compare("images", "image", amount, runs)


def means(clock: Clock, bench: bench_.Bench) -> None:
    """What each means of acceleration gives to sampling, one after another; compilation last."""
    for name in ("tf32", "channels-last", "compile", "graphs"):
        clock.compare(
            f"before {name}",
            "image",
            {"kit, 20": 20},
            {"kit, 20": lambda: _made(bench, bench.models, None, 20)},
        )
        accelerate(bench.models, [name])
        clock.compare(
            f"with {name}",
            "image",
            {"kit, 20": 20},
            {"kit, 20": lambda: _made(bench, bench.models, None, 20)},
        )


def _recipe() -> LoraRecipe:
    return LoraRecipe(bench_.STEP_RECIPE, rank=8, alpha=8)


def _examples(bench: bench_.Bench) -> Captioned:
    encoded = encode_examples(bench.models, bench.images[:8], mirror=False)
    return Captioned(encoded, torch.arange(8), (bench_.PROMPT,) * 8)


def _lora_file(bench: bench_.Bench, learned: dict[str, torch.Tensor]) -> Path:
    return save_lora(bench.work / "lora", learned, _recipe())


def _made(bench: bench_.Bench, models: Models, file: Path | None, batch: int) -> np.ndarray:
    recipe, rows = replace(bench_.SAMPLING, batch=batch), [i % 4 for i in range(batch)]
    with merged_lora(models, file):
        latents = encode_images(models, bench.images[:4])
        return np.stack(
            list(img2img(models, latents, rows, [bench_.PROMPT] * batch, range(batch), recipe))
        )


def _asked() -> tuple[Path, str]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="the JSON file; must not be there")
    parser.add_argument("size", choices=["full", "phantom"], nargs="?", default="full")
    asked = parser.parse_args()
    if asked.out.exists():
        parser.error(f"{asked.out} is there; name a file that is not")
    if not asked.out.absolute().parent.is_dir():
        parser.error(f"{asked.out}: there is no such folder")
    if asked.size == "full" and not torch.cuda.is_available():
        parser.error("torch finds no GPU; `phantom` tries the program on a CPU")
    return asked.out, asked.size


if __name__ == "__main__":
    main(*_asked())
