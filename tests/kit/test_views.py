"""Views of stored pictures: another size, frames that were squeezed to squares, and how sharp they are."""

import numpy as np
import pytest
import torch

from tonegap_kit.augment import crop_rotate_flip, input_size
from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, Pictures, join, pick
from tonegap_kit.sources import ImageSource
from tonegap_kit.views import Viewer, viewer

CPU = torch.device("cpu")


def slopes(n: int, side: int) -> torch.Tensor:
    """Pictures [n, side, side, 3] whose red rises by 1 a column and whose green by 1 a row."""
    along = torch.arange(side, dtype=torch.uint8)
    red, green = along.expand(side, side), along[:, None].expand(side, side)
    return torch.stack([red, green, red * 0], dim=2).expand(n, side, side, 3).contiguous()


def area(views: torch.Tensor, factor: float) -> torch.Tensor:
    """The share of the picture's area that each view of 64 px of `slopes` shows, from its slopes in the middle."""
    across, down = views[:, 32, 36] - views[:, 32, 28], views[:, 36, 32] - views[:, 28, 32]
    return (across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]).abs() / (8 * factor) ** 2


def test_a_crop_of_a_square_frame_is_that_of_a_picture_without_a_frame():
    images = slopes(8, 32)
    plain = crop_rotate_flip(images, generator(1))
    assert torch.equal(plain, crop_rotate_flip(images, generator(1), 32, "bilinear", torch.ones(8)))


def test_of_a_frame_twice_as_wide_as_high_the_widest_middle_that_fits_is_shown():
    # Four fifths of its area in proportions of 4:3 or less would be higher than it is. As torchvision does, the middle
    # of 4:3 is taken: of the squeezed square 2/3 of the width and all of the height.
    views = crop_rotate_flip(slopes(100, 64), generator(0), 64, "bilinear", torch.full((100,), 2.0))
    assert area(views, 1.0).numpy() == pytest.approx(2 / 3, rel=0.02)
    assert views[:, 32, 32, 0].numpy() == pytest.approx(32, abs=1)
    # Turned round: a frame half as wide as high, of which the middle of 3:4 is 2/3 of the height.
    views = crop_rotate_flip(slopes(100, 64), generator(0), 64, "bilinear", torch.full((100,), 0.5))
    assert area(views, 1.0).numpy() == pytest.approx(2 / 3, rel=0.02)


def test_crops_of_a_frame_keep_between_80_and_100_per_cent_of_its_area_and_are_squeezed():
    views = crop_rotate_flip(
        slopes(300, 64), generator(0), 64, "bilinear", torch.full((300,), 1.25)
    )
    shares = area(views, 1.0)
    assert 0.78 < shares.min() < 0.82
    assert 0.98 < shares.max() < 1.02


def test_a_view_may_be_smaller_than_the_stored_picture():
    views = crop_rotate_flip(slopes(50, 128), generator(0), 64)
    assert views.shape == (50, 64, 64, 3)
    shares = area(views, 2.0)  # a pixel of the view is two of the picture
    assert shares.min() > 0.78
    assert shares.max() < 1.02


def test_bicubic_views_are_sharper_and_stay_within_8_bits():
    noise = torch.randint(0, 256, (8, 64, 64, 3), generator=generator(0)).to(torch.uint8)
    steps = []
    for name in ("bilinear", "bicubic"):
        views = crop_rotate_flip(noise, generator(1), 0, name)
        assert views.min() >= 0
        assert views.max() <= 255
        steps.append(views[:, 16:48, 16:48].diff(dim=2).abs().mean().item())
    assert steps[1] > 1.15 * steps[0]


def test_what_is_predicted_of_a_frame_is_its_centre_square():
    # A frame twice as wide as high: its centre square is columns 4 to 11 of 16, over all rows.
    (view,) = Viewer("none", 8).still(slopes(1, 16), torch.tensor([2.0]))
    assert view[0, :, 0].tolist() == [4, 5, 6, 7, 8, 9, 10, 11]
    # Two rows become one, midway between them.
    assert view[3, 0, 1].item() in {6, 7}
    (turned,) = Viewer("none", 8).still(slopes(1, 16), torch.tensor([0.5]))
    assert turned[:, 0, 1].tolist() == [4, 5, 6, 7, 8, 9, 10, 11]


def test_a_picture_of_the_size_that_is_shown_is_shown_as_it_is():
    images = slopes(2, 16)
    assert Viewer("none").still(images, None) is images
    assert Viewer("none", 16).random(images, None, generator(0)) is images


def test_a_source_gives_each_row_the_shape_of_its_own_frame():
    stored = slopes(3, 16).numpy()
    one = Partition(
        ("a", "b"),
        np.zeros(2, np.int64),
        np.zeros(2, np.int64),
        Pictures((stored[:2],), aspect=np.array([1.0, 2.0], np.float32)),
    )
    other = Partition(
        ("c",),
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
        Pictures((stored[2:],), aspect=np.array([0.5], np.float32)),
    )
    both = pick(join(one, other), np.array([2, 1]))
    assert both.pictures.aspects(np.array([0, 1])).tolist() == [0.5, 2.0]
    views = ImageSource(both.pictures, 1.0, CPU, view=Viewer("none", 8)).take(torch.tensor([1, 0]))
    rises = [(view[:, :, 7] - view[:, :, 0])[0].mean().item() for view in views]
    # Row 1 was twice as wide: 7 columns of red between its edges. Row 0 was half as wide: all 16 in 8.
    assert rises[1] / rises[0] == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"view_px": 65}, r"view_px is 65, wanted 0 \(as prepared\) or 8 to 64"),
        ({"view_px": 4}, "view_px is 4"),
        ({"interpolation": "sinc"}, "interpolation is 'sinc', wanted bilinear or bicubic"),
        ({"augmentation": "sinc"}, "augmentation is 'sinc'"),
    ],
)
def test_a_view_that_is_none_is_refused(make_stage, given, words):
    with pytest.raises(StageError, match=words):
        viewer(
            make_stage({"augmentation": "none", **given}, image={"size_px": 64, "geometry": "crop"})
        )


def test_the_network_sees_the_middle_of_the_view():
    assert input_size(Viewer("none", 256).px, 0.875) == 224
