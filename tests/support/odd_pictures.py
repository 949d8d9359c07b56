"""Picture files of kinds that two readers may take for different pictures, written byte by byte where Pillow cannot."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image


def png(path: Path, bits: int, kind: int, rows: bytes, transparent: bytes = b"") -> Path:
    """A PNG of 8 × 8 pixels of these rows, and of a transparent level or colour."""
    header = struct.pack(">IIBBBBB", 8, 8, bits, kind, 0, 0, 0)
    hidden = ((b"tRNS", transparent),) if transparent else ()
    chunks = ((b"IHDR", header), *hidden, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def png16(path: Path, colour: tuple[int, ...]) -> Path:
    """A PNG of 8 × 8 pixels of a colour, or of grey and alpha, in 16 bits."""
    kind = {2: 4, 3: 2, 4: 6}[len(colour)]
    return png(path, 16, kind, (b"\0" + struct.pack(f">{len(colour)}H", *colour) * 8) * 8)


def ppm16(path: Path, colour: tuple[int, ...], top: int = 65_535) -> Path:
    """A PPM of 8 × 8 pixels of a colour in 16 bits."""
    head = f"P6\n# a camera of 12 bits\n8 8\n{top}\n".encode()
    path.write_bytes(head + struct.pack(">3H", *colour) * 64)
    return path


def tiff16(path: Path, colour: tuple[int, int, int], planes: int = 1) -> Path:
    """A TIFF of 8 × 8 pixels of a colour in 16 bits, its channels by pixel or in planes."""
    tags = {256: 8, 257: 8, 258: 16, 259: 1, 262: 2, 277: 3, 278: 8, 284: planes}
    strips = 1 if planes == 1 else 3
    depths_at = (
        8 + 2 + 12 * (len(tags) + 2) + 4
    )  # three depths, then offsets and sizes of the strips
    lists_at = depths_at + 6
    start = lists_at + 8 * strips
    entries = {tag: struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items()}
    entries[258] = struct.pack("<HHII", 258, 3, 3, depths_at)
    sizes, offsets = [384 // strips] * strips, [start + 384 // strips * i for i in range(strips)]
    for tag, values, at in ((273, offsets, lists_at), (279, sizes, lists_at + 4 * strips)):
        entries[tag] = struct.pack("<HHII", tag, 4, strips, at if strips > 1 else values[0])
    pixels = struct.pack("<3H", *colour) * 64
    if planes == 2:
        pixels = b"".join(struct.pack("<H", level) * 64 for level in colour)
    directory = struct.pack("<H", len(entries)) + b"".join(entries[t] for t in sorted(entries))
    lists = struct.pack(f"<3H{2 * strips}I", 16, 16, 16, *offsets, *sizes)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + directory + b"\0" * 4 + lists + pixels)
    return path


def tiff_pages(path: Path, *pages: tuple[int, dict[int, int]]) -> Path:
    """A TIFF of pages of one level each, with these tags; the first is half as large."""
    images = []
    for size, (level, tags) in zip((8, 16, 16), pages, strict=False):
        image = Image.new("L", (size, size), level)
        image.encoderinfo = {"tiffinfo": tags}
        images.append(image)
    images[0].save(path, "TIFF", save_all=True, append_images=images[1:], tiffinfo=pages[0][1])
    return path


def odd_pictures(folder: Path) -> Iterator[Path]:
    """A file of each kind, under a name that says which; the same for every call."""
    levels = np.random.default_rng(0).integers(0, 65_536, (32, 32)).astype(np.uint16)
    upright = Image.fromarray(levels.astype(np.uint8)[:16]).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    saved: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "grey16.png": (Image.fromarray(levels), {}),
        "grey13.png": (Image.fromarray(levels // 8), {}),
        "grey16_hidden.png": (Image.fromarray(levels), {"transparency": int(levels[0, 0])}),
        "grey16_white_is_0.tif": (Image.fromarray(levels), {"tiffinfo": {262: 0}}),
        "float.tif": (Image.fromarray(levels.astype(np.float32)), {}),
        "grey32.tif": (Image.fromarray(levels.astype(np.int32)), {}),
        "cmyk.jpg": (upright.convert("CMYK"), {}),
        "turned.jpg": (upright, {"exif": turned}),
        "turned.tif": (upright, {"tiffinfo": {274: 6}}),
        "hidden.png": (Image.new("RGBA", (8, 8), (9, 9, 9, 0)), {}),
        "half_hidden.png": (Image.new("RGBA", (8, 8), (9, 9, 9, 128)), {}),
        "too_large.png": (Image.new("1", (12_000, 10_000)), {}),
    }
    for name, (image, options) in saved.items():
        image.save(folder / name, **options)
        yield folder / name
    yield tiff_pages(folder / "thumbnail_first.tif", (10, {254: 1}), (200, {254: 0}))
    yield tiff_pages(folder / "old_thumbnail_first.tif", (10, {255: 2}), (200, {255: 1}))
    yield tiff_pages(folder / "thumbnails.tif", (10, {254: 1}), (200, {254: 1}))
    yield tiff_pages(folder / "thumbnail_alone.tif", (10, {254: 1}))
    yield png(folder / "hidden_of_2_bits.png", 2, 0, b"\0\x1b\x1b" * 8, b"\0\x01")
    for name, top in (("full", 65_535), ("dark", 4_095)):
        yield png16(folder / f"{name}_colour16.png", (top, top // 2, 0))
        yield png16(folder / f"{name}_alpha16.png", (65_535, 0, 0, top))
        yield ppm16(folder / f"{name}_colour16.ppm", (top, top // 2, 0))
        yield tiff16(folder / f"{name}_colour16.tif", (top, top // 2, 0))
    yield ppm16(folder / "colour12.ppm", (4_095, 99, 0), 4_095)
    yield tiff16(folder / "planes16.tif", (65_535, 99, 0), planes=2)
