"""What portable numerics cost: processor seconds of the same trainings, portable over native, in one run.

Kernels are chosen when a process starts, so each measurement is a process of its own; they alternate, and the least of
each counts. Run it as `PYTHONPATH=docker/kit:src python benchmarks_of_code/bench_numerics.py [ROUNDS]`; one thread.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from tonegap.numerics import Numerics, stage_numerics

ROUNDS = 3
SIDE, CLASSES = 64, 7
# Backbone, images of a step, steps.
TRAININGS = (("cnn4", 32, 30), ("resnet18", 16, 6))


def main(rounds: int) -> None:
    """Prints processor seconds of each training under both settings, and their ratio."""
    kinds: Sequence[Numerics] = ("native", "portable")
    for backbone, batch, steps in TRAININGS:
        least = dict.fromkeys(kinds, float("inf"))
        for _ in range(rounds):
            for numerics in kinds:
                least[numerics] = min(least[numerics], _measured(numerics, backbone, batch, steps))
        native, portable = least["native"], least["portable"]
        sys.stdout.write(
            f"{backbone}: portable {portable:.2f} s, native {native:.2f} s of processor time, "
            f"ratio {portable / native:.2f}\n"
        )


def _measured(numerics: Numerics, backbone: str, batch: int, steps: int) -> float:
    words = [sys.executable, __file__, "train", backbone, str(batch), str(steps)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} | stage_numerics(numerics)
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _train(backbone: str, batch: int, steps: int) -> float:
    """Processor seconds of some steps of the kit's optimiser on random images, after two to warm up."""
    import time

    import torch

    from tonegap_kit.backbones import BackboneSpec, build_classifier
    from tonegap_kit.portable import be_portable
    from tonegap_kit.training import Recipe, make_optimiser

    be_portable()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_classifier(BackboneSpec(backbone, "linear", None, False), CLASSES, SIDE)
    recipe = Recipe(1, batch, "adam", 1e-3, 0.0, 0.9, "constant", 1, 1.0, "full")
    optimiser = make_optimiser(model, recipe)
    x, y = torch.rand(batch, 3, SIDE, SIDE), torch.randint(0, CLASSES, (batch,))
    start = 0.0
    for step in range(steps + 2):
        if step == 2:
            start = time.process_time()
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return time.process_time() - start


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        sys.stdout.write(str(_train(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
