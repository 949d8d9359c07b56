"""{{title}}: mean colours of a grid, an example to replace.

A frozen network of timm, torchvision or transformers is a TOML file and a dozen lines: see `tiny-vit`.
"""

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.partition import has_partition, read_partition
from tonegap_kit.predictions import write_notes

Images = NDArray[np.uint8]
Features = NDArray[np.float32]


def embed(stage: Stage) -> None:
    """Leaves `bank.npy`: features of every image of a task, which is told without label and tone."""
    images: Images = np.load(stage.inputs / "images.npy", mmap_mode="r", allow_pickle=False)
    half = stage.job.text("precision") == "fp16"
    found = colours(stage, images)
    np.save(stage.out / "bank.npy", found.astype(np.float16) if half else found)
    write_notes(stage.out, {"random": False})


def features(stage: Stage) -> None:
    """Leaves `train.npy` and `synthetic.npy`: features of a synthetic set and its training images."""
    for name in filter(lambda name: has_partition(stage, name), ("train", "synthetic")):
        pictures = read_partition(stage, name).pictures
        np.save(stage.out / f"{name}.npy", colours(stage, pictures.take(np.arange(len(pictures)))))
    write_notes(stage.out, {"random": False})


def colours(stage: Stage, images: Images) -> Features:
    """Mean colours of a grid, 0 to 1, float32 [n, 3 grid²]; what is left over at the edges is not seen."""
    grid, side = stage.job.integer("grid"), images.shape[1]
    if not 1 <= grid <= side:
        raise StageError(f"grid is {grid}, wanted 1 to {side}, the side of an image in pixels")
    cell = side // grid
    found = np.empty((len(images), 3 * grid**2), np.float32)
    for i, image in enumerate(images):
        cells = image[: cell * grid, : cell * grid].reshape(grid, cell, grid, cell, 3)
        found[i] = cells.mean(axis=(1, 3)).ravel() / 255
    return found


if __name__ == "__main__":
    main(embed=embed, features=features)
