"""Finds candidate pairs of copies: compares every picture with every window of every other, coarsely.

All windows of a 16 × 16 copy, from half its side up, are made into 8 × 8 values; a product of matrices then compares a
picture with hundreds of windows at once. What this finds are candidates, never a verdict.
"""

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tonegap.synthetic.thumbnails import SIDE

_GRID = 16
_CELLS = 8
_PER_PICTURE = 2  # candidates; of planted crops 99 in 100 come first, the rest second or third
_LEAST = 0.6  # correlation of 8 × 8 values; planted crops reach 0.8
_OTHERS = 128  # pictures whose windows are compared at a time
_VIEWS = 512  # with so many pictures, plain or mirrored
_MINE = 2048

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs that may be alike: picture `mine`, the picture `other`, whether `mine` is to be mirrored.

    `box` [n, 4] is the window of `other`, x, y, width and height in pixels of 64.
    """

    mine: NDArray[np.int64]
    other: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    box: Grey

    def __len__(self) -> int:
        return len(self.mine)

    def take(self, rows: NDArray[np.bool_]) -> "Candidates":
        """Those of a mask."""
        return Candidates(self.mine[rows], self.other[rows], self.mirrored[rows], self.box[rows])


def joined(parts: Sequence[Candidates]) -> Candidates:
    """All pairs of one or more lists in their order."""
    columns = ([getattr(part, f.name) for part in parts] for f in fields(Candidates))
    return Candidates(*map(np.concatenate, columns))


def candidates(mine: Grey, others: Grey) -> Candidates:
    """For each of `mine` [n, 64, 64] the windows of `others` [m, 64, 64] that look most like it."""
    found = [
        _candidates(mine[start : start + _MINE], others, start)
        for start in range(0, len(mine), _MINE)
    ]
    if not found or not len(others):
        none = np.empty(0, np.int64)
        return Candidates(none, none, none.astype(bool), np.empty((0, 4), np.float32))
    return joined(found)


def _candidates(mine: Grey, others: Grey, first: int) -> Candidates:
    views = np.stack([_values(mine), _values(mine[:, :, ::-1])], axis=1)  # plain, mirrored
    score = _best_scores(views.reshape(-1, _CELLS**2), others)
    score = score.reshape(len(others), len(mine), 2).transpose(1, 0, 2).reshape(len(mine), -1)
    kept = min(_PER_PICTURE, score.shape[1])
    top = np.argpartition(-score, kept - 1, axis=1)[:, :kept]
    row = np.repeat(np.arange(len(mine)), kept)
    column = top.ravel()
    likely = score[row, column] >= _LEAST
    row, column = row[likely], column[likely]
    other, mirrored = column // 2, column % 2
    box = _windows()[_best_window(views[row, mirrored], others[other])]
    return Candidates(row + first, other, mirrored == 1, box)


def _best_scores(values: Grey, others: Grey) -> Grey:
    """[m, n]: each picture's best correlation with any window of each other one."""
    score = np.empty((len(others), len(values)), np.float32)

    def fill(start: int) -> None:
        block = others[start : start + _OTHERS]
        tables = np.ascontiguousarray(_window_values(block).transpose(1, 0, 2))
        for first in range(0, len(values), _VIEWS):
            some = values[first : first + _VIEWS].T
            best = np.full((len(block), some.shape[1]), -1, np.float32)
            found = np.empty_like(best)
            for table in tables:  # one window at a time: all of a block stays in the cache
                np.maximum(best, np.matmul(table, some, out=found), out=best)
            score[start : start + _OTHERS, first : first + _VIEWS] = best

    # Products of matrices and maxima release the interpreter's lock; one thread each.
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, range(0, len(others), _OTHERS)))
    return score


def _best_window(values: Grey, others: Grey) -> NDArray[np.int64]:
    """Which window of its own other picture is most like each picture, pair by pair."""
    found = [
        np.einsum("nwp,np->nw", _window_values(others[s : s + _OTHERS]), values[s : s + _OTHERS])
        for s in range(0, len(values), _OTHERS)
    ]
    return np.concatenate(found).argmax(1) if found else np.empty(0, np.int64)


def _values(pictures: Grey) -> Grey:
    """[n, 64] of whole pictures, each of mean 0 and length 1."""
    return unit(pooled(pictures, SIDE // _CELLS).reshape(len(pictures), -1))


def pooled(pictures: Grey, by: int) -> Grey:
    """Pictures [n, side, side] averaged over squares of `by` pixels."""
    n, side = len(pictures), pictures.shape[1] // by
    small: Grey = pictures.reshape(n, side, by, side, by).mean((2, 4))
    return small


def _window_values(pictures: Grey) -> Grey:
    """[n, windows, 64] of every window of some pictures, each of mean 0 and length 1."""
    small = pooled(pictures, SIDE // _GRID)
    found = [
        (_axis(width, y) @ small @ _axis(width, x).T).reshape(len(small), -1)
        for width, x, y in _places()
    ]
    return unit(np.stack(found, axis=1))


def unit(values: Grey) -> Grey:
    """Values [..., n], each row of mean 0 and length 1."""
    values = values - values.mean(-1, keepdims=True)
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    found: Grey = values / np.maximum(length, np.float32(1e-3))
    return found


@functools.cache
def _places() -> tuple[tuple[int, int, int], ...]:
    """Width, x and y of every window on the grid."""
    return tuple(
        (width, x, y)
        for width in range(_GRID // 2, _GRID + 1)
        for y in range(_GRID - width + 1)
        for x in range(_GRID - width + 1)
    )


@functools.cache
def _windows() -> Grey:
    """The windows as boxes in pixels: x, y, width, height."""
    scale = SIDE // _GRID
    return np.array([(x, y, w, w) for w, x, y in _places()], np.float32) * scale


@functools.cache
def _axis(width: int, start: int) -> Grey:
    """[8, 16]: the share of each grid line in each of 8 equal pieces of a window's side."""
    edges = start + np.arange(_CELLS + 1) * width / _CELLS
    lines = np.arange(_GRID)
    upper = np.minimum(edges[1:, None], lines + 1)
    lower = np.maximum(edges[:-1, None], lines)
    share = np.maximum(0.0, upper - lower)
    shares: Grey = (share / share.sum(1, keepdims=True)).astype(np.float32)
    return shares
