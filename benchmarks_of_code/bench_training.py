"""How fast the kit's training loop is beside a bare one, as a ratio measured in one run.

The bare loop steps the same network over normalised tensors that already lie in memory; the kit's
reads 8-bit images from a mapped file, augments and normalises them; both in memory that is kept. Run it as
`PYTHONPATH=docker/kit python benchmarks_of_code/bench_training.py`; one thread, alternating, the least processor time
of each counts. It ends with code 1 where a ratio is below 0.95.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tonegap_kit.augment import augmentation_named
from tonegap_kit.backbones import BackboneSpec, Classifier, build_classifier
from tonegap_kit.determinism import generator
from tonegap_kit.heap import keep_memory
from tonegap_kit.partition import Pictures
from tonegap_kit.sampling import epoch_order
from tonegap_kit.sources import ImageSource, in_batches
from tonegap_kit.training import Examples, Recipe, Rule, make_optimiser, train_epochs

N, SIDE, BATCH, CLASSES, ROUNDS = 1280, 64, 32, 7, 5
RECIPE = Recipe(1, BATCH, "adam", 1e-3, 0.0, 0.9, "constant", 1, 1.0, "full")
WANTED = 0.95
CPU = torch.device("cpu")


def main() -> None:
    """Prints images per second of both loops and their ratio, without and with augmentation."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    keep_memory()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        pictures, y = _images(Path(folder))
        x = ImageSource(pictures, 1.0, CPU).take(torch.arange(N))
        for name in ("none", "flip-shift"):
            bare, kit = float("inf"), float("inf")
            for _ in range(ROUNDS):
                bare = min(bare, _seconds(partial(_bare_epoch, x, y)))
                kit = min(kit, _seconds(partial(_kit_epoch, pictures, y, name)))
            sys.stdout.write(
                f"augmentation {name}: kit {N / kit:.0f} images/s, bare loop {N / bare:.0f} images/s, "
                f"ratio {bare / kit:.2f} (wanted {WANTED})\n"
            )
            good &= bare / kit >= WANTED
    sys.exit(0 if good else 1)


def _images(folder: Path) -> tuple[Pictures, torch.Tensor]:
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8))
    y = torch.from_numpy(rng.integers(0, CLASSES, N))
    return Pictures((np.load(folder / "x.npy", mmap_mode="r"),)), y


def _network() -> Classifier:
    return build_classifier(BackboneSpec("cnn4", "linear", None, False), CLASSES, SIDE)


def _bare_epoch(x: torch.Tensor, y: torch.Tensor) -> None:
    model = _network()
    optimiser = make_optimiser(model, RECIPE)
    model.train()
    for rows in in_batches(torch.randperm(N), BATCH):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _kit_epoch(pictures: Pictures, y: torch.Tensor, augmentation: str) -> None:
    model, rng = _network(), generator(0)
    source = ImageSource(pictures, 1.0, CPU, augmentation_named(augmentation), rng)
    examples = Examples(source, y, torch.zeros_like(y), torch.ones(N))
    held_out = ImageSource(Pictures((pictures.parts[0][:1],)), 1.0, CPU)
    order = lambda _: epoch_order(N, np.ones(N), rng)  # noqa: E731
    for _ in train_epochs(model, examples, held_out, RECIPE, order, Rule()):
        pass


def _seconds(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
