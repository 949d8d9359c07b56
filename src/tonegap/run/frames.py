"""Pictures of the geometry `frame`: stored as squeezed squares, with the shape of each in the manifest.

The mistake it exists to prevent: a crop that is drawn from a squeezed picture as if it were a square one.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from tonegap.data.decode import BadPicture, read_bytes, upright_size
from tonegap.errors import BadData
from tonegap.formats.job import FRAME, ImageSpec


def stored(image: ImageSpec) -> ImageSpec:
    """How a stage's images lie in their pack: frames are stretched."""
    return msgspec.structs.replace(image, geometry="stretch") if image.geometry == FRAME else image


def told_shapes(
    image: ImageSpec,
    header: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    paths: Sequence[Path],
) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]]:
    """A manifest's header and rows, of frames with a column `aspect`: width over height of each picture, upright.

    Raises BadData for a picture that cannot be read.
    """
    if image.geometry != FRAME:
        return header, rows
    return (*header, "aspect"), _with_aspects(rows, paths)


def _with_aspects(
    rows: Iterable[tuple[str, ...]], paths: Sequence[Path]
) -> Iterator[tuple[str, ...]]:
    for cells, path in zip(rows, paths, strict=True):
        try:
            width, height = upright_size(read_bytes(path))
        except BadPicture as e:
            raise BadData(f"{path}: not a readable image: {e.text}") from None
        yield (*cells, f"{width / height:.6f}")
