"""How sharp training views and predicted views are beside those of the papers' code, on photographs of your own.

Theirs: torchvision's RandomResizedCrop, RandomRotation, flip and CenterCrop, from the whole file each time; predicted
is the centre of a resized copy. Ours: a prepared square, then the views that parameters of `baselines/training.toml`
ask for.
Sharpness is the mean difference of neighbouring pixels in grey levels, without the black that a rotation brings in.

Run it as `PYTHONPATH=src:docker/kit python benchmarks_of_code/bench_sharpness.py FOLDER [N]`: a minute or two for 200.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import transforms

from tonegap.data.decode import read_bytes, upright_size
from tonegap.data.preprocessing import read_image
from tonegap.formats.job import ImageSpec
from tonegap_kit.determinism import generator
from tonegap_kit.sources import centre
from tonegap_kit.views import Viewer

SHARE, VIEW_PX = 0.875, 256
THEIRS_TRAIN = transforms.Compose(
    [
        transforms.RandomResizedCrop(VIEW_PX, scale=(0.8, 1.0)),
        transforms.RandomRotation(15),
        transforms.RandomHorizontalFlip(),
        transforms.CenterCrop(224),
    ]
)
THEIRS_TEST = transforms.Compose([transforms.Resize(VIEW_PX), transforms.CenterCrop(224)])
# Prepared side, geometry, filter.
OURS = (
    (256, "crop", "bilinear"),
    (256, "crop", "bicubic"),
    (320, "crop", "bilinear"),
    (320, "frame", "bilinear"),
    (320, "frame", "bicubic"),
    (384, "frame", "bilinear"),
)


def step(views: Iterable[NDArray[np.float32]]) -> float:
    """The mean difference of neighbouring pixels that are not black, in grey levels."""
    total, n = 0.0, 0
    for view in views:
        seen = view.max(axis=2) > 0
        for axis in (0, 1):
            apart = np.moveaxis(np.abs(np.diff(view, axis=axis)).mean(axis=2), axis, 0)
            turned = np.moveaxis(seen, axis, 0)
            both = turned[1:] & turned[:-1]
            total, n = total + float(apart[both].sum()), n + int(both.sum())
    return total / n


def ours(paths: list[Path], side: int, geometry: str, filter_: str) -> tuple[float, float]:
    """The sharpness of training views and of predicted ones."""
    spec = ImageSpec(side, "stretch" if geometry == "frame" else geometry)
    images = torch.from_numpy(np.stack([read_image(path, spec) for path in paths]))
    aspect = None
    if geometry == "frame":
        sizes = [upright_size(read_bytes(path)) for path in paths]
        aspect = torch.tensor([width / height for width, height in sizes])
    view = Viewer("crop-rotate-flip", VIEW_PX, filter_)
    train = step(centre(view.random(images, aspect, generator(0)), SHARE).float().numpy())
    return train, step(centre(view.still(images, aspect), SHARE).float().numpy())


def main(argv: list[str]) -> None:
    """Prints both sharpnesses of each way, and their ratio to theirs."""
    files = sorted(
        p for p in Path(argv[0]).rglob("*") if p.suffix.lower() in {".png", ".jpg", ".jpeg"}
    )
    n = int(argv[1]) if len(argv) > 1 else len(files)
    paths = [files[i] for i in sorted(np.random.default_rng(0).permutation(len(files))[:n])]
    torch.manual_seed(0)
    pictures = [Image.open(path).convert("RGB") for path in paths]
    train, test = (
        step(np.asarray(chain(picture), np.float32) for picture in pictures)
        for chain in (THEIRS_TRAIN, THEIRS_TEST)
    )
    sys.stdout.write(
        f"{len(paths)} photographs\ntheirs: training {train:.2f}, predicted {test:.2f}\n"
    )
    for side, geometry, filter_ in OURS:
        one, other = ours(paths, side, geometry, filter_)
        sys.stdout.write(
            f"{side} px, {geometry}, {filter_}: training {one:.2f} ({one / train:.2f}), "
            f"predicted {other:.2f} ({other / test:.2f})\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
