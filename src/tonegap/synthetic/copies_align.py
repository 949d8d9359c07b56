"""Aligns a picture with the window that it may be a copy of and measures how alike the two are in detail.

The window is moved and stretched until the two agree best (Gauss-Newton on its place and size), then compared block by
block in their fine structure: one strong edge that both happen to have is one block of sixteen.
"""

import numpy as np
from numpy.typing import NDArray

from tonegap.synthetic.copies_windows import Candidates, Grey, joined, pooled, unit
from tonegap.synthetic.thumbnails import SIDE

_COARSE, _FINE = 16, 32
_COARSE_STEPS, _FINE_STEPS = 8, 3
_STILL_LIKELY = 0.85  # correlation at 16 px, where planted crops reach 0.9
_LEAST_SHARE = 0.45  # of the side, that a window may shrink to
_BLOCK = 8
_EMPTY = 4.0  # length of a block whose pixels differ by half a grey level
_LEAST_BLOCKS = 6  # of 16
_BLUR_PX = 2.0
_AT_ONCE = 2048


def texture(mine: Grey, others: Grey, pairs: Candidates) -> tuple[Candidates, Grey]:
    """The pairs that stay likely when aligned, with windows moved, and the likeness of each, -1 to 1.

    The likeness is the median over 16 blocks of the correlation of what a blur leaves over.
    """
    if not len(pairs):
        return pairs, np.empty(0, np.float32)
    chunk = np.arange(len(pairs)) // _AT_ONCE
    parts = [_texture(mine, others, pairs.take(chunk == k)) for k in range(chunk[-1] + 1)]
    kept, likeness = zip(*parts, strict=True)
    return joined(kept), np.concatenate(likeness)


def _texture(mine: Grey, others: Grey, pairs: Candidates) -> tuple[Candidates, Grey]:
    pictures = np.where(
        pairs.mirrored[:, None, None], mine[pairs.mine][:, :, ::-1], mine[pairs.mine]
    )
    windows = pooled(others[pairs.other], 2)
    alike, box = _fit(
        pooled(pictures, SIDE // _COARSE), windows, pairs.box / np.float32(2), _COARSE_STEPS
    )
    likely = alike >= _STILL_LIKELY
    pictures, windows = pooled(pictures[likely], SIDE // _FINE), others[pairs.other[likely]]
    _alike, box = _fit(pictures, windows, box[likely] * np.float32(2), _FINE_STEPS)
    kept = pairs.take(likely)
    moved = Candidates(kept.mine, kept.other, kept.mirrored, box)
    return moved, _blockwise(pictures, _sample(windows, box, _FINE))


def _fit(pictures: Grey, windows: Grey, box: Grey, steps: int) -> tuple[Grey, Grey]:
    """The correlation of each picture with its window at the best place found, and that box."""
    wanted, px = _unit(pictures), pictures.shape[1]
    unit = np.float32(windows.shape[1] / SIDE)
    seen = _unit(_sample(windows, box, px))
    alike = _dot(wanted, seen)
    for _ in range(steps):
        step = _step(wanted, seen, _slopes(windows, box, seen, px), unit)
        for share in (1.0, 0.4):
            there = _inside(box + np.float32(share) * step, windows.shape[1])
            view = _unit(_sample(windows, there, px))
            found = _dot(wanted, view)
            better = found > alike
            alike = np.where(better, found, alike)
            box = np.where(better[:, None], there, box)
            seen = np.where(better[:, None], view, seen)
    return alike, box


def _slopes(windows: Grey, box: Grey, seen: Grey, px: int) -> Grey:
    """[n, pixels, 4]: how what is seen changes with x, y, width and height of the window."""
    unit = np.float32(windows.shape[1] / SIDE)
    slopes = []
    for k in range(4):
        moved = box.copy()
        moved[:, k] += unit
        slopes.append((_unit(_sample(windows, moved, px)) - seen) / unit)
    return np.stack(slopes, axis=2)


def _step(wanted: Grey, seen: Grey, slopes: Grey, unit: np.float32) -> Grey:
    """The change of each box that would make up the difference, damped, four pixels at most."""
    squares = np.einsum("npi,npj->nij", slopes, slopes)
    towards = np.einsum("npi,np->ni", slopes, wanted - seen)
    damping = np.trace(squares, axis1=1, axis2=2) / 80 + np.float32(1e-9)
    squares += np.eye(4, dtype=np.float32) * damping[:, None, None]
    step = np.linalg.solve(squares, towards[:, :, None])[:, :, 0]
    return np.clip(step, -4 * unit, 4 * unit).astype(np.float32)


def _inside(box: Grey, side: int) -> Grey:
    """The box within the picture, and not below the least size."""
    size = np.clip(box[:, 2:], _LEAST_SHARE * side, side)
    return np.concatenate([np.clip(box[:, :2], 0, side - size), size], axis=1).astype(np.float32)


def _sample(windows: Grey, box: Grey, px: int) -> Grey:
    """[n, px, px]: what is in each box of its picture, by bilinear interpolation."""
    side = windows.shape[1]
    rows = _hats(box[:, 1], box[:, 3], px, side)
    columns = _hats(box[:, 0], box[:, 2], px, side)
    seen: Grey = np.matmul(np.matmul(rows, windows), columns.transpose(0, 2, 1))
    return seen


def _hats(start: Grey, size: Grey, px: int, side: int) -> Grey:
    """[n, px, side]: the weight of each line of a picture in each of `px` equal steps of a box."""
    centres = (np.arange(px, dtype=np.float32) + 0.5) / px
    place = np.clip(start[:, None] + centres * size[:, None] - 0.5, 0, side - 1)
    lines = np.arange(side, dtype=np.float32)
    hats: Grey = np.maximum(np.float32(0), 1 - np.abs(place[:, :, None] - lines))
    return hats


def _unit(pictures: Grey) -> Grey:
    """[n, pixels], each of mean 0 and length 1."""
    return unit(pictures.reshape(len(pictures), pictures.shape[1] * pictures.shape[2]))


def _dot(one: Grey, other: Grey) -> Grey:
    found: Grey = np.einsum("np,np->n", one, other)
    return found


def _blockwise(one: Grey, other: Grey) -> Grey:
    """The median over blocks of 8 × 8 pixels of the correlation of two pictures' fine structure.

    Blocks that are empty in both are left out; 0 where there are not enough others.
    """
    a, b = _blocks(_sharp(one)), _blocks(_sharp(other))
    lengths = np.linalg.norm(a, axis=2), np.linalg.norm(b, axis=2)
    empty = np.maximum(*lengths) < _EMPTY
    product = np.maximum(lengths[0] * lengths[1], np.float32(1e-3))
    alike = np.einsum("nkp,nkp->nk", a, b) / product
    n = (~empty).sum(axis=1)
    ordered = np.sort(np.where(empty, np.inf, alike), axis=1)
    median = np.take_along_axis(ordered, (np.maximum(n, 1) - 1)[:, None] // 2, axis=1)[:, 0]
    found: Grey = np.where(n >= _LEAST_BLOCKS, median, 0).astype(np.float32)
    return found


def _sharp(pictures: Grey) -> Grey:
    """What a blur takes away."""
    px = pictures.shape[1]
    reach = np.arange(-9, 10)
    kernel = np.exp(-0.5 * (reach / _BLUR_PX) ** 2)
    blur = np.zeros((px, px))
    for i in range(px):
        np.add.at(blur[i], np.clip(i + reach, 0, px - 1), kernel / kernel.sum())
    matrix = blur.astype(np.float32)
    sharp: Grey = pictures - np.matmul(np.matmul(matrix, pictures), matrix.T)
    return sharp


def _blocks(pictures: Grey) -> NDArray[np.float32]:
    """[n, 16, 64] of pictures [n, 32, 32], each block of mean 0."""
    n, side = len(pictures), pictures.shape[1] // _BLOCK
    cut = pictures.reshape(n, side, _BLOCK, side, _BLOCK).transpose(0, 1, 3, 2, 4)
    flat = cut.reshape(n, side * side, _BLOCK * _BLOCK)
    blocks: Grey = flat - flat.mean(2, keepdims=True)
    return blocks
