"""Training that is stopped and goes on leaves the weights of training that was not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.phantom.models.training import descent
from benchmarks.phantom.models.training.descent import Recipe, descend, rate_at
from torch import Tensor, nn

RECIPE = Recipe(steps=12, learning_rate=0.05, averaged_over=4, seed=9)


class Killed(Exception):
    pass


def trained(checkpoint: Path, kill_after: int | None = None) -> Tensor:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    left = kill_after

    def loss(rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        nonlocal left
        if left is not None:
            if left == 0:
                raise Killed
            left -= 1
        x = torch.from_numpy(rng.random((4, 3), dtype=np.float32))
        wanted = x.sum(dim=1, keepdim=True) + 0.1 * torch.randn(4, 1, generator=noise)
        return (network(x) - wanted).square().mean()

    descend(network, loss, RECIPE, checkpoint, lambda _: None)
    return network.weight.detach().clone()


def test_a_run_that_was_killed_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(descent, "_EVERY", 4)
    straight = trained(tmp_path / "straight.pt")
    with pytest.raises(Killed):
        trained(tmp_path / "killed.pt", kill_after=7)
    assert torch.equal(trained(tmp_path / "killed.pt"), straight)


def test_a_finished_run_is_not_trained_further(tmp_path):
    first = trained(tmp_path / "done.pt")
    assert torch.equal(trained(tmp_path / "done.pt", kill_after=0), first)


def test_training_lowers_the_loss(tmp_path):
    torch.manual_seed(0)
    start = nn.Linear(3, 1).weight.detach()
    ones = torch.ones(1, 3)
    assert (trained(tmp_path / "a.pt") - ones).norm() < (start - ones).norm()


def test_the_rate_rises_and_falls_to_nothing():
    rates = [rate_at(step, 1000) for step in (0, 99, 999)]
    assert rates[0] < 0.011
    assert rates[1] > 0.97
    assert rates[2] < 1e-5
