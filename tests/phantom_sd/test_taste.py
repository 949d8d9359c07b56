"""What a difference between two pictures costs the autoencoder, worked out by hand."""

import numpy as np
import pytest
import torch
from benchmarks.phantom.models.training.autoencoder import Taste, turned
from torch import Tensor


def colour(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue])[None, :, None, None].expand(1, 3, 4, 4)


def test_a_grey_difference_costs_its_brightness_alone():
    taste = Taste(brightness=1.0, red=9.0, yellow=9.0, absolute=1.0, squared=0.0)
    assert taste.cost(colour(0.3, 0.3, 0.3)).item() == pytest.approx(0.3 / 3)


def test_squares_are_weighed_apart():
    taste = Taste(brightness=1.0, red=9.0, yellow=9.0, absolute=0.0, squared=2.0)
    assert taste.cost(colour(0.3, 0.3, 0.3)).item() == pytest.approx(2 * 0.09 / 3)


def test_red_against_green_costs_by_its_weight():
    # Brightness 0; red - green is 0.2, times 2; yellow against blue: (0.1 - 0.1) / 2 is 0.
    taste = Taste(brightness=1.0, red=2.0, yellow=5.0, absolute=1.0, squared=0.0)
    assert taste.cost(colour(0.1, -0.1, 0.0)).item() == pytest.approx(0.4 / 3)


def test_yellow_against_blue_costs_by_its_weight():
    # (0.1 + 0.1) / 2 - (-0.2) is 0.3, times 2; brightness and red against green are 0.
    taste = Taste(brightness=1.0, red=5.0, yellow=2.0, absolute=1.0, squared=0.0)
    assert taste.cost(colour(0.1, 0.1, -0.2)).item() == pytest.approx(0.6 / 3)


def test_turning_keeps_every_pixel():
    image = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    rng = np.random.default_rng(0)
    found = [turned(image, rng) for _ in range(40)]
    assert all(sorted(f.ravel()) == sorted(image.ravel()) for f in found)
    assert len({f.tobytes() for f in found}) == 8  # four quarters, mirrored or not
