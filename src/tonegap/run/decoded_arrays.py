"""Decodes and resizes images once into `packs/KEY.npy`, which every stage that sees them shares, read-only.

`uint8 [n, size, size, 3]`, row i for image i; masks alike, without the last axis. Keyed by contents
and order, so that a changed image is another pack.
"""

import operator
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonegap.closure import HANDED_OVER, code_digest
from tonegap.data.mask_file import MaskFile, read_mask
from tonegap.data.preprocessing import read_image
from tonegap.files import digest_of, sync
from tonegap.formats.job import ImageSpec
from tonegap.store.layout import pack_unit
from tonegap.store.seals import write_seal
from tonegap.store.store import Store

_AT_ONCE = 256  # images decoded ahead of the file
_Reader = Callable[[], NDArray[np.uint8]]


def ensure_pack(
    store: Store, paths: Sequence[Path], sha256: Sequence[str], image: ImageSpec
) -> Path:
    """The pack of these images in this order; made if absent. Raises BadData for an unreadable image."""
    key = digest_of([_code(), image.size_px, image.geometry, list(sha256)])
    shape = (len(paths), image.size_px, image.size_px, 3)
    return _ensure(store, key, shape, [partial(read_image, path, image) for path in paths])


def ensure_mask_pack(
    store: Store,
    masks: Sequence[MaskFile | None],
    digests: Sequence[str],
    image: ImageSpec,
    pictures: Sequence[Path],
) -> Path:
    """The pack of the masks of `pictures` (None: nothing but background). Raises BadData for one that is none."""
    key = digest_of(["masks", _code(), image.size_px, image.geometry, list(digests)])
    shape = (len(masks), image.size_px, image.size_px)
    readers = [partial(read_mask, *both, image) for both in zip(masks, pictures, strict=True)]
    return _ensure(store, key, shape, readers)


def _code() -> str:
    return code_digest("tonegap.run.decoded_arrays", but=HANDED_OVER)


def _ensure(store: Store, key: str, shape: tuple[int, ...], readers: Sequence[_Reader]) -> Path:
    unit = pack_unit(key)
    target = store.folder / unit
    if target.exists() and store.damage(unit) is None:
        return target
    with store.lock(f"pack-{key}"):
        store.discard_damaged(unit)
        if target.exists():
            return target
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
            for array in pool.map(operator.call, readers[start : start + _AT_ONCE]):
                f.write(np.ascontiguousarray(array).data)
    path.chmod(0o444)
