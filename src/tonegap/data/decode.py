"""The one place that opens a picture: upright, 8 bits, on white, for checks, packs, copies and contact sheets alike.

The mistakes it exists to prevent: a check that calls a file good which a run cannot read, a 16-bit picture that
becomes pure white, colours that no viewer shows, and a decoder that starts another program.
"""

import contextlib
import ctypes
import logging
import re
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
from PIL import Image, UnidentifiedImageError, _imaging
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from tonegap.errors import BadData
from tonegap.files import status_of

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
NOT_FIRST = "behind a smaller copy of itself in its TIFF"

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
_MOST_PIXELS = (
    0.999  # tell the brightest level: a few hot pixels are as bright as a sensor's file can say
)
_DEPTHS, _PHOTOMETRIC, _PLANES, _SIGNS = 258, 262, 284, 339  # tags of a TIFF
_PAGE_IS, _OLD_PAGE_IS, _INNER_PAGES = 254, 255, 330
_SIZE_OF_J2K = b"\xff\x4f\xff\x51"  # start and size marker of a JPEG 2000 codestream
_HEADER = 65_536  # bytes of a PPM in which its header is looked for
_WITH_TOP = (b"P2", b"P3", b"P5", b"P6")
_WHITE = 255
_ALL_TRANSPARENT = "every pixel is transparent"
_AS_8_BITS = "save it as 8-bit PNG or JPEG"
_TIFF = "a TIFF that is damaged or of a kind that cannot be read here"
_STARTS = (
    (b"MM\0\x2b", "a big-endian BigTIFF, which cannot be read here"),
    *((start, _TIFF) for start in (b"II\x2a\0", b"MM\0\x2a", b"II\x2b\0")),
    *(
        (start, f"{name}, which cannot be read here")
        for start, name in (
            (b"P7", "PAM"),
            (b"II\xbc", "JPEG XR"),
            (b"\xff\x0a", "JPEG XL"),
            (b"\0\0\0\x0cJXL ", "JPEG XL"),
            (b"8BPS", "a Photoshop document"),
            (b"\x76\x2f\x31\x01", "OpenEXR"),
            (b"SIMPLE  =", "FITS"),
            (b"\x93NUMPY", "a NumPy array"),
        )
    ),
)
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
logging.getLogger("PIL").addHandler(
    logging.NullHandler()
)  # else it writes to the terminal, naming no file
with contextlib.suppress(AttributeError):  # where Pillow's libtiff shows no functions
    # So does libtiff: a null handler is its documented way to be silent. What is wrong Pillow raises all the same.
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
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
        page = NOT_FIRST if opened.tell() and isinstance(opened, TiffImageFile) else ""
        deep = _check_depth(opened, content)
        _scale_transparent(opened, content)
        plain, more = _plain(opened, mode)
        upright = plain.transpose(_TURNS[turn]) if turn in _TURNS else _alone(plain)
    return Decoded(upright, "; ".join(text for text in (note, page, deep, more) if text))


def _alone(plain: Image.Image) -> Image.Image:
    """A picture that needs its file no more. A loaded JPEG has nothing but its pixels, so that no copy is made."""
    return plain if type(plain) in {Image.Image, JpegImageFile} else plain.copy()


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
            if isinstance(opened, TiffImageFile):
                _turn_to_picture(opened)
            yield opened
    except DAMAGE as e:
        raise _explained(e, content) from None


def _turn_to_picture(opened: TiffImageFile) -> None:
    """To the first page of a TIFF that is no smaller copy and no mask of another. Raises BadPicture where none is."""
    if not _is_of_another(opened):
        return
    for page in range(1, opened.n_frames):
        opened.seek(page)
        if not _is_of_another(opened):
            return
    if (
        opened.n_frames > 1 or _INNER_PAGES in opened.tag_v2
    ):  # alone it is the picture, whatever it says
        text = "a TIFF whose pages are all marked as smaller copies (thumbnails) or masks"
        raise BadPicture(UNSUPPORTED, f"{text}; {_AS_8_BITS}")


def _is_of_another(opened: TiffImageFile) -> bool:
    """Whether a page says that it is a smaller copy (1) or a mask (4) of another's picture."""
    return bool(opened.tag_v2.get(_PAGE_IS, 0) & 5 or opened.tag_v2.get(_OLD_PAGE_IS) == 2)


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
        return _scaled(opened, mode)
    if opened.has_transparency_data:
        return _on_white(opened, mode)
    if opened.mode == mode:
        return opened, ""
    # Only RGB is reached from every mode (LAB, CMYK); the palette's grey is that of its RGB.
    return (opened if mode == "RGB" else opened.convert("RGB")).convert(mode), ""


def _check_depth(opened: Image.Image, content: bytes) -> str:
    """A note on loaded colour (or grey with alpha) of 16 bits, of which Pillow keeps the high byte; "" on any other.

    Raises BadPicture where levels or alpha use a quarter of the range or less: the high byte would be near black.
    And for signed levels, which Pillow takes for unsigned ones.
    """
    signed = isinstance(opened, TiffImageFile) and 2 in opened.tag_v2.get(_SIGNS, ())
    if signed and opened.mode not in {"I", "F"}:  # those are refused as they are
        raise BadPicture(UNSUPPORTED, f"signed levels have no known range; {_AS_8_BITS}")
    channels = opened.getbands()
    if len(channels) == 1 or (top := _top(opened, content)) <= _WHITE:
        return ""
    # Of planes Pillow takes each byte for a level.
    if isinstance(opened, TiffImageFile) and opened.tag_v2.get(_PLANES) == 2:
        raise BadPicture(UNSUPPORTED, "16-bit colour in planes of their own; save it in 8 bits")
    if opened.format == "PNG" and "transparency" in opened.info:
        text = "16-bit colour of which one is transparent; save it in 8 bits, with an alpha channel"
        raise BadPicture(UNSUPPORTED, text)
    highest = {name: _brightest(np.asarray(opened.getchannel(name))) for name in channels}
    alpha = highest.pop("A", _WHITE)
    for brightest in (max(highest.values()), alpha or _WHITE):
        if brightest < _LEAST_16 >> 8:
            most = (brightest + 1) * (top + 1) // 256 - 1
            text = f"16-bit colour or alpha of at most {most}; wanted 0 to {top}"
            raise BadPicture(UNSUPPORTED, f"{text}: save it in 8 bits, scaled to its own range")
    return HIGH_BYTE


def _brightest(levels: NDArray[np.integer]) -> int:
    """The brightest level but for one pixel in a thousand, and for one at least."""
    return int(np.quantile(levels, _MOST_PIXELS, method="lower")) if levels.size else 0


def _top(opened: Image.Image, content: bytes) -> int:
    """The highest level that a file declares, where its format may have more than 8 bits that Pillow cuts; else 255."""
    if opened.format == "PPM":
        # Magic, width, height and this, between white space and comments.
        words = re.sub(rb"#[^\r\n]*", b" ", content[:_HEADER]).split()
        return int(words[3]) if words[0] in _WITH_TOP else _WHITE
    bits = 8
    if opened.format == "PNG":
        bits = content[24]  # behind the signature and the length, name, width and height of IHDR
    elif isinstance(opened, TiffImageFile):
        bits = int(max(opened.tag_v2.get(_DEPTHS, (8,))))
    elif opened.format == "JPEG2000" and (start := content.find(_SIZE_OF_J2K)) >= 0:
        bits = (content[start + 42] & 0x7F) + 1
    return (1 << max(bits, 8)) - 1


def _scale_transparent(opened: Image.Image, content: bytes) -> None:
    """Scales the transparent level of a PNG of 2 or 4 bits, of which Pillow scales the levels alone."""
    level = opened.info.get("transparency")
    if opened.format == "PNG" and opened.mode == "L" and isinstance(level, int):
        opened.info["transparency"] = level * (_WHITE // ((1 << content[24]) - 1))


def _white_is_zero(opened: Image.Image) -> bool:
    """Whether it is 16-bit grey with white at 0, which Pillow, unlike in 8 bits, does not turn over."""
    if not isinstance(opened, TiffImageFile) or not opened.mode.startswith("I;"):
        return False
    return bool(opened.tag_v2.get(_PHOTOMETRIC) == 0)


def _scaled(opened: Image.Image, mode: Mode) -> tuple[Image.Image, str]:
    """16-bit grey in 8 bits, on white, and a note. Raises BadPicture where the levels use a quarter of the range.

    Judged by what is seen but for one pixel in a thousand.
    """
    levels = np.asarray(opened).astype(np.int64)
    seen = levels != opened.info.get("transparency", -1)
    if not seen.any():
        raise BadPicture(UNSUPPORTED, _ALL_TRANSPARENT)
    lowest, brightest, most = levels.min(), _brightest(levels[seen]), levels.max()
    if brightest < _LEAST_16 or lowest < 0 or most > _LEVELS_16:
        few = f" but for a few of up to {most}" if most >= _LEAST_16 > brightest else ""
        at_most = brightest if few else most
        text = f"16-bit levels of {lowest} to {at_most}{few}; wanted 0 to 65535"
        raise BadPicture(UNSUPPORTED, f"{text}: save it in 8 bits, scaled to its own range")
    if _white_is_zero(opened):
        levels = _LEVELS_16 - levels
    levels[~seen] = _LEVELS_16
    grey = Image.fromarray(((levels * 255 + _LEVELS_16 // 2) // _LEVELS_16).astype(np.uint8))
    return grey.convert(mode), SCALED if seen.all() else f"{SCALED}; {ON_WHITE}"


def _on_white(opened: Image.Image, mode: Mode) -> tuple[Image.Image, str]:
    """The picture over the background, as a viewer shows it. Raises BadPicture where nothing of it is seen."""
    seen = opened.convert("LA").convert("RGBA") if opened.mode == "La" else opened.convert("RGBA")
    lowest, highest = seen.getchannel("A").getextrema()
    if highest == 0:
        raise BadPicture(UNSUPPORTED, _ALL_TRANSPARENT)
    if lowest == 255:
        return seen.convert("RGB").convert(mode), ""
    ground = Image.new("RGBA", seen.size, BACKGROUND)
    return Image.alpha_composite(ground, seen).convert("RGB").convert(mode), ON_WHITE


def _explained(error: BaseException, content: bytes) -> BadPicture:
    """What went wrong in Pillow, by kind and in words without addresses of objects."""
    if isinstance(error, Image.DecompressionBombError):
        return BadPicture(TOO_LARGE, "more pixels declared than can be decoded")
    if isinstance(error, UnidentifiedImageError):
        if known := _unread(content):
            return BadPicture(UNSUPPORTED, f"{known}; {_AS_8_BITS}")
        return BadPicture(NOT_AN_IMAGE, _what(content))
    text = str(error) or type(error).__name__
    return BadPicture(TRUNCATED if "truncated" in text.lower() else CORRUPT, text)


def _unread(content: bytes) -> str:
    """The kind of picture that Pillow cannot read, or not in FORMATS, by its signature; "" for none that is known."""
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF:
        return "HEIC, which cannot be read here"
    if content[128:132] == b"DICM":
        return "DICOM, which cannot be read here"
    return next((name for start, name in _STARTS if content.startswith(start)), "")


def _what(content: bytes) -> str:
    """What a file that is no image seems to be, from its first bytes."""
    start = content[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")) or b"<html" in start:
        return "an HTML or XML page"
    if start.startswith((b"%!ps", b"\xc5\xd0\xd3\xc6", b"%pdf")):
        return "PostScript or PDF, which is a program and no picture"
    return "no known image format"
