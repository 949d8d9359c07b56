"""Images decoded and resized once into `packs/KEY.npy`, shared read-only by every stage that sees them.

`uint8 [n, size, size, 3]`, row i for image i; masks alike, without the last axis. Keyed by contents
and order, so that a changed image is another pack.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap.data import decode
from tonegap.data.decode import BadPicture, read_bytes
from tonegap.data.masks import read_mask_file
from tonegap.errors import BadData
from tonegap.files import digest_of, sync
from tonegap.formats.job import ImageSpec
from tonegap.store.layout import pack_unit
from tonegap.store.seals import write_seal
from tonegap.store.store import Store

_VERSION = 1  # of the geometry; `decode.VERSION` is of the pixels
_AT_ONCE = 256  # images decoded ahead of the file
_Reader = Callable[[], NDArray[np.uint8]]


def ensure_pack(
    store: Store, paths: Sequence[Path], sha256: Sequence[str], image: ImageSpec
) -> Path:
    """The pack of these images in this order; made if absent. Raises BadData for an unreadable image."""
    key = digest_of([_VERSION, decode.VERSION, image.size_px, image.geometry, list(sha256)])
    shape = (len(paths), image.size_px, image.size_px, 3)
    return _ensure(store, key, shape, [partial(read_image, path, image) for path in paths])


def ensure_mask_pack(
    store: Store,
    paths: Sequence[Path | None],
    sha256: Sequence[str],
    image: ImageSpec,
    pictures: Sequence[Path],
) -> Path:
    """The pack of the masks of `pictures` (None: nothing but background). Raises BadData for one that is none."""
    key = digest_of(
        ["masks", _VERSION, decode.VERSION, image.size_px, image.geometry, list(sha256)]
    )
    shape = (len(paths), image.size_px, image.size_px)
    return _ensure(
        store,
        key,
        shape,
        [partial(read_mask, *both, image) for both in zip(paths, pictures, strict=True)],
    )


def _ensure(store: Store, key: str, shape: tuple[int, ...], readers: Sequence[_Reader]) -> Path:
    unit = pack_unit(key)
    target = store.folder / unit
    if target.exists() and store.damage(unit) is None:
        return target
    with store.lock(f"pack-{key}"):
        if target.is_symlink() or target.exists():
            said = store.damage(unit)
            if said is None:
                return target
            store.discard(unit, said)
        with store.work_folder("pack") as folder, store.writing():
            _write(folder / "pack.npy", shape, readers)
            sync(folder / "pack.npy")
            write_seal(store.folder, unit, folder / "pack.npy")
            (folder / "pack.npy").replace(target)
            sync(target.parent)
    return target


def _write(path: Path, shape: tuple[int, ...], readers: Sequence[_Reader]) -> None:
    # Row after row, not through a mapping: a full disk is an error then, and no SIGBUS.
    with path.open("wb") as f, ThreadPoolExecutor(os.cpu_count()) as pool:
        np.lib.format.write_array_header_1_0(
            f, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        # Decoding and resizing release the interpreter's lock, so threads use every core.
        for start in range(0, len(readers), _AT_ONCE):
            for array in pool.map(_call, readers[start : start + _AT_ONCE]):
                f.write(np.ascontiguousarray(array).data)
    path.chmod(0o444)


def _call(read: _Reader) -> NDArray[np.uint8]:
    return read()


def read_image(path: Path, image: ImageSpec) -> NDArray[np.uint8]:
    """RGB `[size, size, 3]` of an image file, upright, by the geometry. Raises BadData."""
    try:
        # JPEG decodes at a fraction of its size where that is still twice what is wanted.
        upright = decode.decode(read_bytes(path), "RGB", image.size_px * 2).image
    except BadPicture as e:
        raise BadData(f"{path}: not a readable image: {e.text}") from None
    return np.asarray(_square(upright, image, Image.Resampling.BILINEAR))


def read_mask(path: Path | None, picture: Path | None, image: ImageSpec) -> NDArray[np.uint8]:
    """Values 0 to 4 `[size, size]` of a mask file, by the geometry; 0 where there is none.

    Raises BadData for a file that is no grey image of those values (or of 0 and 255: lesion or not), and for one
    of another shape than its `picture`.
    """
    if path is None:
        return np.zeros((image.size_px, image.size_px), np.uint8)
    try:
        values = read_mask_file(path, picture)
    except BadPicture as e:
        raise BadData(f"{path}: not a usable mask: {e.text}") from None
    return np.asarray(_square(Image.fromarray(values), image, Image.Resampling.NEAREST))


def _square(upright: Image.Image, image: ImageSpec, filter_: Image.Resampling) -> Image.Image:
    size = (image.size_px, image.size_px)
    if image.geometry == "stretch":
        return upright.resize(size, filter_)
    side = min(upright.size)
    left, top = (upright.width - side) / 2, (upright.height - side) / 2
    return upright.resize(size, filter_, box=(left, top, left + side, top + side))
