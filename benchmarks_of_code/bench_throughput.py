"""How fast training on photographs is beside the loop that the papers' code has, as ratios from one run.

Theirs decodes every JPEG anew in each epoch and transforms it with Pillow, in one worker; ours decodes each once
(`ensure_pack`, whose time counts here), keeps it small as 8-bit numbers, and transforms whole batches. A bare loop
over tensors that lie in memory ready to be stepped on is the bound: what is left when loading costs nothing. All three
step the same network in batches of the same size, on one thread; theirs in torch's usual layout of images and with the
C library's usual use of memory, as their code does, the other two with channels last and with memory that is kept, as
the kit does. Each loop is a process of its own and they take turns, epoch after epoch. What is compared is processor
time, so that another load on the machine hits all alike and a worker beside the loop would gain nothing. Decoding a
photograph costs by its size, so the ratio is a property of the size: both sizes are printed. It is one of the
length of a training too: all epochs share one decoding, as do all entries and seeds of a suite. Five epochs are
measured; of the same seconds the ratio is told for them and for a training of the published length, each with one
preparation.

Then: a frozen backbone whose features are computed once, beside the same one in every epoch.

Run it as `PYTHONPATH=docker/kit python benchmarks_of_code/bench_throughput.py [BACKBONE-SIDE…]`, as `resnet18-96`;
without a name all of it: four to six minutes. It ends with code 1 if a ratio is below what it should be.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from torchvision import transforms

from tonegap.formats.job import ImageSpec
from tonegap.run.decoded_arrays import ensure_pack
from tonegap.store.store import Store
from tonegap_kit.backbones import BackboneSpec, Classifier, build_classifier
from tonegap_kit.command import Stage
from tonegap_kit.determinism import generator
from tonegap_kit.heap import keep_memory
from tonegap_kit.job import Job
from tonegap_kit.partition import Pictures
from tonegap_kit.sampling import epoch_order
from tonegap_kit.sources import DEVIATION, MEAN, ImageSource, NoRows, Source, in_batches
from tonegap_kit.training import Examples, Recipe, Rule, make_optimiser, train_epochs
from tonegap_kit.training_images import TrainingImages, features_or_images
from tonegap_kit.views import Viewer

EPOCHS, CLASSES = 5, 7
PUBLISHED_EPOCHS = 20  # FairDisCo's on Fitzpatrick17k, as of `epochs` in baselines/training.toml
PHOTO_PX = ((640, 480), (1000, 1000))
OF_BOUND = 0.95
LOOPS = ("upstream", "kit", "bare")
CROP = 0.875  # the network sees the middle 224 of 256 px
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A network, the side it sees, how many photographs and how many in a step, and the least ratio for each size."""

    backbone: str
    side: int
    n: int
    batch: int
    at_least: tuple[float, ...]

    @property
    def name(self) -> str:
        return f"{self.backbone}-{self.side}"

    @property
    def prepared_px(self) -> int:
        return round(self.side / CROP)

    def network(self) -> Classifier:
        torch.manual_seed(0)
        return build_classifier(
            BackboneSpec(self.backbone, "linear", None, False), CLASSES, self.side
        )

    @property
    def recipe(self) -> Recipe:
        return Recipe(EPOCHS, self.batch, "adam", 1e-4, 0.0, 0.9, "constant", 1, 1.0, "full")


CASES = (
    Case("mobilenet_v3_small", 64, 64, 32, (3.0, 3.0)),
    Case("resnet18", 96, 32, 32, (1.2, 1.5)),
    Case("resnet18", 224, 16, 16, (1.15, 1.1)),
)
FROZEN, FROZEN_AT_LEAST = Case("resnet18", 64, 64, 16, ()), 0.5 * EPOCHS


def main(wanted: list[str]) -> None:
    """Prints each ratio beside the least that it should be."""
    torch.set_num_threads(1)
    good = True
    chosen = [case for case in CASES if case.name in wanted or not wanted]
    for i, size in enumerate(PHOTO_PX):
        for case in chosen:
            with tempfile.TemporaryDirectory() as folder:
                good &= _compare(case, size, case.at_least[i], Path(folder))
    if not wanted:
        good &= _compare_frozen()
    sys.exit(0 if good else 1)


def _compare(case: Case, size: tuple[int, int], at_least: float, folder: Path) -> bool:
    photos = _draw_photos(folder, case.n, size)
    spec = ImageSpec(case.prepared_px, "crop")
    names = [path.name for path in photos]
    store = Store(folder / "store")
    prepare, pack = _timed(lambda: ensure_pack(store, photos, names, spec))
    loops = {name: _started(name, case, folder, pack) for name in LOOPS}
    seconds = dict.fromkeys(LOOPS, 0.0)
    for _ in range(EPOCHS):
        for name, loop in loops.items():
            seconds[name] += _one_epoch(loop)
    for loop in loops.values():
        loop.communicate()
    # What the bare loop steps on had to be prepared as well.
    of_bound = seconds["bare"] / seconds["kit"]
    measured, published = (
        seconds["upstream"] / (seconds["kit"] + prepare * EPOCHS / epochs)
        for epochs in (EPOCHS, PUBLISHED_EPOCHS)
    )
    each = {name: 1000 * value / case.n / EPOCHS for name, value in seconds.items()}
    _say(
        f"{case.name}, {case.n} photographs of {size[0]} x {size[1]}: {measured:.2f} x the upstream loop over {EPOCHS} "
        f"epochs, {published:.2f} x over the published {PUBLISHED_EPOCHS} (wanted {at_least}; the bound, were loading "
        f"free: {seconds['upstream'] / seconds['bare']:.2f}); {of_bound:.2f} of a bare loop (wanted {OF_BOUND}); "
        f"processor ms per image: in each epoch upstream {each['upstream']:.2f}, kit {each['kit']:.2f}, bare "
        f"{each['bare']:.2f}, once preparing {1000 * prepare / case.n:.2f}"
    )
    return published >= at_least and of_bound >= OF_BOUND


def _started(name: str, case: Case, folder: Path, pack: object) -> "subprocess.Popen[str]":
    words = [sys.executable, __file__, "loop", name, str(CASES.index(case)), str(folder), str(pack)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _one_epoch(loop: "subprocess.Popen[str]") -> float:
    """Lets a loop go on for an epoch; its processor seconds."""
    assert loop.stdin
    assert loop.stdout
    loop.stdin.write("\n")
    loop.stdin.flush()
    return float(loop.stdout.readline())


def _loop(name: str, case: Case, folder: Path, pack: Path) -> None:
    """One loop in this process: an epoch for each line that comes, answered by its processor seconds."""
    torch.set_num_threads(1)
    if name != "upstream":
        keep_memory()
    _step_once(case)
    y = torch.arange(case.n) % CLASSES
    pictures = Pictures((np.load(pack, mmap_mode="r"),))
    if name == "upstream":
        photos = [folder / f"{i}.jpg" for i in range(case.n)]
        epochs: Iterator[object] = _upstream(case, photos, y)
    else:
        epochs = (_kit if name == "kit" else _bare)(case, pictures, y)
    for _ in sys.stdin:
        _say(str(_timed(lambda: next(epochs))[0]))


def _upstream(case: Case, photos: list[Path], y: torch.Tensor) -> Iterator[None]:
    prepared = case.prepared_px
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(prepared, scale=(0.8, 1.0)),
            transforms.RandomRotation(15),
            transforms.RandomHorizontalFlip(),
            transforms.CenterCrop(case.side),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, DEVIATION),
        ]
    )

    def take(rows: torch.Tensor) -> torch.Tensor:
        return torch.stack([transform(_decoded(photos[i])) for i in rows.tolist()])

    model = case.network().to(memory_format=torch.contiguous_format)
    return _steps(case, model, take, y)


def _decoded(photo: Path) -> Image.Image:
    with Image.open(photo) as opened:
        return opened.convert("RGB")


def _bare(case: Case, pictures: Pictures, y: torch.Tensor) -> Iterator[None]:
    x = ImageSource(pictures, CROP, CPU).take(torch.arange(case.n))
    return _steps(case, case.network(), lambda rows: x[rows], y)


def _steps(
    case: Case,
    model: Classifier,
    take: Callable[[torch.Tensor], torch.Tensor],
    y: torch.Tensor,
) -> Iterator[None]:
    optimiser = make_optimiser(model, case.recipe)
    model.train()
    for _ in range(EPOCHS):
        for rows in in_batches(torch.randperm(case.n), case.batch):
            optimiser.zero_grad()
            functional.cross_entropy(model(take(rows)), y[rows]).backward()
            optimiser.step()
        yield


def _kit(case: Case, pictures: Pictures, y: torch.Tensor) -> Iterator[object]:
    rng = generator(0)
    # As `features_or_images` of a `train` stage has it: a view, of which what the network does not see is never made.
    source = ImageSource(pictures, CROP, CPU, None, rng, Viewer("crop-rotate-flip"))
    return _train(case, case.network(), source, NoRows(), y)


def _train(
    case: Case, model: Classifier, source: Source, held_out: Source, y: torch.Tensor
) -> Iterator[object]:
    rng = generator(0)
    examples = Examples(source, y, torch.zeros_like(y), torch.ones(len(y)))
    order = lambda _: epoch_order(len(y), None, rng)  # noqa: E731
    return train_epochs(model, examples, held_out, case.recipe, order, Rule())


def _compare_frozen() -> bool:
    """Epochs of a frozen backbone: with a new view of each image each time, with one fixed view, with none."""
    images = np.random.default_rng(0).integers(
        0, 256, (FROZEN.n + 16, FROZEN.prepared_px, FROZEN.prepared_px, 3), dtype=np.uint8
    )
    every = _frozen_seconds(images, "crop-rotate-flip", 0)
    good = True
    for name, augmentation, views in (
        ("one fixed view", "crop-rotate-flip", 1),
        ("no augmentation", "none", 0),
    ):
        faster = every / _frozen_seconds(images, augmentation, views)
        _say(
            f"frozen {FROZEN.backbone} at {FROZEN.side} px, {EPOCHS} epochs, {name}: {faster:.2f} x as fast as "
            f"computing features in each epoch (wanted {FROZEN_AT_LEAST})"
        )
        good &= faster >= FROZEN_AT_LEAST
    return good


def _frozen_seconds(images: np.ndarray, augmentation: str, views: int) -> float:
    torch.manual_seed(0)
    spec = BackboneSpec(FROZEN.backbone, "linear", None, True)
    model = build_classifier(spec, CLASSES, FROZEN.side)
    parameters = {"centre_crop": CROP, "augmentation": augmentation, "fixed_views": views}
    food = TrainingImages(
        Pictures((images[: FROZEN.n],)), None, Pictures((images[FROZEN.n :],)), None, False
    )

    def run() -> None:
        learner = features_or_images(_stage(parameters), food, model, CPU)
        y = torch.arange(FROZEN.n) % CLASSES
        for _ in _train(FROZEN, learner.classifier, learner.train, learner.held_out, y):
            pass

    return _timed(run)[0]


def _stage(parameters: dict[str, object]) -> Stage:
    job = Job(
        stage="train",
        task="drawn/photographs",
        classes=tuple(str(i) for i in range(CLASSES)),
        positive=(),
        tones=(),
        seed=0,
        size_px=FROZEN.prepared_px,
        geometry="crop",
        parameters=parameters,
        device="cpu",
        threads=1,
        time_limit_s=600,
    )
    return Stage(job, Path(), Path())


def _step_once(case: Case) -> None:
    """Lets torch choose its kernels before anything is timed."""
    model = case.network()
    model(torch.randn(case.batch, 3, case.side, case.side)).sum().backward()


def _draw_photos(folder: Path, n: int, size: tuple[int, int]) -> list[Path]:
    """Noisy shades of skin with a blot, as JPEG files."""
    rng = np.random.default_rng(0)
    width, height = size
    y, x = np.mgrid[:height, :width]
    paths = []
    for i in range(n):
        shade = 150 + 40 * np.sin(x / rng.uniform(100, 300)) + 20 * np.cos(y / rng.uniform(80, 200))
        blot = np.exp(-((x - width / 2) ** 2 + (y - height / 3) ** 2) / rng.uniform(8e3, 3e4)) * 60
        grey = shade - blot + rng.normal(0, 12, (height, width))
        rgb = np.stack([grey + 30, grey, grey - 20], axis=2).clip(0, 255).astype(np.uint8)
        paths.append(folder / f"{i}.jpg")
        Image.fromarray(rgb).save(paths[-1], quality=90)
    return paths


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        _loop(sys.argv[2], CASES[int(sys.argv[3])], Path(sys.argv[4]), Path(sys.argv[5]))
    else:
        main(sys.argv[1:])
