"""Copies that are found, and drawings that are not taken for copies."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageOps

from tonegap.data.near_duplicates import duplicate_groups
from tonegap.data.phantom.draw import Sitter, draw
from tonegap.data.picture import PictureFacts, read_picture


def drawing(image_id: str, size_px: int = 128) -> Image.Image:
    return Image.fromarray(draw(Sitter(image_id, "psoriasis", "IV"), size_px)[0])


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "re-encoded": lambda image: jpeg(image, 70),
    "half as large": lambda image: image.resize((64, 64)),
    "twice as large": lambda image: image.resize((256, 256), Image.Resampling.BICUBIC),
    "flipped": ImageOps.mirror,
    "flipped, smaller and re-encoded": lambda image: jpeg(
        ImageOps.mirror(image).resize((96, 96)), 85
    ),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.75),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    "grey": lambda image: image.convert("L"),
}


@pytest.fixture
def seen(tmp_path: Path) -> Callable[[list[Image.Image]], list[PictureFacts]]:
    def _seen(images: list[Image.Image]) -> list[PictureFacts]:
        paths = [tmp_path / f"{i}.png" for i in range(len(images))]
        for image, path in zip(images, paths, strict=True):
            image.save(path)
        return [read_picture(path) for path in paths]

    return _seen


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_grouped_with_its_original(
    seen: Callable[[list[Image.Image]], list[PictureFacts]], kind: str
) -> None:
    images = [drawing("a"), drawing("b"), COPIES[kind](drawing("a"))]
    assert duplicate_groups(seen(images)) == [0, 1, 0]


def test_copies_of_copies_are_one_group(
    seen: Callable[[list[Image.Image]], list[PictureFacts]],
) -> None:
    images = [drawing("b"), *(copy(drawing("a")) for copy in COPIES.values())]
    assert duplicate_groups(seen(images)) == [0] + [1] * len(COPIES)


def test_different_drawings_of_one_kind_stay_apart(
    seen: Callable[[list[Image.Image]], list[PictureFacts]],
) -> None:
    images = [drawing(f"x{i}", 64) for i in range(150)]
    assert duplicate_groups(seen(images)) == list(range(150))


def test_blank_images_are_no_copies_but_equal_files_are(
    seen: Callable[[list[Image.Image]], list[PictureFacts]],
) -> None:
    blank = [Image.new("L", (40, 40), grey) for grey in (90, 91, 90)]
    assert duplicate_groups(seen(blank)) == [0, 1, 0]


def test_no_picture_gives_no_group() -> None:
    assert duplicate_groups([]) == []
