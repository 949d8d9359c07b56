"""One place opens a picture: a check, a pack and the search for copies say the same of every file."""

import os
import random
import struct
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damaged_pictures import Seen, damaged, read_everywhere
from odd_pictures import odd_pictures, png, png16, ppm16, tiff16, tiff_pages
from PIL import Image, ImageCms

from tonegap.data import decode
from tonegap.data.picture import read_picture
from tonegap.data.preprocessing import read_image
from tonegap.formats.job import ImageSpec
from tonegap.synthetic.thumbnails import read_thumbs

CROP = ImageSpec(8, "crop")


def written(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def grey(levels: object, dtype: type) -> Image.Image:
    """A picture of 16 × 16 whose left half has the first level and whose right half the second."""
    pixels = np.zeros((16, 16), dtype)
    pixels[:, :8], pixels[:, 8:] = levels
    return Image.fromarray(pixels)


@pytest.mark.parametrize("n", [240, pytest.param(2000, marks=pytest.mark.slow)])
def test_every_place_says_the_same_of_a_damaged_file(
    tmp_path: Path, n: int, record_property: Callable[[str, object], None]
) -> None:
    differing, usable = [], 0
    for i, (form, content) in enumerate(damaged(n, seed=20)):
        path = tmp_path / "file.png"  # whatever it is
        path.write_bytes(content)
        found = read_everywhere(path)
        usable += found.usable
        if found.fault:
            differing.append((i, form, found.fault))
    record_property("damaged", n)
    record_property("still read", usable)
    assert differing == []
    assert 0.1 * n < usable < 0.9 * n  # else the damage tests nothing


def test_every_place_says_the_same_of_odd_pictures(tmp_path: Path) -> None:
    faults = {path.name: read_everywhere(path).fault for path in odd_pictures(tmp_path)}
    assert {name: fault for name, fault in faults.items() if fault} == {}


class TestGrey16:
    # 0x4040 is a quarter of the way from black to white: 64 of 255. 0xffff is white.
    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_is_scaled_to_its_range(self, tmp_path: Path, suffix: str) -> None:
        path = written(tmp_path / f"x.{suffix}", grey((0x4040, 0xFFFF), np.uint16))
        pixels = read_image(path, CROP)
        assert (int(pixels[0, 0, 0]), int(pixels[0, 7, 0])) == (64, 255)
        assert read_picture(path).note == "16-bit grey, scaled to 8 bits"

    def test_looks_to_the_copy_search_as_its_8_bit_twin(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(1)
        eight = rng.integers(0, 256, (64, 64), dtype=np.uint8)
        one = written(tmp_path / "8.png", Image.fromarray(eight))
        other = written(tmp_path / "16.png", Image.fromarray(eight.astype(np.uint16) * 257))
        assert read_picture(one).hash == read_picture(other).hash != 0
        thumbs = read_thumbs([one, other], both_views=False).grey
        assert (thumbs[0] == thumbs[1]).all()

    def test_of_12_bits_is_refused_with_the_cause(self, tmp_path: Path) -> None:
        path = written(tmp_path / "x.png", grey((1000, 4095), np.uint16))
        found = read_picture(path)
        assert found.problem == "unsupported pixels"
        assert found.text.startswith("16-bit levels of 1000 to 4095; wanted 0 to 65535")
        assert read_everywhere(path) == Seen(usable=False, fault="")

    def test_of_14_bits_is_refused_like_12(self, tmp_path: Path) -> None:
        path = written(tmp_path / "x.png", grey((6208, 16_383), np.uint16))
        assert read_picture(path).text.startswith("16-bit levels of 6208 to 16383; wanted 0")

    def test_whose_white_is_zero_is_turned_over(self, tmp_path: Path) -> None:
        # White at 0 left; right 0xbfbf, three quarters of the way to black: a quarter of 255 is 64 bright.
        levels = grey((0, 0xBFBF), np.uint16)
        path = written(tmp_path / "x.tif", levels, tiffinfo={262: 0})
        pixels = read_image(path, CROP)
        assert (int(pixels[0, 0, 0]), int(pixels[0, 7, 0])) == (255, 64)
        assert read_everywhere(path) == Seen(usable=True, fault="")
        with pytest.raises(decode.BadPicture, match="16-bit grey whose white is 0"):
            decode.decode_pixels(path.read_bytes())  # a mask, whose levels are kinds

    def test_of_12_bits_is_told_by_its_pixels_and_not_by_a_hot_one(self, tmp_path: Path) -> None:
        pixels = np.asarray(grey((1000, 4095), np.uint16)).copy()
        pixels[0, 0] = 65_535
        path = written(tmp_path / "x.png", Image.fromarray(pixels))
        few = "16-bit levels of 1000 to 4095 but for a few of up to 65535; wanted 0 to 65535: "
        assert read_picture(path).text.startswith(few)
        assert read_everywhere(path) == Seen(usable=False, fault="")

    def test_of_a_transparent_level_shows_white_there(self, tmp_path: Path) -> None:
        # Left half transparent; right 0x4040 of 0xffff, 64 of 255.
        rows = (b"\0" + struct.pack(">8H", *[9] * 4, *[0x4040] * 4)) * 8
        path = png(tmp_path / "x.png", 16, 0, rows, struct.pack(">H", 9))
        pixels = read_image(path, CROP)
        assert (int(pixels[0, 0, 0]), int(pixels[0, 7, 0])) == (255, 64)
        assert (
            read_picture(path).note == "16-bit grey, scaled to 8 bits; transparent, shown on white"
        )
        assert read_everywhere(path) == Seen(usable=True, fault="")

    def test_all_of_it_transparent_is_no_picture(self, tmp_path: Path) -> None:
        rows = (b"\0" + struct.pack(">8H", *[40_000] * 8)) * 8
        path = png(tmp_path / "x.png", 16, 0, rows, struct.pack(">H", 40_000))
        assert read_picture(path).text == "every pixel is transparent"


class TestColour16:
    @pytest.mark.parametrize("write", [png16, tiff16])
    def test_of_the_full_range_is_read(
        self, tmp_path: Path, write: Callable[[Path, tuple[int, ...]], Path]
    ) -> None:
        path = write(tmp_path / "x", (0xFFFF, 0x8000, 0x0001))
        assert read_image(path, CROP)[0, 0].tolist() == [255, 128, 0]  # levels by 256
        assert read_picture(path).note == "16-bit colour, read in 8 bits"
        assert read_everywhere(path) == Seen(usable=True, fault="")

    # 255: 8 bits in 16; 4095: 12; 16383: 14. The last two: grey with alpha, and an alpha of 12 bits.
    @pytest.mark.parametrize(
        ("write", "colour", "most"),
        [
            (png16, (255, 200, 180), 255),
            (png16, (4095, 3000, 1000), 4095),
            (tiff16, (4095, 3000, 1000), 4095),
            (png16, (16_383, 6000, 1000), 16_383),
            (png16, (4095, 65_535), 4095),
            (png16, (65_535, 65_535, 65_535, 4095), 4095),
        ],
    )
    def test_of_fewer_bits_is_refused_with_the_cause(
        self,
        tmp_path: Path,
        write: Callable[[Path, tuple[int, ...]], Path],
        colour: tuple[int, ...],
        most: int,
    ) -> None:
        found = read_picture(path := write(tmp_path / "x", colour))
        assert found.problem == "unsupported pixels"
        assert found.text.startswith(f"16-bit colour or alpha of at most {most}; wanted 0 to 65535")
        assert read_everywhere(path) == Seen(usable=False, fault="")
        with pytest.raises(decode.BadPicture, match=f"at most {most}"):
            decode.decode_pixels(path.read_bytes())  # as a mask: else it is black, all background

    def test_of_a_netpbm_file_is_judged_by_the_level_that_it_declares(self, tmp_path: Path) -> None:
        # 4095 of 65535 is 15.9 of 255: near black. 1023 of 4095 is 63.7. 4095 of 4095 is white.
        dark = read_picture(ppm16(tmp_path / "x", (4095, 3000, 1000)))
        assert dark.text.startswith(
            "16-bit colour or alpha of at most 4351; wanted 0 to 65535: save"
        )
        darker = read_picture(ppm16(tmp_path / "y", (1000, 500, 1), 4095))
        assert darker.text.startswith("16-bit colour or alpha of at most 1007; wanted 0 to 4095")
        path = ppm16(tmp_path / "z", (4095, 2048, 0), 4095)
        assert read_image(path, CROP)[0, 0].tolist() == [255, 128, 0]
        assert read_everywhere(path) == Seen(usable=True, fault="")

    def test_of_12_bits_is_told_by_its_pixels_and_not_by_a_hot_one(self, tmp_path: Path) -> None:
        rows = (b"\0" + struct.pack(">3H", 4095, 3000, 1000) * 8) * 8
        path = png(tmp_path / "x", 16, 2, rows[:1] + b"\xff" * 6 + rows[7:])
        assert read_picture(path).text.startswith("16-bit colour or alpha of at most 4095; wanted")
        assert read_everywhere(path) == Seen(usable=False, fault="")

    def test_with_a_transparent_colour_is_refused(self, tmp_path: Path) -> None:
        # Pillow holds the low bytes of the transparent colour against the high bytes of the pixels.
        rows = (b"\0" + struct.pack(">3H", 0xFF80, 0x8010, 1) * 8) * 8
        path = png(tmp_path / "x", 16, 2, rows, struct.pack(">3H", 0xFF80, 0x8010, 1))
        assert read_picture(path).text.startswith("16-bit colour of which one is transparent; save")
        assert read_everywhere(path) == Seen(usable=False, fault="")

    def test_in_planes_is_refused(self, tmp_path: Path) -> None:
        path = tiff16(tmp_path / "x.tif", (0xFFFF, 0x8000, 0x4000), planes=2)
        assert read_picture(path).text.startswith("16-bit colour in planes of their own; save it")


def test_signed_levels_of_8_bits_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.tif", grey((10, 250), np.uint8), tiffinfo={339: 2})
    said = "signed levels have no known range; save it as 8-bit PNG or JPEG"
    assert read_picture(path).text == said
    assert read_everywhere(path) == Seen(usable=False, fault="")


class TestPages:
    @pytest.mark.parametrize("tags", [{254: 1}, {255: 2}])
    def test_a_thumbnail_in_front_is_passed_over_and_named(
        self, tmp_path: Path, tags: dict[int, int]
    ) -> None:
        path = tiff_pages(tmp_path / "x.tif", (10, tags), (200, {254: 0, 255: 1}))
        assert set(read_image(path, CROP).ravel().tolist()) == {200}
        assert read_picture(path).note == "behind a smaller copy of itself in its TIFF"
        assert decode.upright_size(path.read_bytes()) == (16, 16)
        assert decode.decode_pixels(path.read_bytes()).size == (16, 16)
        assert read_everywhere(path) == Seen(usable=True, fault="")

    def test_of_thumbnails_alone_is_refused(self, tmp_path: Path) -> None:
        path = tiff_pages(tmp_path / "x.tif", (10, {254: 1}), (200, {254: 1}))
        said = "a TIFF whose pages are all marked as smaller copies (thumbnails) or masks; save it"
        assert read_picture(path).text.startswith(said)
        assert read_everywhere(path) == Seen(usable=False, fault="")

    def test_of_an_only_page_is_that_page(self, tmp_path: Path) -> None:
        assert read_picture(tiff_pages(tmp_path / "x.tif", (10, {254: 1}))).problem == ""


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"MM\0+\0\x08\0\0" + bytes(8), "a big-endian BigTIFF, which cannot be read here"),
        (
            b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nENDHDR\n123",
            "PAM, which cannot be read here",
        ),
        (bytes(4) + b"ftypheic" + bytes(8), "HEIC, which cannot be read here"),
        (bytes(128) + b"DICM" + bytes(8), "DICOM, which cannot be read here"),
    ],
)
def test_a_picture_of_a_kind_that_is_not_read_is_named(
    tmp_path: Path, content: bytes, named: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    found = read_picture(path)
    assert found.problem == "unsupported pixels"
    assert found.text == f"{named}; save it as 8-bit PNG or JPEG"
    assert read_everywhere(path) == Seen(usable=False, fault="")


def test_a_tiff_of_10_bits_is_called_a_tiff(tmp_path: Path) -> None:
    path = written(tmp_path / "x.tif", Image.new("L", (8, 8)))
    entry = struct.pack("<HHI", 258, 3, 1)  # bits of a level, of which there is one
    path.write_bytes(path.read_bytes().replace(entry + b"\x08", entry + b"\x0a"))
    said = (
        "a TIFF that is damaged or of a kind that cannot be read here; save it as 8-bit PNG or JPEG"
    )
    assert read_picture(path).text == said


def test_a_damaged_tiff_writes_nothing_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (64, 64), dtype=np.uint8)
    path = written(tmp_path / "x.tif", Image.fromarray(noise), compression="tiff_adobe_deflate")
    content = bytearray(path.read_bytes())
    content[40:90] = bytes(50)
    path.write_bytes(content)
    assert read_picture(path).problem == "corrupt"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("dtype", "levels", "word"),
    [(np.int32, (5, 70_000), "32-bit integer"), (np.float32, (0.1, 0.9), "floating-point")],
)
def test_levels_without_a_known_range_are_refused(
    tmp_path: Path, dtype: type, levels: tuple[float, float], word: str
) -> None:
    path = written(tmp_path / "x.tif", grey(levels, dtype))
    assert read_picture(path).text == f"{word} levels have no known range; save it in 8 bits"
    assert read_everywhere(path) == Seen(usable=False, fault="")


class TestTransparency:
    def test_hidden_colours_are_not_seen(self, tmp_path: Path) -> None:
        # Left: red, opaque. Right: green, of which nothing shows. Below: black, half transparent.
        pixels = np.zeros((16, 16, 4), np.uint8)
        pixels[:, :8] = (255, 0, 0, 255)
        pixels[:, 8:] = (0, 255, 0, 0)
        path = written(tmp_path / "x.png", Image.fromarray(pixels))
        seen = read_image(path, CROP)
        assert seen[0, 0].tolist() == [255, 0, 0]
        assert seen[0, 7].tolist() == [255, 255, 255]
        assert read_picture(path).note == "transparent, shown on white"

    def test_half_of_it_shows_half(self, tmp_path: Path) -> None:
        path = written(tmp_path / "x.png", Image.new("RGBA", (8, 8), (0, 0, 0, 51)))
        assert set(read_image(path, CROP).ravel().tolist()) == {204}  # 255 × (1 - 51 / 255)

    def test_a_transparent_palette_entry_is_white(self, tmp_path: Path) -> None:
        image = Image.new("P", (8, 8), 1)
        image.putpalette([0, 0, 0, 0, 255, 0])
        image.putpixel((0, 0), 0)
        path = written(tmp_path / "x.png", image, transparency=1)
        assert read_image(path, CROP)[7, 7].tolist() == [255, 255, 255]
        assert read_image(path, CROP)[0, 0].tolist() == [0, 0, 0]

    # A level of 2 or 4 bits: 1 of 3 is 85, 1 of 15 is 17.
    @pytest.mark.parametrize(
        ("bits", "row", "other"), [(2, b"\x55\xaa", 170), (4, b"\x11" * 2 + b"\x22" * 2, 34)]
    )
    def test_a_transparent_level_of_few_bits_is_white(
        self, tmp_path: Path, bits: int, row: bytes, other: int
    ) -> None:
        path = png(tmp_path / "x.png", bits, 0, (b"\0" + row) * 8, struct.pack(">H", 1))
        assert read_image(path, CROP)[0, :, 0].tolist() == [255] * 4 + [other] * 4

    def test_an_opaque_channel_changes_no_pixel(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(2)
        rgb = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        path = written(tmp_path / "x.png", rgb.convert("RGBA"))
        assert (read_image(path, CROP) == np.asarray(rgb)).all()
        assert read_picture(path).note == ""

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_a_wholly_transparent_picture_is_no_picture(self, tmp_path: Path, mode: str) -> None:
        path = written(tmp_path / "x.png", Image.new(mode, (8, 8)))
        assert read_picture(path).text == "every pixel is transparent"
        assert read_everywhere(path) == Seen(usable=False, fault="")


class TestExif:
    # Stored with orientation n so that it shows as `upright`: the inverse of what a reader must do.
    STORED = (
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    )

    @pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
    @pytest.mark.parametrize(("orientation", "turn"), STORED)
    def test_every_place_sees_it_upright(
        self, tmp_path: Path, orientation: int, turn: Image.Transpose, suffix: str
    ) -> None:
        rng = np.random.default_rng(3)
        noise = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        upright = Image.fromarray(noise).resize((80, 60), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[0x0112] = orientation
        lossless = {"lossless": True} if suffix == "webp" else {}
        one = written(tmp_path / f"one.{suffix}", upright, **lossless)
        other = written(
            tmp_path / f"other.{suffix}", upright.transpose(turn), exif=exif, **lossless
        )
        spec = ImageSpec(20, "stretch")
        assert (read_image(one, spec) == read_image(other, spec)).all()
        assert read_picture(one).grey == read_picture(other).grey
        thumbs = read_thumbs([one, other], both_views=False).grey
        assert (thumbs[0] == thumbs[1]).all()
        assert decode.upright_size(other.read_bytes()) == (80, 60)

    @staticmethod
    def block(kind: int, count: int, value: bytes) -> bytes:
        """An EXIF block that holds the orientation alone, as an entry of that kind, count and value."""
        entry = struct.pack("<HHI", 0x0112, kind, count) + value
        return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)

    @pytest.mark.parametrize(
        "block",
        [
            b"Exif\0\0no TIFF header here",
            b"Exif\0\0II",
        ],
    )
    def test_damaged_it_is_read_as_it_is_stored_and_named(
        self, tmp_path: Path, block: bytes
    ) -> None:
        path = tmp_path / "x.jpg"
        pixels = np.zeros((16, 16), np.uint8)
        pixels[:, 8:] = 250
        Image.fromarray(pixels).save(path, exif=block, quality=95)
        assert read_everywhere(path) == Seen(usable=True, fault="")
        seen = read_image(path, CROP)
        assert seen[:, 0].max() < 10 < 240 < seen[:, 7].min()
        assert read_picture(path).note == "EXIF that cannot be read, taken as upright"

    @pytest.mark.parametrize(
        ("kind", "count", "value"),
        [
            (3, 1, struct.pack("<HH", 0, 0)),
            (3, 1, struct.pack("<HH", 9, 0)),
            (2, 4, b"six\0"),
            (12, 1, struct.pack("<I", 9_999)),
        ],
    )
    def test_an_orientation_that_is_none_turns_nothing(
        self, tmp_path: Path, kind: int, count: int, value: bytes
    ) -> None:
        path = tmp_path / "x.png"
        grey((0, 255), np.uint8).save(path, exif=self.block(kind, count, value))
        seen = read_image(path, CROP)
        assert (seen[:, 0].max(), seen[:, 7].min()) == (0, 255)
        assert read_everywhere(path) == Seen(usable=True, fault="")


def test_lab_is_read_alike_everywhere(tmp_path: Path) -> None:
    rgb = Image.new("RGB", (8, 8), (255, 255, 255))
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    path = written(tmp_path / "x.tif", ImageCms.applyTransform(rgb, transform))
    assert read_everywhere(path) == Seen(usable=True, fault="")
    assert read_image(path, CROP).min() >= 250


@pytest.mark.parametrize(
    "start", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"%PDF-1.4\n"]
)
def test_postscript_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    log = tmp_path / "started"
    (tools / "gs").write_text(f"#!/bin/sh\necho started >> {log}\n")
    (tools / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    path = tmp_path / "x.png"
    path.write_bytes(start + b"%%EndComments\nshowpage\n")
    found = read_picture(path)
    assert found.problem == "not an image"
    assert found.text == "PostScript or PDF, which is a program and no picture"
    assert read_everywhere(path) == Seen(usable=False, fault="")
    assert not log.exists()


def test_a_sparse_file_is_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path / "x.png", Image.new("RGB", (8, 8)))
    with path.open("r+b") as f:
        f.truncate(2 << 30)
    found = read_picture(path)
    assert (found.problem, found.text) == ("too large", "2,147,483,648 bytes, more than 512 MiB")
    assert read_everywhere(path) == Seen(usable=False, fault="")


def test_what_is_not_there_or_loops_is_unreadable(tmp_path: Path) -> None:
    loop = tmp_path / "loop.png"
    loop.symlink_to("loop.png")
    assert read_picture(loop).problem == "unreadable"
    assert read_everywhere(loop) == Seen(usable=False, fault="")


def test_filters_of_warnings_are_as_before_after_many_threads(tmp_path: Path) -> None:
    paths = [
        written(tmp_path / f"{i}.png", Image.new("RGB", (64, 64), (i, 0, 0))) for i in range(8)
    ]
    before = list(warnings.filters)

    def read() -> None:
        for path in random.Random(0).sample(paths, len(paths)) * 5:
            read_image(path, CROP)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
