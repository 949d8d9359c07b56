"""Images decoded and resized once into `packs/KEY.npy`, shared read-only by every stage that sees them.

`uint8 [n, size, size, 3]`, row i for image i. Keyed by contents and order, so that a
changed image is another pack.
"""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tonegap.errors import BadData
from tonegap.files import digest_of
from tonegap.run.job import ImageSpec
from tonegap.run.store import Store

_VERSION = 1
MAX_PIXELS = 100_000_000


def ensure_pack(
    store: Store, paths: Sequence[Path], sha256: Sequence[str], image: ImageSpec
) -> Path:
    """The pack of these images in this order; made if absent. Raises BadData for an unreadable image."""
    key = digest_of([_VERSION, image.size_px, image.geometry, list(sha256)])
    target = store.folder / "packs" / f"{key}.npy"
    if target.exists():
        return target
    with store.lock(f"pack-{key}"):
        if not target.exists():
            _write(target, paths, image)
    return target


def _write(target: Path, paths: Sequence[Path], image: ImageSpec) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".npy")
    os.close(handle)
    try:
        shape = (len(paths), image.size_px, image.size_px, 3)
        if paths:
            pixels = np.lib.format.open_memmap(name, mode="w+", dtype=np.uint8, shape=shape)
            # Decoding and resizing release the interpreter's lock, so threads use every core.
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for row, array in enumerate(pool.map(lambda path: read_image(path, image), paths)):
                    pixels[row] = array
            pixels.flush()
            del pixels
        else:
            np.save(name, np.zeros(shape, np.uint8))
        Path(name).chmod(0o444)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_image(path: Path, image: ImageSpec) -> NDArray[np.uint8]:
    """RGB `[size, size, 3]` of an image file, upright, by the geometry. Raises BadData."""
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise BadData(f"{path}: {opened.width} × {opened.height} pixels is too many")
            # JPEG decodes at a fraction of its size where that is still twice what is wanted.
            opened.draft("RGB", (image.size_px * 2, image.size_px * 2))
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        raise BadData(f"{path}: not a readable image: {e}") from None
    return np.asarray(_square(upright, image))


def _square(upright: Image.Image, image: ImageSpec) -> Image.Image:
    size, filter_ = (image.size_px, image.size_px), Image.Resampling.BILINEAR
    if image.geometry == "stretch":
        return upright.resize(size, filter_)
    side = min(upright.size)
    left, top = (upright.width - side) / 2, (upright.height - side) / 2
    return upright.resize(size, filter_, box=(left, top, left + side, top + side))
