"""Packs: images decoded once, row by row, or a clear word about the one that cannot be."""

import os
import threading

import numpy as np
import pytest
from PIL import Image

from tonegap.data.preprocessing import read_image
from tonegap.errors import BadData, StoreError
from tonegap.formats.job import ImageSpec
from tonegap.run import decoded_arrays
from tonegap.run.decoded_arrays import ensure_pack
from tonegap.store.store import Store

CROP = ImageSpec(8, "crop")
STRETCH = ImageSpec(8, "stretch")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def save(path, pixels, **options):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


def flat(path, level, size=8):
    return save(path, np.full((size, size, 3), level))


def test_row_i_is_image_i(store, tmp_path):
    paths = [flat(tmp_path / f"{level}.png", level) for level in (200, 0, 100)]
    pixels = np.load(ensure_pack(store, paths, ["a", "b", "c"], CROP))
    assert pixels.shape == (3, 8, 8, 3)
    assert pixels.dtype == np.uint8
    assert [int(row.max()) for row in pixels] == [200, 0, 100]


def test_no_images_make_an_empty_pack(store):
    assert np.load(ensure_pack(store, [], [], CROP)).shape == (0, 8, 8, 3)


def test_a_pack_is_made_once_and_another_order_is_another_pack(store, tmp_path):
    one, two = flat(tmp_path / "1.png", 1), flat(tmp_path / "2.png", 2)
    first = ensure_pack(store, [one, two], ["a", "b"], CROP)
    one.unlink()  # reading it again would fail
    assert ensure_pack(store, [one, two], ["a", "b"], CROP) == first
    flat(one, 1)
    assert ensure_pack(store, [two, one], ["b", "a"], CROP) != first
    assert ensure_pack(store, [one, two], ["a", "b"], STRETCH) != first


def test_a_pack_cannot_be_written_to(store, tmp_path):
    path = ensure_pack(store, [flat(tmp_path / "1.png", 1)], ["a"], CROP)
    assert path.stat().st_mode & 0o222 == 0


def test_one_bad_image_leaves_no_pack_and_no_rest(store, tmp_path):
    good, bad = flat(tmp_path / "1.png", 1), tmp_path / "2.png"
    bad.write_bytes(b"no image")
    with pytest.raises(BadData, match=r"2\.png"):
        ensure_pack(store, [good, bad], ["a", "b"], CROP)
    assert list((store.folder / "packs").iterdir()) == []
    assert list((store.folder / "work").iterdir()) == []


def test_two_that_want_the_same_pack_at_once_make_it_once(store, tmp_path, monkeypatch):
    paths = [flat(tmp_path / f"{i}.png", i) for i in range(20)]
    read = []

    def counted(path, image):
        read.append(path)
        return read_image(path, image)

    monkeypatch.setattr(decoded_arrays, "read_image", counted)
    digests = [str(i) for i in range(20)]
    threads = [
        threading.Thread(target=ensure_pack, args=(Store(store.folder), paths, digests, CROP))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read) == sorted(paths)


def test_a_full_disk_is_a_store_error(store):
    device = "/dev/full"
    if not os.path.exists(device):  # noqa: PTH110
        pytest.skip("no /dev/full here")
    row = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(StoreError, match="No space left on device; make room"), store.writing():
        decoded_arrays._write(decoded_arrays.Path(device), (4000, 8, 8, 3), [lambda: row] * 4000)
