import math
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional

from tonegap_kit.augment import (
    Augmentation,
    _random_crops,
    augmentation_named,
    centre,
    crop_rotate_flip,
    flip_shift,
    input_size,
)
from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Pictures
from tonegap_kit.sources import (
    DEVIATION,
    MEAN,
    ImageSource,
    TensorSource,
    in_batches,
    normalise,
)

CPU = torch.device("cpu")


def _numbered(n: int, side: int) -> torch.Tensor:
    """Images whose red is the column and whose green is the row of each pixel, n times the same."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.stack([x, y, x * 0], dim=2).to(torch.uint8).expand(n, side, side, 3).contiguous()


def _smooth(n: int, side: int) -> torch.Tensor:
    return _numbered(n, side).float() * (255 / side)


@pytest.mark.parametrize("augment", [flip_shift, crop_rotate_flip])
def test_every_image_of_a_batch_gets_a_transform_of_its_own(augment: Augmentation) -> None:
    result = augment(_smooth(16, 32).to(torch.uint8), generator(0)).float()
    differing = {tuple(image.flatten().tolist()) for image in result}
    assert len(differing) > 12


@pytest.mark.parametrize("augment", [flip_shift, crop_rotate_flip])
def test_a_transform_follows_from_its_generator_alone(augment: Augmentation) -> None:
    images = _numbered(4, 16)
    once = augment(images, generator(3))
    assert torch.equal(once, augment(images, generator(3)))
    assert not torch.equal(once, augment(images, generator(4)))


def test_flip_shift_moves_whole_pixels_by_at_most_an_eighth() -> None:
    side = 16
    result = flip_shift(_numbered(64, side), generator(0)).int()
    columns, rows = result[:, 8, :, 0], result[:, :, 8, 1]
    steps = columns.diff(dim=1).abs()
    assert steps.max() <= 1  # neighbours stay neighbours, mirrored at the edge
    middle = rows[:, 8]
    assert middle.min() >= 8 - side // 8
    assert middle.max() <= 8 + side // 8
    assert len(set(middle.tolist())) == 2 * (side // 8) + 1


def test_about_half_of_the_images_are_flipped() -> None:
    for augment in (flip_shift, crop_rotate_flip):
        result = augment(_numbered(400, 16), generator(0)).float()
        flipped = (result[:, 8, 3, 0] > result[:, 8, 12, 0]).float().mean()
        assert 0.4 < flipped < 0.6


def test_a_random_crop_keeps_between_80_and_100_per_cent_of_the_area() -> None:
    side = 64
    result = crop_rotate_flip(_smooth(200, side).to(torch.uint8), generator(0))
    # The picture is a plane in red (x) and green (y); its gradients span the kept parallelogram.
    a, b = result[:, 32, 36] - result[:, 32, 28], result[:, 36, 32] - result[:, 28, 32]
    area = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).abs() / (8 * 255 / side) ** 2
    assert area.min() > 0.8 * 0.93  # 8-bit steps over 8 pixels: a few per cent
    assert area.max() < 1.0 * 1.07
    assert area.std() > 0.03


def test_a_rotation_is_at_most_15_degrees() -> None:
    result = crop_rotate_flip(_smooth(200, 64).to(torch.uint8), generator(0))
    down = result[:, 36, 32] - result[:, 28, 32]
    angle = torch.atan2(down[:, 0], down[:, 1]).rad2deg().abs()
    assert 10 < angle.max() < 18  # the crop's aspect leans a slope a little further


def test_what_a_rotation_brings_in_from_outside_is_black() -> None:
    white = torch.full((200, 64, 64, 3), 255, dtype=torch.uint8)
    result = crop_rotate_flip(white, generator(0))
    corners = result[:, 0, 0, 0]
    assert (corners < 1).any()
    assert torch.allclose(result[:, 16:48, 16:48], torch.tensor(255.0))


def _moved_pixel_by_pixel(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """What flip_shift does, a pixel at a time: mirrored at the edges, columns counted from the right where flipped."""
    n, side = images.shape[:2]
    reach = side // 8
    shift = torch.randint(-reach, reach + 1, (2, n, 1), generator=rng)
    flip = torch.rand(n, 1, generator=rng) < 0.5
    made = torch.zeros_like(images)
    for i, row, column in product(range(n), range(side), range(side)):
        y, x = abs(row + int(shift[0, i])), abs(column + int(shift[1, i]))
        y, x = (2 * (side - 1) - at if at > side - 1 else at for at in (y, x))
        made[i, row, column] = images[i, y, side - 1 - x if flip[i] else x]
    return made


@pytest.mark.parametrize("side", [4, 13, 24])
def test_flip_shift_gives_the_bytes_of_one_pixel_at_a_time(side: int) -> None:
    images = torch.randint(0, 256, (9, side, side, 3), generator=generator(1)).to(torch.uint8)
    made = flip_shift(images, generator(2))
    assert made.dtype == torch.uint8
    assert torch.equal(made, _moved_pixel_by_pixel(images, generator(2)))


def _cropped_image_by_image(
    images: torch.Tensor, rng: torch.Generator, seen: int, aspect: torch.Tensor | None, filter_: str
) -> torch.Tensor:
    """What crop_rotate_flip does, one image and one plain operation at a time, in single precision throughout."""
    n, side = images.shape[:2]
    size, middle = _random_crops(n, rng, aspect)
    angle = (torch.rand(n, generator=rng) * 2 - 1) * math.radians(15)
    flip = torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)
    start = (side - seen) // 2
    along = ((torch.arange(side) + 0.5) * 2 / side - 1)[start : start + seen]
    made = []
    for i in range(n):
        u, v = along.expand(seen, seen), along[:, None].expand(seen, seen)
        cos, sin = angle[i].cos(), angle[i].sin()
        x = flip[i] * cos * u - sin * v
        y = flip[i] * sin * u + cos * v
        grid = torch.stack([x * size[i, 0] + middle[i, 0], y * size[i, 1] + middle[i, 1]], dim=2)
        planes = images[i : i + 1].permute(0, 3, 1, 2).contiguous().float()
        picture = functional.grid_sample(
            planes, grid[None], mode=filter_, padding_mode="border", align_corners=False
        ).clamp(0, 255)
        outside = (x.abs() > 1) | (y.abs() > 1)
        picture[:, :, outside] = 0
        made.append(picture[0].permute(1, 2, 0))
    return torch.stack(made)


@pytest.mark.parametrize(("side", "seen"), [(40, 35), (73, 64), (32, 32)])
@pytest.mark.parametrize("filter_", ["bilinear", "bicubic"])
def test_a_batch_of_crops_has_the_bytes_of_one_image_at_a_time(
    side: int, seen: int, filter_: str
) -> None:
    images = torch.randint(0, 256, (30, side, side, 3), generator=generator(1)).to(torch.uint8)
    aspect = torch.rand(30, generator=generator(3)) + 0.5
    for told in (None, aspect):
        made = crop_rotate_flip(images, generator(2), 0, filter_, told, seen)
        plain = _cropped_image_by_image(images, generator(2), seen, told, filter_)
        assert torch.equal(made, plain)
        assert 0 < (made == 0).all(dim=3).float().mean() < 0.2  # some corners are outside


def test_normalising_has_the_bytes_of_plain_arithmetic() -> None:
    for images in (_numbered(3, 16), _numbered(3, 16).permute(0, 3, 1, 2).contiguous().float()):
        pixels = images if images.shape[3] == 3 else images.permute(0, 2, 3, 1)
        mean, deviation = (torch.tensor(v) for v in (MEAN, DEVIATION))
        plain = pixels.float() * (1 / (255 * deviation)) + (-mean / deviation)
        assert torch.equal(normalise(pixels.clone()), plain.permute(0, 3, 1, 2))


def test_an_unknown_augmentation_is_refused() -> None:
    assert augmentation_named("none") is None
    with pytest.raises(StageError, match="augmentation is 'mixup', wanted one of none, flip-shift"):
        augmentation_named("mixup")


def test_normalising_gives_imagenets_mean_zero() -> None:
    grey = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    # (1 - 0.485) / 0.229 = 2.2489; (1 - 0.456) / 0.224 = 2.4286; (1 - 0.406) / 0.225 = 2.6400
    result = normalise(grey)
    assert result.shape == (1, 3, 2, 2)
    assert torch.allclose(result[0, :, 0, 0], torch.tensor([2.2489, 2.4286, 2.6400]), atol=1e-4)


def test_the_middle_of_256_is_224() -> None:
    assert input_size(256, 0.875) == 224
    kept = centre(_numbered(1, 16), 0.5)
    assert kept[0, 0, 0].tolist() == [4, 4, 0]
    assert kept[0, -1, -1].tolist() == [11, 11, 0]


@pytest.mark.parametrize(("side", "seen"), [(16, 14), (73, 64), (9, 4)])
def test_leaving_out_what_is_not_seen_changes_no_bit_of_the_rest(side: int, seen: int) -> None:
    images = _numbered(5, side)
    start = (side - seen) // 2
    middle = slice(start, start + seen)
    whole = crop_rotate_flip(images, generator(2))[:, middle, middle]
    assert torch.equal(crop_rotate_flip(images, generator(2), seen=seen), whole)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_source_shows_the_middle_of_what_its_augmentation_made(share: float) -> None:
    part = _numbered(3, 16).numpy()
    for augment in (flip_shift, crop_rotate_flip):
        source = ImageSource(Pictures((part,)), share, CPU, augment, generator(5))
        made = augment(torch.from_numpy(part), generator(5))
        # Pixel by pixel, whichever way they lie in memory.
        expected = normalise(centre(made, share).contiguous())
        assert torch.equal(source.take(torch.arange(3)), expected)


def test_a_source_gives_the_rows_that_were_asked_for() -> None:
    part = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    source = ImageSource(Pictures((part,)), 1.0, CPU)
    one_step = 1 / (255 * 0.229)
    values = source.take(torch.tensor([3, 1]))[:, 0, 0, 0]
    assert math.isclose((values[0] - values[1]).item(), 2 * one_step, rel_tol=1e-4)
    features = TensorSource(torch.arange(6.0).reshape(3, 2))
    assert features.take(torch.tensor([2, 0])).tolist() == [[4, 5], [0, 1]]


def test_batches_hold_every_row_once() -> None:
    assert [b.tolist() for b in in_batches(torch.arange(5), 2)] == [[0, 1], [2, 3], [4]]
