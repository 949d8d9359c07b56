import math

import numpy as np
import pytest
import torch

from tonegap_kit.augment import (
    Augmentation,
    augmentation_named,
    centre,
    crop_rotate_flip,
    flip_shift,
    input_size,
)
from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Pictures
from tonegap_kit.sources import ImageSource, TensorSource, in_batches, normalise

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
