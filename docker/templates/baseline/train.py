"""{{title}}: softmax regression on coarse colours, an example to replace.

A network is trained by `tonegap_kit.baseline`: see the other folders here, `erm` first.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage, main, progress
from tonegap_kit.partition import Pictures, has_partition, join, read_partition
from tonegap_kit.predictions import write_predictions

_GRID = 4  # an image becomes GRID × GRID mean colours


def train(stage: Stage) -> None:
    """Leaves the predictions of every epoch for all validation and test images."""
    seen = read_partition(stage, "train")
    if has_partition(stage, "synthetic"):
        seen = join(seen, read_partition(stage, "synthetic"))
    held_out = join(read_partition(stage, "validation"), read_partition(stage, "test"))
    x, x_held_out = _features(seen.pictures), _features(held_out.pictures)
    weights = stage.rng("start").normal(scale=0.01, size=(x.shape[1], len(stage.job.classes)))
    epochs = {}
    for number, fitted in enumerate(_descend(stage, x, seen.y, weights), start=1):
        epochs[number] = _softmax(x_held_out @ fitted)
        progress(number, stage.job.integer("epochs"))
    write_predictions(stage.out, held_out.ids, stage.job.classes, epochs)


def _features(pictures: Pictures) -> NDArray[np.float64]:
    """Mean colours of a grid and a one, `[n, 3 GRID² + 1]`; images are read one by one."""
    found = np.ones((len(pictures), 3 * _GRID**2 + 1))
    for i in range(len(pictures)):
        image = pictures.take(np.array([i]))[0] / 255 - 0.5
        side = len(image) // _GRID * _GRID
        cells = image[:side, :side].reshape(_GRID, side // _GRID, _GRID, side // _GRID, 3)
        found[i, 1:] = cells.mean(axis=(1, 3)).ravel()
    return found


def _descend(
    stage: Stage, x: NDArray[np.float64], y: NDArray[np.int64], weights: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """The weights after each epoch of plain gradient descent."""
    wanted = np.eye(weights.shape[1])[y]
    for _ in range(stage.job.integer("epochs")):
        weights = weights + stage.job.real("learning_rate") * x.T @ (
            wanted - _softmax(x @ weights)
        ) / len(x)
        yield weights


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


if __name__ == "__main__":
    main(train=train)
