"""Baselines that repair a trained network by its last layer, or by the weights that a group depends on."""

import math

import numpy as np
import pytest
import torch
from programs import importable
from torch import nn

from tonegap_kit.partition import UNKNOWN

from .conftest import batch_of, plugin

with importable("baselines/dfr"):
    from last_layer import balanced_rows, fit, scaled_layer

LN2, LN3 = math.log(2), math.log(3)


def test_every_cell_is_drawn_as_often_as_the_smallest_has_images() -> None:
    y = np.array([0, 0, 0, 1, 1, 0, 0, 1])
    t = np.array([0, 0, 0, 0, 0, 1, 1, UNKNOWN])
    rows = balanced_rows(y, t, np.random.default_rng(0))
    # Cells of 3, 2 and 2 images; the last image's tone is unknown.
    assert len(rows) == len(set(rows.tolist())) == 6
    assert np.bincount(t[rows] * 2 + y[rows]).tolist() == [2, 2, 2]


def test_the_fitted_layer_says_the_shares_where_features_say_nothing_more() -> None:
    # x = 1 has class 1 in three of four, x = 0 in one of two: scores differ by log 3 and by 0, without a penalty.
    z = torch.tensor([[1.0]] * 4 + [[0.0]] * 2, dtype=torch.float64)
    y = torch.tensor([1, 1, 1, 0, 1, 0])
    weight, bias = fit(z, y, 2, 0.0, 4000)
    assert (weight[1] - weight[0]).item() == pytest.approx(LN3, abs=1e-6)
    assert (bias[1] - bias[0]).item() == pytest.approx(0, abs=1e-6)


def test_the_penalty_sets_weights_to_nothing_and_leaves_the_biases() -> None:
    z = torch.tensor([[1.0], [0.0], [1.0], [0.0]], dtype=torch.float64)
    y = torch.tensor([1, 1, 1, 0])
    # The slope of the loss by the weight at the shares (1/4, 3/4) is mean x (p - y) = 1/2 * 1/4 = 1/8 in size.
    weight, bias = fit(z, y, 2, 0.13, 4000)
    assert weight.abs().max() == 0
    assert (bias[1] - bias[0]).item() == pytest.approx(LN3, abs=1e-6)
    assert fit(z, y, 2, 0.12, 4000)[0].abs().max() > 0


def test_the_new_layer_takes_features_as_they_are() -> None:
    weight = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
    mean, spread = torch.tensor([1.0, 10.0]), torch.tensor([2.0, 5.0])
    layer = scaled_layer(weight, torch.tensor([0.5, 0.0]), mean.double(), spread.double())
    # (3 - 1) / 2 = 1 and (20 - 10) / 5 = 2.
    assert layer(torch.tensor([3.0, 20.0])).tolist() == [2.5, 6.0]


def test_the_difference_between_groups_of_four_images_is_worked_out_by_hand() -> None:
    p0 = torch.tensor([0.9, 0.5, 0.4, 0.2])
    p, y, t = (
        torch.stack([p0, 1 - p0], dim=1),
        torch.tensor([0, 0, 1, 1]),
        torch.tensor([0, 1, 0, 1]),
    )
    # TPR of class 0: 0.9 and 0.5; its FPR: 0.4 and 0.2. Of class 1: 0.6 and 0.8; 0.1 and 0.5.
    found = plugin("bmft")["difference"](p, y, t).item()
    assert found == pytest.approx((0.4 / 2 + 0.2 / 2 + 0.2 / 2 + 0.4 / 2) / 2)
    # Opposite signs do not cancel, and a group without a class is not compared in it.
    only = plugin("bmft")["difference"](p[:3], y[:3], t[:3]).item()
    assert only == pytest.approx((0.4 / 2 + 0.4 / 2) / 2)
    assert plugin("bmft")["difference"](p, y, torch.zeros(4, dtype=torch.int64)).item() == 0


def test_the_bmft_loss_of_three_images_is_worked_out_by_hand() -> None:
    x = torch.tensor([[0.0, 0], [LN3, 0], [0, 0]])
    found = plugin("bmft")["both"](0.5, nn.Identity(), batch_of(x, [0, 0, 1], [0, 1, 1]))
    # Class 0 of the groups: 1/2 and 3/4, so is the FPR of class 1; nothing else can be compared.
    of_class = (LN2 + math.log(4 / 3) + LN2) / 3
    assert found.item() == pytest.approx(of_class + 0.5 * (0.25 / 2 + 0.25 / 2) / 2)


def test_the_weights_that_may_move_matter_more_to_the_difference_than_to_the_prediction() -> None:
    of_bias = {"a": torch.tensor([0.0, 5.0, 10.0]), "b": torch.tensor([2.0, 4.0])}
    of_prediction = {"a": torch.tensor([0.0, 8.0, 4.0]), "b": torch.tensor([1.0, 9.0])}
    # Scaled in its layer a is (0, 1/2, 1) over (0, 1, 1/2): ratios 0, 1/2, 2; b is (0, 1) over (0, 1): 0 and 1.
    found = plugin("bmft")["mask_of"](of_bias, of_prediction, 50.0)
    assert found["a"].tolist() == [False, False, True]
    assert found["b"].tolist() == [False, True]
    everything = plugin("bmft")["mask_of"](of_bias, of_prediction, 0.0)
    assert everything["a"].tolist() == [False, True, True]
