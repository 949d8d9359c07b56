"""Reads one mask file as kinds of pixels, by what the data set declares of its values.

The mistakes it exists to prevent: a palette whose order swaps lesion and skin, a mask of another picture that is
stretched over this one, a white skin that becomes a lesion, and an array whose file runs a program.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap.data.decode import (
    UNSUPPORTED,
    BadPicture,
    decode_pixels,
    read_bytes,
    upright_size,
)
from tonegap.data.preprocessing import square
from tonegap.declared.dataset import COLOUR, MaskKind
from tonegap.errors import BadData
from tonegap.files import digest_of, sha256_file
from tonegap.formats.job import ImageSpec
from tonegap.lines import first_few

KINDS = get_args(MaskKind)
LESION, SKIN = KINDS.index("lesion"), KINDS.index("skin")
_WHITE = 255
_ARRAY = b"\x93NUMPY"
_ROUNDING = 0.05  # of a copy's proportion: half a pixel of ten
_LEAST_PX = 8
_DECLARE = "declare what the values mean in mask_values"


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A mask and how it is read: (value, place in KINDS) pairs, none for 0 to 4 or 0 and 255 (lesion).

    `stretched`: it was saved in other proportions than its picture, and means the whole of it.
    """

    path: Path
    meaning: tuple[tuple[int, int], ...] = ()
    stretched: bool = False

    def digest(self, picture_sha256: str) -> str:
        """Of the content, and of all that decides how it is read beside a picture; reads the file."""
        content = sha256_file(self.path)
        if not self.meaning and not self.stretched:
            return content
        return digest_of([content, self.meaning, picture_sha256 if self.stretched else ""])


def read_mask(mask: MaskFile | None, picture: Path | None, image: ImageSpec) -> NDArray[np.uint8]:
    """Places in KINDS `[size, size]` of a mask, by the geometry; 0 where there is none. Raises BadData."""
    if mask is None:
        return np.zeros((image.size_px, image.size_px), np.uint8)
    try:
        kinds = read_kinds(mask, picture)
        shape = upright_size(read_bytes(picture)) if mask.stretched and picture else None
    except BadPicture as e:
        raise BadData(f"{mask.path}: not a usable mask: {e.text}") from None
    return np.asarray(square(Image.fromarray(kinds), image, Image.Resampling.NEAREST, shape))


def read_kinds(mask: MaskFile, picture: Path | None) -> NDArray[np.uint8]:
    """Places in KINDS `[h, w]` of a mask in its own size.

    Raises BadPicture for a file that is no mask, a value that means nothing, and proportions that are not those of
    its `picture`.
    """
    content = read_bytes(mask.path)
    is_array = content.startswith(_ARRAY)
    levels, two = _array_levels(content) if is_array else _picture_levels(content)
    if picture is not None and not mask.stretched:
        _check_shape(levels.shape, upright_size(read_bytes(picture)))
    meaning = dict(mask.meaning)
    if two:  # black and white: white is 255, or 1 where that is what is declared
        levels = levels * (1 if 1 in meaning and _WHITE not in meaning else _WHITE)
    return _kinds(levels, meaning)


def _kinds(levels: NDArray[np.int64], meaning: dict[int, int]) -> NDArray[np.uint8]:
    found, places = np.unique(levels, return_inverse=True)
    values = [int(value) for value in found]
    two = set(values) <= {0, _WHITE}
    meaning = meaning or ({0: 0, _WHITE: LESION} if two else {i: i for i in range(len(KINDS))})
    odd = [value for value in values if value not in meaning]
    if odd:
        raise BadPicture(UNSUPPORTED, _odd(odd, levels, meaning))
    kinds = np.array([meaning[value] for value in values], np.uint8)
    return kinds[places.reshape(levels.shape)]


def _odd(odd: list[int], levels: NDArray[np.int64], meaning: dict[int, int]) -> str:
    """What is said of values without a meaning."""
    found = _found([_named(value) for value in odd], 100 * np.isin(levels, odd).mean())
    wanted = ", ".join(_named(value) for value in meaning)
    return f"{found}, wanted {wanted}; {_DECLARE}, or save the mask without loss and smoothing"


def _found(odd: Sequence[object], share: float) -> str:
    named = first_few([*map(str, odd)])
    return f"found {'values' if odd[1:] else 'the value'} {named} in {share:.1f} % of its pixels"


def _named(value: int) -> str:
    return f"#{value ^ COLOUR:06x}" if value & COLOUR else str(value)


def _picture_levels(content: bytes) -> tuple[NDArray[np.int64], bool]:
    """Levels or colours `[h, w]` of a picture, and whether it is of one bit.

    A palette is read by its colours, which are what a viewer shows, whatever their order.
    """
    pixels = decode_pixels(content)
    if pixels.mode == "1":
        return np.asarray(pixels).astype(np.int64), True
    if pixels.mode == "L" or pixels.mode.startswith("I;16"):
        return np.asarray(pixels).astype(np.int64), False
    if pixels.mode not in {"P", "PA", "RGB", "RGBA", "LA"}:
        text = f"{pixels.mode} pixels; wanted levels, 1 bit, or colours (a palette or RGB)"
        raise BadPicture(UNSUPPORTED, text)
    if pixels.has_transparency_data:
        pixels = pixels.convert("RGBA")
        if (np.asarray(pixels)[:, :, 3] < _WHITE).any():
            raise BadPicture(UNSUPPORTED, "transparent pixels; wanted a value at every pixel")
    red, green, blue = np.moveaxis(np.asarray(pixels.convert("RGB")).astype(np.int64), 2, 0)
    grey = (red == green) & (green == blue)
    return np.where(grey, red, COLOUR | red << 16 | green << 8 | blue), False


def _array_levels(content: bytes) -> tuple[NDArray[np.int64], bool]:
    """Levels `[h, w]` of a NumPy array, and whether it is Boolean. The header is judged before anything is made."""
    stream = BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): "read_array_header_1_0", (2, 0): "read_array_header_2_0"}[version]
        shape, by_column, dtype = getattr(np.lib.format, read)(stream)
    except (ValueError, KeyError, EOFError, TypeError, SyntaxError):
        raise BadPicture(UNSUPPORTED, "a NumPy array whose header cannot be read") from None
    if dtype.hasobject:
        text = "an array of Python objects, which can run a program; save it as integers"
        raise BadPicture(UNSUPPORTED, text)
    if not all(type(n) is int and n >= 0 for n in shape):  # True is an int, and True == 1
        sizes = ", ".join(map(str, shape))
        raise BadPicture(
            UNSUPPORTED, f"an array whose sizes are {sizes}; wanted a height and a width"
        )
    flat = tuple(n for n in shape if n != 1) if len(shape) == 3 else shape
    if len(flat) != 2 or 0 in flat or dtype.kind not in "biuf":
        raise BadPicture(UNSUPPORTED, f"an array {dtype} {list(shape)}; wanted integers [h, w]")
    body = content[stream.tell() :]
    if len(body) != dtype.itemsize * flat[0] * flat[1]:
        raise BadPicture(UNSUPPORTED, f"an array {list(shape)} that is cut off or too long")
    array = np.frombuffer(body, dtype).reshape(flat, order="F" if by_column else "C")
    if dtype.kind == "f" and not (np.isfinite(array) & (array == np.rint(array))).all():
        raise BadPicture(UNSUPPORTED, "fractions; wanted whole numbers: probabilities are no mask")
    # By Python's integers: the values need not fit a mask's type, nor the bounds the array's.
    if int(array.min()) < 0 or int(array.max()) >= COLOUR:
        values = [int(value) for value in np.unique(array)]
        odd = [value for value in values if not 0 <= value < COLOUR]
        share = 100 * np.isin(array, np.array(odd, array.dtype)).mean()
        raise BadPicture(UNSUPPORTED, f"{_found(odd, share)}, wanted levels of 0 to 65535")
    return array.astype(np.int64), dtype.kind == "b"


def _check_shape(mask: tuple[int, ...], picture: tuple[int, int]) -> None:
    """One pixel of rounding is what a smaller or larger copy of a mask may be off, and no more than 5 %."""
    (height, width), (wide, high) = mask, picture
    off = min(abs(width - height * wide / high), abs(height - width * high / wide))
    if off > 1 or abs(width * high / (height * wide) - 1) > _ROUNDING:
        raise BadPicture(
            UNSUPPORTED,
            f"{width} × {height} pixels, not in the proportion of its image ({wide} × {high} when upright); "
            "mask_stretched = true declares that such masks mean the whole image",
        )
    if min(mask) < _LEAST_PX <= min(picture):
        text = f"{width} × {height} pixels, too few for an image of {wide} × {high}"
        raise BadPicture(UNSUPPORTED, f"{text}; wanted {_LEAST_PX} pixels a side or more")
