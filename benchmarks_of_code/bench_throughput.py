"""How fast training on photographs is beside the loop that the papers' code has, as ratios from one run.

Theirs decodes every JPEG anew in each epoch and transforms it with Pillow, in one worker; ours decodes each once
(`ensure_pack`, whose time counts here), keeps it small as 8-bit numbers, and transforms whole batches. A bare loop
over tensors that lie in memory ready to be stepped on is the bound. All three step the same network in batches of
the same size, on one thread, epoch after epoch in turn; theirs in torch's usual layout of images, as their code does,
the other two with channels last, as the kit does. What is compared is processor time, so that another load on
the machine hits all alike and a worker beside the loop would gain nothing.

Then: a frozen backbone whose features are computed once, beside the same one in every epoch.

Run it as `PYTHONPATH=docker/kit python benchmarks_of_code/bench_throughput.py`: two to three minutes. It ends with
code 1 if a ratio is below what it should be.
"""

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
from tonegap.run.packs import ensure_pack
from tonegap.store.store import Store
from tonegap_kit.augment import augmentation_named
from tonegap_kit.backbones import BackboneSpec, Classifier, build_classifier
from tonegap_kit.command import Stage
from tonegap_kit.determinism import generator
from tonegap_kit.job import Job
from tonegap_kit.partition import Pictures
from tonegap_kit.sampling import epoch_order
from tonegap_kit.sources import DEVIATION, MEAN, ImageSource, NoRows, Source, in_batches
from tonegap_kit.training import Examples, Recipe, Rule, make_optimiser, train_epochs
from tonegap_kit.training_images import TrainingImages, feed

EPOCHS, CLASSES, PHOTO_PX = 5, 7, (1000, 1000)
CROP = 0.875  # the network sees the middle 224 of 256 px
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A network, the side it sees, how many photographs and how many in a step, and the least ratio."""

    backbone: str
    side: int
    n: int
    batch: int
    at_least: float

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
    Case("mobilenet_v3_small", 64, 64, 32, 3.0),
    Case("resnet18", 96, 32, 32, 1.5),
    Case("resnet18", 224, 16, 16, 1.1),
)
FROZEN = Case("resnet18", 64, 64, 16, 0.5 * EPOCHS)


def main() -> None:
    """Prints each ratio beside the least that it should be."""
    torch.set_num_threads(1)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        photos = _draw_photos(Path(folder), max(case.n for case in CASES))
        for case in CASES:
            _step_once(case)
            good &= _compare(case, photos[: case.n], Store(Path(folder) / f"store-{case.side}"))
    good &= _compare_frozen()
    sys.exit(0 if good else 1)


def _compare(case: Case, photos: list[Path], store: Store) -> bool:
    y = torch.arange(case.n) % CLASSES
    spec = ImageSpec(case.prepared_px, "crop")
    names = [path.name for path in photos]
    prepare, pack = _timed(lambda: ensure_pack(store, photos, names, spec))
    pictures = Pictures((np.load(pack, mmap_mode="r"),))
    loops = {
        "upstream": _upstream(case, photos, y),
        "kit": _kit(case, pictures, y),
        "bare": _bare(case, pictures, y),
    }
    seconds = dict.fromkeys(loops, 0.0)
    for _ in range(EPOCHS):
        for name, loop in loops.items():
            seconds[name] += _timed(lambda loop=loop: next(loop))[0]
    kit = seconds["kit"] + prepare
    # What the bare loop steps on had to be prepared as well.
    faster, of_bound = seconds["upstream"] / kit, seconds["bare"] / seconds["kit"]
    _say(
        f"{case.backbone} at {case.side} px, {case.n} photographs, {EPOCHS} epochs: {faster:.2f} x the upstream loop "
        f"(wanted {case.at_least}), {of_bound:.2f} of a bare loop (wanted 0.9); per image and epoch: kit "
        f"{1000 * kit / case.n / EPOCHS:.1f} ms, of it preparing {1000 * prepare / case.n / EPOCHS:.1f}; upstream "
        f"{1000 * seconds['upstream'] / case.n / EPOCHS:.1f}, bare {1000 * seconds['bare'] / case.n / EPOCHS:.1f}"
    )
    return faster >= case.at_least and of_bound >= 0.9


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
    augmentation = augmentation_named("crop-rotate-flip")
    source = ImageSource(pictures, CROP, CPU, augmentation, rng)
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
            f"computing features in each epoch (wanted {FROZEN.at_least})"
        )
        good &= faster >= FROZEN.at_least
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
        fed = feed(_stage(parameters), food, model, CPU)
        y = torch.arange(FROZEN.n) % CLASSES
        for _ in _train(FROZEN, fed.classifier, fed.train, fed.held_out, y):
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


def _draw_photos(folder: Path, n: int) -> list[Path]:
    """Noisy shades of skin with a blot, as JPEG files."""
    rng = np.random.default_rng(0)
    width, height = PHOTO_PX
    y, x = np.mgrid[:height, :width]
    paths = []
    for i in range(n):
        shade = 150 + 40 * np.sin(x / rng.uniform(100, 300)) + 20 * np.cos(y / rng.uniform(80, 200))
        blot = np.exp(-((x - 500) ** 2 + (y - 350) ** 2) / rng.uniform(8e3, 3e4)) * 60
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
    main()
