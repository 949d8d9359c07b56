"""Processor seconds of a training step: diffusers' own example scripts beside the kit, in one process.

SCRIPTS is a folder with `textual_inversion.py` and `train_text_to_image_lora.py` of huggingface/diffusers, which run as
they are (accelerate, data loader, every encoding in every step) and need the packages accelerate and datasets. Rounds
of script and kit take turns; of each the median step counts, so that loading and saving do not. Run it as
`PYTHONPATH=docker/kit:benchmarks_of_code python benchmarks_of_code/bench_example_scripts.py PIPELINE SCRIPTS [ROUNDS]`.
"""

import csv
import os
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import bench_diffusion as bench_
import torch
from accelerate import Accelerator
from PIL import Image

from tonegap_kit.diffusion.inversion import Concepts, InversionRecipe, learn_tokens
from tonegap_kit.diffusion.lora import Captioned, LoraRecipe, train_lora
from tonegap_kit.diffusion.noise_loop import Meter, Watch, encode_examples

STEPS, SKIPPED = 24, 4  # of each round, the first are slower: memory is taken for the first time
N_IMAGES = 32


class Stopwatch(Meter):
    """Reads the processor's clock whenever a step is done."""

    def __init__(self) -> None:
        super().__init__(STEPS)
        self.times: list[float] = []

    def advance(self, steps: int = 1) -> None:
        """Notes the time; shows nothing."""
        self.times.append(time.process_time())

    @property
    def step_s(self) -> float:
        """The median time from one step to the next."""
        kept = self.times[SKIPPED:]
        return median(b - a for a, b in pairwise(kept))


def script(path: Path, words: list[str]) -> Callable[[], float]:
    """A run of an example script; a step is from one backward pass to the next."""
    module = runpy.run_path(str(path))

    def run() -> float:
        watch, backward = Stopwatch(), Accelerator.backward

        def timed(self: Accelerator, *args: object, **named: object) -> None:
            backward(self, *args, **named)
            watch.advance()

        Accelerator.backward = timed
        before = sys.argv
        sys.argv = [path.name, *words]
        try:
            module["main"]()
        finally:
            Accelerator.backward, sys.argv = backward, before
        return watch.step_s

    return run


def kit_word(bench: bench_.Bench) -> Callable[[], float]:
    """Textual inversion of one word by the kit."""
    encoded = encode_examples(bench.models, bench.images, mirror=True)
    steps = replace(bench_.STEP_RECIPE, steps=STEPS, max_grad_norm=0.0)
    recipe = InversionRecipe(steps, 1, "skin", ("a photo of a {}",))
    concepts = Concepts(encoded, {"new-class": torch.arange(N_IMAGES)})

    def run() -> float:
        watch = Stopwatch()
        learn_tokens(bench.models, concepts, recipe, 0, Watch("word", meter=watch))
        return watch.step_s

    return run


def kit_lora(bench: bench_.Bench) -> Callable[[], float]:
    """A LoRA of rank 8 by the kit."""
    encoded = encode_examples(bench.models, bench.images, mirror=False)
    examples = Captioned(encoded, torch.arange(N_IMAGES), (bench_.PROMPT,) * N_IMAGES)
    recipe = LoraRecipe(replace(bench_.STEP_RECIPE, steps=STEPS), rank=8, alpha=8)

    def run() -> float:
        watch = Stopwatch()
        train_lora(bench.models, examples, None, recipe, 0, Watch("lora", meter=watch))
        return watch.step_s

    return run


def write_images(bench: bench_.Bench, folder: Path) -> Path:
    """The bench's images as files, with the table of captions that the datasets library reads."""
    folder.mkdir()
    names = [f"{i:02}.png" for i in range(len(bench.images))]
    for name, image in zip(names, bench.images, strict=True):
        Image.fromarray(image).save(folder / name)
    with (folder / "metadata.csv").open("w", newline="") as f:
        csv.writer(f).writerows([("file_name", "text"), *((name, bench_.PROMPT) for name in names)])
    return folder


def main(pipeline: Path, scripts: Path, rounds: int) -> None:
    """Prints for each part the seconds of a step and their ratio, with the range of rounds."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        bench = bench_.open_bench(pipeline, "cpu", work)
        shared = ["--pretrained_model_name_or_path", str(pipeline), "--seed", "0"]
        shared += ["--resolution", str(bench.models.image_px), "--train_batch_size", "4"]
        shared += ["--max_train_steps", str(STEPS), "--learning_rate", "1e-4"]
        shared += ["--output_dir", str(work / "out"), "--checkpointing_steps", "100000"]
        captioned = write_images(bench, work / "captioned")
        plain = write_images(bench, work / "plain")
        (plain / "metadata.csv").unlink()
        word = ["--placeholder_token", "new-class", "--initializer_token", "skin"]
        word += ["--train_data_dir", str(plain), "--save_steps", "100000"]
        lora = ["--train_data_dir", str(captioned), "--rank", "8"]
        parts = {
            "word": (script(scripts / "textual_inversion.py", shared + word), kit_word(bench)),
            "LoRA": (
                script(scripts / "train_text_to_image_lora.py", shared + lora),
                kit_lora(bench),
            ),
        }
        for name, (theirs, ours) in parts.items():
            pairs = [(theirs(), ours()) for _ in range(rounds)]
            other, own = (list(side) for side in zip(*pairs, strict=True))
            sys.stdout.write(
                f"{name}: script {median(other):.3f} s, kit {median(own):.3f} s a step, "
                f"ratio {bench_.ratio(other, own)}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int((sys.argv[3:] or ["3"])[0]))
