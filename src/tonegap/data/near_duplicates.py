"""Finds images that are copies of each other: candidates by perceptual hash, verified on the pixels.

A copy may be re-encoded, resized, brighter, darker or mirrored. Both thresholds must hold: hashes
alone confuse smooth skin with smooth skin.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tonegap.data.groups import joined_rows
from tonegap.data.picture import THUMBNAIL_PX, PictureFacts

# Of 64 bits. A copy of half the size, another encoding or a quarter less light differs by 0 to 6.
MAX_HAMMING = 8
# Of the grey 32 × 32 copies; such copies stay above 0.97. Among the 137 million pairs of 16,577
# unrelated phantoms the nearest within the other threshold reaches 0.957.
MIN_CORRELATION = 0.96

_ROWS = 256  # of the table of all pairs, at a time
_PAIRS = 4096  # verified at a time, to bound memory where thousands of images are copies


def duplicate_groups(pictures: Sequence[PictureFacts]) -> list[int]:
    """For each picture the position of the first one of its group; alone, its own position.

    Pictures with equal SHA-256 are one group; so are those that are alike within both thresholds,
    directly or through others.
    """
    first: dict[str, int] = {}
    same = [(first.setdefault(picture.sha256, i), i) for i, picture in enumerate(pictures)]
    distinct = [i for i in first.values() if pictures[i].grey]
    near = _near_pairs([pictures[i] for i in distinct])
    alike = ((distinct[one], distinct[other]) for one, other in near)
    return joined_rows(len(pictures), chain(same, alike))


def _near_pairs(pictures: Sequence[PictureFacts]) -> Iterator[tuple[int, int]]:
    """Positions of the pairs that are alike, the picture or its mirror image."""
    if len(pictures) < 2:
        return
    hashes = np.array([p.hash for p in pictures], dtype=np.uint64)
    flipped = np.array([p.flipped for p in pictures], dtype=np.uint64)
    pixels = _normalised(pictures)
    for start in range(0, len(pictures), _ROWS):
        stop = min(start + _ROWS, len(pictures))
        for rows, mirror in ((hashes[start:stop], False), (flipped[start:stop], True)):
            distance = np.bitwise_count(rows[:, None] ^ hashes[None, start:])
            one, other = np.nonzero(distance <= MAX_HAMMING)
            later = other > one  # each pair once, no picture with itself
            yield from _verified(pixels, one[later] + start, other[later] + start, mirror)


def _normalised(pictures: Sequence[PictureFacts]) -> NDArray[np.float32]:
    """[n, 32, 32], each of mean 0 and length 1, so that a dot product is a correlation."""
    raw = np.frombuffer(b"".join(p.grey for p in pictures), dtype=np.uint8)
    pixels = raw.reshape(-1, THUMBNAIL_PX**2).astype(np.float32)
    pixels -= pixels.mean(axis=1, keepdims=True)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    return pixels.reshape(-1, THUMBNAIL_PX, THUMBNAIL_PX)


def _verified(
    pixels: NDArray[np.float32], one: NDArray[np.int64], other: NDArray[np.int64], mirror: bool
) -> Iterator[tuple[int, int]]:
    for k in range(0, len(one), _PAIRS):
        a, b = one[k : k + _PAIRS], other[k : k + _PAIRS]
        left = pixels[a][:, :, ::-1] if mirror else pixels[a]
        alike = np.einsum("nij,nij->n", left, pixels[b]) >= MIN_CORRELATION
        yield from zip(a[alike].tolist(), b[alike].tolist(), strict=True)
