"""Packs: images decoded once, row by row, or a clear word about the one that cannot be."""

import os
import threading

import numpy as np
import pytest
from PIL import Image
from tiny_rooms import bomb_png

from tonegap.data.decode import read_image
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


def test_crop_keeps_the_middle_square_and_stretch_keeps_all(tmp_path):
    # 8 × 24: a third black, a third grey, a third white, side by side.
    pixels = np.zeros((8, 24, 3))
    pixels[:, 8:16], pixels[:, 16:] = 100, 255
    path = save(tmp_path / "wide.png", pixels)
    assert set(read_image(path, CROP).ravel().tolist()) == {100}  # not resized, only cut
    stretched = read_image(path, STRETCH)
    assert stretched[:, 0].max() == 0
    assert stretched[:, -1].min() == 255


def test_crop_makes_a_tall_image_square_by_its_short_side(tmp_path):
    pixels = np.zeros((48, 16, 3))
    pixels[16:32] = 50
    cropped = read_image(save(tmp_path / "tall.png", pixels), CROP)
    assert cropped.shape == (8, 8, 3)
    # As when resized first: the edge rows mix with what lies beyond the square.
    assert set(cropped[1:-1].ravel().tolist()) == {50}


def test_an_image_is_turned_upright_by_its_exif_note(tmp_path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32] = 250  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    upright = read_image(tmp_path / "turned.jpg", CROP)
    assert upright[0].mean() < 20
    assert upright[-1].mean() > 230


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "I;16"])
def test_every_colour_mode_becomes_rgb(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    white = {"I;16": 65_535, "CMYK": 0}.get(mode, "white")
    Image.new(mode, (10, 10), white).save(tmp_path / f"x.{suffix}")
    assert (read_image(tmp_path / f"x.{suffix}", CROP) >= 254).all()


class TestUnreadable:
    def refused(self, path, words):
        with pytest.raises(BadData, match=words) as e:
            read_image(path, CROP)
        assert str(path) in str(e.value)

    def test_an_html_page(self, tmp_path):
        path = tmp_path / "page.jpg"
        path.write_bytes(b"<!doctype html><html>404</html>")
        self.refused(path, "not a readable image")

    def test_an_empty_file(self, tmp_path):
        path = tmp_path / "empty.png"
        path.write_bytes(b"")
        self.refused(path, "not a readable image")

    def test_a_truncated_jpeg(self, tmp_path):
        path = save(tmp_path / "x.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
        path.write_bytes(path.read_bytes()[:900])
        self.refused(path, "not a readable image")

    def test_a_missing_file(self, tmp_path):
        self.refused(tmp_path / "absent.png", "No such file")

    @pytest.mark.parametrize("side", [11_000, 40_000])
    def test_a_bomb_of_pixels(self, tmp_path, side):
        path = tmp_path / "bomb.png"
        path.write_bytes(bomb_png(side))
        self.refused(path, "pixels")

    def test_one_bad_image_leaves_no_pack_and_no_rest(self, store, tmp_path):
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
