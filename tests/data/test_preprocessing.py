"""The square that a stage is given of a picture: cut or stretched, upright, RGB; or a clear word about the file."""

import numpy as np
import pytest
from PIL import Image
from tiny_rooms import bomb_png

from tonegap.data.preprocessing import read_image
from tonegap.errors import BadData
from tonegap.formats.job import ImageSpec

CROP = ImageSpec(8, "crop")
STRETCH = ImageSpec(8, "stretch")


def save(path, pixels, **options):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


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


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(64, 64), (600, 400)])
def test_pixels_of_an_ordinary_picture_are_pillows_own(tmp_path, form, size):
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    path = tmp_path / "x"
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path, form)
    with Image.open(path) as plain:
        plain.draft("RGB", (64, 64))
        side = min(plain.size)
        left, top = (plain.width - side) / 2, (plain.height - side) / 2
        box = (left, top, left + side, top + side)
        wanted = plain.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR, box=box)
    assert (read_image(path, ImageSpec(32, "crop")) == np.asarray(wanted)).all()
