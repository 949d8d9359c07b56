"""A head for each tone, and sharpness-aware steps: by hand."""

import math

import pytest
import torch
from torch import nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.partition import UNKNOWN

from .conftest import batch_of, plugin

LN2, LN3 = math.log(2), math.log(3)


def _heads(combine: str) -> nn.Module:
    """One input; the first tone's head scores (x, 0), that of the second (0, x)."""
    heads = [nn.Linear(1, 2, bias=False) for _ in range(2)]
    with torch.no_grad():
        for head, weight in zip(heads, ([[1.0], [0]], [[0.0], [1]]), strict=True):
            head.weight.copy_(torch.tensor(weight))
    network: nn.Module = plugin("domain-ind")["HeadByTone"](
        Classifier(nn.Identity(), nn.Identity(), False), heads, combine
    )
    return network


def test_the_loss_of_three_images_is_that_of_each_ones_own_head() -> None:
    x = torch.full((3, 1), LN3)
    # Of class 0 the first head says 3/4, the second 1/4. The third image's tone is unknown: the mean of both losses.
    found = plugin("domain-ind")["loss"](_heads("scores"), batch_of(x, [0, 0, 0], [0, 1, UNKNOWN]))
    each = [math.log(4 / 3), math.log(4)]
    assert found.item() == pytest.approx((sum(each) + sum(each) / 2) / 3)


def test_a_head_learns_nothing_from_images_of_another_tone() -> None:
    network = _heads("scores")
    plugin("domain-ind")["loss"](network, batch_of(torch.ones(2, 1), [0, 1], [1, 1])).backward()
    assert network.heads[0].weight.grad.abs().sum() == 0
    assert network.heads[1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("combine", "p"),
    [
        # Scores (log 9, 0) and (0, log 9) average to equal ones; probabilities (9/10, 1/10) and back as well.
        ("scores", 0.5),
        ("probabilities", 0.5),
    ],
)
def test_heads_that_disagree_cancel(combine: str, p: float) -> None:
    found = _heads(combine)(torch.tensor([[2 * LN3]])).softmax(dim=1)
    assert found[0, 0].item() == pytest.approx(p)


def test_scores_and_probabilities_are_averaged_as_they_are_named() -> None:
    by_scores, by_probabilities = _heads("scores"), _heads("probabilities")
    for network in (by_scores, by_probabilities):
        with torch.no_grad():
            network.heads[1].weight.zero_()
    x = torch.tensor([[2 * LN3]])
    # Heads say 9 : 1 and 1 : 1. Mean score log 3: 3/4. Mean probability (0.9 + 0.5) / 2.
    assert by_scores(x).softmax(dim=1)[0, 0].item() == pytest.approx(0.75)
    assert by_probabilities(x).softmax(dim=1)[0, 0].item() == pytest.approx(0.7)


def _softmax_of_one_weight(w: float) -> tuple[nn.Linear, float]:
    """A network that says p = 1 / (1 + e^-w) of class 0 for input 1, and its gradient for class 0, p - 1."""
    network = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[w], [0.0]]))
    return network, 1 / (1 + math.exp(-w)) - 1


def test_the_step_follows_the_gradient_at_the_place_up_the_slope() -> None:
    network, slope = _softmax_of_one_weight(0.0)
    x = torch.ones(3, 1)
    # The gradient here is (-1/2, 1/2), of norm 1/sqrt 2; a radius of 0.2 sqrt 2 moves the weights to (-0.2, 0.2).
    found = plugin("sam")["loss"](0.2 * math.sqrt(2), network, batch_of(x, [0, 0, 0], [0, 0, 0]))
    assert slope == -0.5
    assert found.item() == pytest.approx(LN2)  # the loss is the one here
    found.backward()
    there = 1 / (1 + math.exp(0.4)) - 1
    assert network.weight.grad.flatten().tolist() == pytest.approx([there, -there])
    assert network.weight.flatten().tolist() == [0, 0]  # the weights are where they were


def test_a_radius_of_nothing_is_plain_training() -> None:
    network, slope = _softmax_of_one_weight(1.0)
    plugin("sam")["loss"](0.0, network, batch_of(torch.ones(1, 1), [0], [0])).backward()
    assert network.weight.grad.flatten().tolist() == pytest.approx([slope, -slope])


def test_batch_statistics_are_counted_once_a_step() -> None:
    network = nn.Sequential(nn.BatchNorm1d(2, momentum=0.5))
    x = torch.tensor([[0.0, 2], [2, 6]])
    plugin("sam")["loss"](0.1, network, batch_of(x, [0, 1], [0, 0]))
    assert network[0].running_mean.tolist() == [0.5, 2]  # half of the batch's (1, 4)
    assert network[0].num_batches_tracked.item() == 1
    assert network[0].momentum == 0.5
