"""The one place that opens a picture: upright, 8 bits, on white, for checks, packs, copies and contact sheets alike.

The mistakes it exists to prevent: a check that calls a file good which a run cannot read, a 16-bit picture that
becomes pure white, colours that no viewer shows, and a decoder that starts another program.
"""

import contextlib
import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from tonegap.errors import BadData
from tonegap.files import status_of
from tonegap.formats.job import ImageSpec

# No EPS (it starts Ghostscript), no stubs that call what a program registered, no video or scientific containers.
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM")
MAX_PIXELS = 100_000_000
MAX_BYTES = 512 << 20
BACKGROUND = "white"
Mode = Literal["L", "RGB"]

NOT_AN_IMAGE = "not an image"
TOO_LARGE = "too large"
TRUNCATED = "truncated"
CORRUPT = "corrupt"
UNREADABLE = "unreadable"
UNSUPPORTED = "unsupported pixels"

BAD_EXIF = "EXIF that cannot be read, taken as upright"
SCALED = "16-bit grey, scaled to 8 bits"
HIGH_BYTE = "16-bit colour, read in 8 bits"
ON_WHITE = "transparent, shown on white"

# What Pillow raises for damaged content.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    BufferError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
_EXIF_OF_PNG = (b"eXIf", b"XML:com.adobe.xmp", b"Raw profile type exif")
_LEVELS_16 = 65_535
_LEAST_16 = 16_384  # a brightest level below: 14 bits or fewer in 16, of which 8 bits keep a quarter of the levels
_DEPTHS, _PHOTOMETRIC, _PLANES = 258, 262, 284  # tags of a TIFF
_SIZE_OF_J2K = b"\xff\x4f\xff\x51"  # start and size marker of a JPEG 2000 codestream
logging.getLogger("PIL").addHandler(
    logging.NullHandler()
)  # else it writes to the terminal, naming no file
_QUIET = threading.RLock()
_quiet_depth = 0
_kept_filters = warnings.catch_warnings()


class BadPicture(BadData):
    """A file that is no usable picture: `kind` is one of this module's, `text` says why."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture of mode L or RGB, upright, and what was done to it that a person should know ("" for nothing)."""

    image: Image.Image
    note: str


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """A file's content. Raises BadPicture for one of more than `most` bytes, unread, and for an unreadable one."""
    try:
        size = status_of(path).st_size
        if size > most:
            raise BadPicture(TOO_LARGE, f"{size:,} bytes, more than {most >> 20} MiB")
        return path.read_bytes()
    except (OSError, ValueError) as e:
        text = e.strerror if isinstance(e, OSError) else str(e)
        raise BadPicture(UNREADABLE, text or "cannot be read") from None


def decode(
    content: bytes, mode: Mode, least_px: int, formats: tuple[str, ...] = FORMATS
) -> Decoded:
    """The first picture in a file's content; a JPEG at a fraction of its size where both sides stay `least_px`.

    Turned as its EXIF says, 16 bits scaled to 8, transparent parts laid on white. Raises BadPicture for content that
    does not decode whole, is of no known format, too large, or whose levels have no known range.
    """
    if not content:
        raise BadPicture(NOT_AN_IMAGE, "the file is empty")
    with _opened(content, formats) as opened:
        _check_size(opened)
        opened.draft(mode, (least_px, least_px))
        opened.load()
        turn, note = _orientation(opened)
        deep = _check_depth(opened, content)
        plain, more = _plain(opened, mode)
        upright = plain.transpose(_TURNS[turn]) if turn in _TURNS else plain.copy()
    return Decoded(upright, "; ".join(text for text in (note, deep, more) if text))


def decode_pixels(content: bytes) -> Image.Image:
    """A picture upright, in the mode it is stored in, for masks, whose values mean kinds. Raises as `decode`."""
    with _opened(content, FORMATS) as opened:
        _check_size(opened)
        opened.load()
        turn, _note = _orientation(opened)
        _check_depth(opened, content)
        if _white_is_zero(opened):
            raise BadPicture(UNSUPPORTED, "16-bit grey whose white is 0; save it with black as 0")
        return opened.transpose(_TURNS[turn]) if turn in _TURNS else opened.copy()


def upright_size(content: bytes, formats: tuple[str, ...] = FORMATS) -> tuple[int, int]:
    """Width and height of a picture once it is turned upright, from its header. Raises BadPicture."""
    with _opened(content, formats) as opened:
        width, height = opened.size
        # Pillow gives the size of a TIFF as it is once turned.
        sideways = opened.format != "TIFF" and _orientation(opened)[0] in _SIDEWAYS
    return (height, width) if sideways else (width, height)


def is_turned(content: bytes) -> bool:
    """Whether a picture is stored otherwise than it is read, turned or mirrored as its EXIF says. Raises BadPicture."""
    with _opened(content, FORMATS) as opened:
        if isinstance(opened, TiffImageFile):  # Pillow turns it while it loads, and forgets
            return opened.tag_v2.get(_ORIENTATION) in _TURNS
        # Pillow decodes a whole PNG to look for EXIF behind its pixels.
        if opened.format == "PNG" and not any(name in content for name in _EXIF_OF_PNG):
            return False
        return _orientation(opened)[0] in _TURNS


@contextlib.contextmanager
def _opened(content: bytes, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """A file's content as a picture. Raises BadPicture for whatever Pillow says of it while it is used."""
    try:
        with _quiet(), Image.open(BytesIO(content), formats=formats) as opened:
            yield opened
    except DAMAGE as e:
        raise _explained(e, content) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of odd metadata and large sizes, which are judged here; the filters are the whole process's."""
    global _quiet_depth, _kept_filters
    with _QUIET:
        if _quiet_depth == 0:
            _kept_filters = warnings.catch_warnings()
            _kept_filters.__enter__()
            warnings.simplefilter("ignore")
        _quiet_depth += 1
    try:
        yield
    finally:
        with _QUIET:
            _quiet_depth -= 1
            if _quiet_depth == 0:
                _kept_filters.__exit__(None, None, None)


def _check_size(opened: Image.Image) -> None:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise BadPicture(TOO_LARGE, f"{width} × {height} pixels declared")
    if width < 1 or height < 1:
        raise BadPicture(CORRUPT, f"{width} × {height} pixels declared")


def _orientation(opened: Image.Image) -> tuple[int, str]:
    """The EXIF orientation, 1 where there is none; and a note where the EXIF is damaged."""
    try:
        exif = opened.getexif()
        value = exif.get(_ORIENTATION, 1)
    except DAMAGE:
        return 1, BAD_EXIF
    if not exif and opened.info.get("exif"):
        return 1, BAD_EXIF  # Pillow gives up on it with a warning
    return (value, "") if isinstance(value, int) and value in _TURNS else (1, "")


def _plain(opened: Image.Image, mode: Mode) -> tuple[Image.Image, str]:
    """The pixels in 8 bits of the mode, and a note of what was done."""
    if opened.mode in {"I", "F"} and not (opened.mode == "I" and opened.format == "PPM"):
        kind = "32-bit integer" if opened.mode == "I" else "floating-point"
        raise BadPicture(UNSUPPORTED, f"{kind} levels have no known range; save it in 8 bits")
    if opened.mode == "I" or opened.mode.startswith("I;"):
        return _scaled(opened).convert(mode), SCALED
    if opened.has_transparency_data:
        return _on_white(opened, mode)
    if opened.mode == mode:
        return opened, ""
    # Only RGB is reached from every mode (LAB, CMYK); the palette's grey is that of its RGB.
    return (opened if mode == "RGB" else opened.convert("RGB")).convert(mode), ""


def _check_depth(opened: Image.Image, content: bytes) -> str:
    """A note on loaded colour (or grey with alpha) of 16 bits, of which Pillow keeps the high byte; "" on any other.

    Raises BadPicture where levels or alpha use a quarter of the range or less: the high byte would be near black.
    """
    channels = opened.getbands()
    if len(channels) == 1 or _bits(opened, content) != 16:
        return ""
    # Of planes Pillow takes each byte for a level.
    if isinstance(opened, TiffImageFile) and opened.tag_v2.get(_PLANES) == 2:
        raise BadPicture(UNSUPPORTED, "16-bit colour in planes of their own; save it in 8 bits")
    highest = {name: int(np.asarray(opened.getchannel(name)).max()) for name in channels}
    alpha = highest.pop("A", 255)
    for brightest in (max(highest.values()), alpha or 255):
        if brightest < _LEAST_16 >> 8:
            text = f"16-bit colour or alpha of at most {brightest << 8 | 255}; wanted 0 to 65535"
            raise BadPicture(UNSUPPORTED, f"{text}: save it in 8 bits, scaled to its own range")
    return HIGH_BYTE


def _bits(opened: Image.Image, content: bytes) -> int:
    """The bits of a level as a file declares them, where its format may have more than 8 that Pillow cuts; else 8."""
    if opened.format == "PNG":
        return content[24]  # behind the signature and the length, name, width and height of IHDR
    if isinstance(opened, TiffImageFile):
        return int(max(opened.tag_v2.get(_DEPTHS, (8,))))
    start = content.find(_SIZE_OF_J2K) if opened.format == "JPEG2000" else -1
    return (content[start + 42] & 0x7F) + 1 if start >= 0 else 8


def _white_is_zero(opened: Image.Image) -> bool:
    """Whether it is 16-bit grey with white at 0, which Pillow, unlike in 8 bits, does not turn over."""
    if not isinstance(opened, TiffImageFile) or not opened.mode.startswith("I;"):
        return False
    return bool(opened.tag_v2.get(_PHOTOMETRIC) == 0)


def _scaled(opened: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey. Raises BadPicture where the levels use a quarter of the range or less."""
    levels = np.asarray(opened).astype(np.int64)
    brightest = int(levels.max())
    if brightest < _LEAST_16 or int(levels.min()) < 0 or brightest > _LEVELS_16:
        text = f"16-bit levels of {levels.min()} to {brightest}; wanted 0 to 65535"
        raise BadPicture(UNSUPPORTED, f"{text}: save it in 8 bits, scaled to its own range")
    if _white_is_zero(opened):
        levels = _LEVELS_16 - levels
    return Image.fromarray(((levels * 255 + _LEVELS_16 // 2) // _LEVELS_16).astype(np.uint8))


def _on_white(opened: Image.Image, mode: Mode) -> tuple[Image.Image, str]:
    """The picture over the background, as a viewer shows it. Raises BadPicture where nothing of it is seen."""
    seen = opened.convert("LA").convert("RGBA") if opened.mode == "La" else opened.convert("RGBA")
    lowest, highest = seen.getchannel("A").getextrema()
    if highest == 0:
        raise BadPicture(UNSUPPORTED, "every pixel is transparent")
    if lowest == 255:
        return seen.convert("RGB").convert(mode), ""
    ground = Image.new("RGBA", seen.size, BACKGROUND)
    return Image.alpha_composite(ground, seen).convert("RGB").convert(mode), ON_WHITE


def _explained(error: BaseException, content: bytes) -> BadPicture:
    """What went wrong in Pillow, by kind and in words without addresses of objects."""
    if isinstance(error, Image.DecompressionBombError):
        return BadPicture(TOO_LARGE, "more pixels declared than can be decoded")
    if isinstance(error, UnidentifiedImageError):
        return BadPicture(NOT_AN_IMAGE, _what(content))
    text = str(error) or type(error).__name__
    return BadPicture(TRUNCATED if "truncated" in text.lower() else CORRUPT, text)


def _what(content: bytes) -> str:
    """What a file that is no image seems to be, from its first bytes."""
    start = content[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")) or b"<html" in start:
        return "an HTML or XML page"
    if start.startswith((b"%!ps", b"\xc5\xd0\xd3\xc6", b"%pdf")):
        return "PostScript or PDF, which is a program and no picture"
    return "no known image format"


def read_image(path: Path, image: ImageSpec) -> NDArray[np.uint8]:
    """RGB `[size, size, 3]` of an image file, upright, by the geometry. Raises BadData."""
    try:
        # JPEG decodes at a fraction of its size where that is still twice what is wanted.
        upright = decode(read_bytes(path), "RGB", image.size_px * 2).image
    except BadPicture as e:
        raise BadData(f"{path}: not a readable image: {e.text}") from None
    return np.asarray(square(upright, image, Image.Resampling.BILINEAR))


def square(
    upright: Image.Image,
    image: ImageSpec,
    filter_: Image.Resampling,
    shown: tuple[int, int] | None = None,
) -> Image.Image:
    """A picture by the geometry; `shown`: width and height that it was stretched from (default: its own)."""
    size = (image.size_px, image.size_px)
    if image.geometry == "stretch":
        return upright.resize(size, filter_)
    wide, high = shown or upright.size
    side = min(wide, high)
    left, top = (wide - side) / 2, (high - side) / 2
    x, y = upright.width / wide, upright.height / high
    return upright.resize(
        size, filter_, box=(left * x, top * y, (left + side) * x, (top + side) * y)
    )
