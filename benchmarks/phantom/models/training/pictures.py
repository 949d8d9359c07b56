"""Which pictures are drawn to learn from: conditions, tones, how many, how easy.

They share no id, and so no random number, with the benchmark's data set: no picture of it is an ancestor of
anything that is learned here.
"""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from benchmarks.phantom.models.training.captions import HEALTHY
from numpy.typing import NDArray

from tonegap.data.phantom.difficulty import DEFAULT, Difficulty
from tonegap.data.phantom.draw import Sitter, draw
from tonegap.tones import TYPES

SIZE_PX = 64
SEED = 2026  # the data set's is in dataset.toml

# As a textbook shows them: nothing atypical, hardly any noise, and more contrast on dark skin than the
# data set has, so that a model this small sees what a condition looks like.
TYPICAL = Difficulty(
    contrast=(1.0, 1.0, 0.95, 0.9, 0.85, 0.8),
    overlap=0.0,
    atypical=1.5,
    noise=1.0,
    blur=0.4,
    marks=0.5,
    hair_share=0.0,
    vignette_share=0.0,
    marker_share=0.0,
    ruler_share=0.0,
    backdrop_share=0.0,
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """`images` uint8 [n, s, s, 3]; `y` indexes `classes()`, `t` the types I to VI."""

    images: NDArray[np.uint8]
    y: NDArray[np.int64]
    t: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)


def classes() -> tuple[str, ...]:
    """The conditions of the data set, in its order, and healthy skin."""
    dataset = Path(__file__).parents[2] / "dataset.toml"
    drawn = tomllib.loads(dataset.read_text(encoding="utf-8"))["drawn"]
    return (*drawn["labels"], HEALTHY)


def draw_pictures(purpose: str, per_cell: int, difficulty: Difficulty = DEFAULT) -> Pictures:
    """`per_cell` pictures of every class on every tone; `purpose` names a set of its own."""
    names = classes()
    n = per_cell * len(names) * len(TYPES)
    order = np.random.default_rng([SEED, n]).permutation(n)
    y, t = order % len(names), order // len(names) % len(TYPES)
    images = np.empty((n, SIZE_PX, SIZE_PX, 3), np.uint8)
    for i in range(n):
        images[i] = _picture(f"{purpose}:{SEED}:{i}", names[y[i]], TYPES[t[i]], difficulty)
    return Pictures(images, y, t)


def _picture(
    name: str, condition: str, skin_type: str, difficulty: Difficulty
) -> NDArray[np.uint8]:
    # A lesion without contrast is none.
    bare = replace(difficulty, contrast=(0.0,) * 6) if condition == HEALTHY else difficulty
    return draw(Sitter(name, condition, skin_type), SIZE_PX, bare)[0]


def joined(one: Pictures, other: Pictures) -> Pictures:
    """The pictures of both, the first's first."""
    return Pictures(
        np.concatenate([one.images, other.images]),
        np.concatenate([one.y, other.y]),
        np.concatenate([one.t, other.t]),
    )
