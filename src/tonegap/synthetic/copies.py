"""Finds pictures that are copies of others: re-encoded, resized, brighter or darker, mirrored, or cropped.

On drawn 64 px images this finds 95 in 100 crops of 50 to 100 % of the side, half of them mirrored, saved as JPEG of
quality 70, and takes none of 810,000 pairs of different phantoms for copies. What a model painted anew over a picture
is no copy here: that is for the lineage.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonegap.synthetic.copies_align import texture
from tonegap.synthetic.copies_windows import candidates
from tonegap.synthetic.thumbnails import SIDE, Thumbs

# Median correlation of fine structure; among those pairs of different phantoms the highest is 0.51.
MIN_TEXTURE = 0.6
_FLAT = 1.0  # grey levels; below this spread a picture has nothing to compare
_WHOLE = 0.93  # of the side; a smaller window is a crop


@dataclass(frozen=True, slots=True)
class Copy:
    """Picture `mine` shows what `other` shows; `kind` says how, `likeness` how much alike (0.6 to 1)."""

    mine: int
    other: int
    kind: str
    likeness: float


def find_copies(mine: Thumbs, others: Thumbs) -> list[Copy]:
    """The likeliest copy of another picture that each picture is, if any; positions are those of images."""
    some, rest = _with_content(mine), _with_content(others)
    grey = mine.grey[some].astype(np.float32), others.grey[rest].astype(np.float32)
    pairs, likeness = texture(*grey, candidates(*grey))
    best: dict[int, Copy] = {}
    for i in np.flatnonzero(likeness >= MIN_TEXTURE):
        one = int(mine.image[some[pairs.mine[i]]])
        other = int(others.image[rest[pairs.other[i]]])
        kind = "crop" if float(pairs.box[i, 2:].min()) < _WHOLE * SIDE else "copy"
        kind = f"mirrored {kind}" if pairs.mirrored[i] else kind
        found = Copy(one, other, kind, round(float(likeness[i]), 3))
        if one not in best or best[one].likeness < found.likeness:
            best[one] = found
    return [best[one] for one in sorted(best)]


def _with_content(thumbs: Thumbs) -> NDArray[np.int64]:
    return np.flatnonzero(thumbs.grey.std(axis=(1, 2)) >= _FLAT)
