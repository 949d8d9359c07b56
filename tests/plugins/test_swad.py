"""SWAD: where its stretch begins and ends, what it averages, and that it learns."""

import hashlib
from collections.abc import Callable

import pytest
import torch
from programs import importable
from torch import nn

from tonegap_kit.errors import StageError

from .conftest import Ended, Toy

with importable("baselines/swad"):
    from averaging import (
        Patience,
        WeightMean,
        counted_as_published,
        flat_stretch,
        refresh_batch_statistics,
    )

RunStage = Callable[..., Ended]
PATIENCE = Patience(optimum=3, overfit=2, tolerance=1.2)


def _line(weight: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, weight)
    return layer


@pytest.mark.parametrize(
    ("losses", "stretch"),
    [
        ([5, 4, 3], None),  # it still falls
        ([5, 4, 3, 3, 3.5], (2, 4)),  # 3 is not fallen below in the two after it
        # The mean of 3, 3, 3.3 is 3.1, and 1.2 times that is 3.72: only the last two losses are both above, and
        # the stretch ends two evaluations before the second of them.
        ([5, 4, 3, 3, 3.3, 4, 3.6, 4, 4], (2, 6)),
        ([5, 4, 3, 3, 3.3, 4, 4], (2, 4)),
        ([5, 4, 3, 3, 3.3, 4, 4, 9, 9], (2, 4)),  # it has ended, whatever comes
        ([1, 2, 2], (0, 2)),  # the first may be the best
    ],
)
def test_the_stretch_lies_where_the_loss_has_fallen_and_not_yet_risen(
    losses: list[float], stretch: tuple[int, int] | None
) -> None:
    assert flat_stretch(losses, PATIENCE) == stretch


@pytest.mark.parametrize(
    ("losses", "overfit", "counted"),
    [
        ([5, 4, 3], 2, [2]),  # it still falls: the last alone
        # It begins at 2 and its mean of three is 3.1: the limit is 3.72. With windows of 3 and 2 the third counts at
        # once; at the end the window's second counts as well.
        ([5, 4, 3, 3, 3.3], 2, [3, 4]),
        # Equal windows: nothing but what stands at the beginning, until it is the oldest of the last three; the first
        # of the mean is overwritten, so the beginning counts once, by its second coming.
        ([5, 4, 3, 3, 3.3], 3, [3, 4]),
        ([5, 4, 3, 3, 3.3, 3.2], 3, [3, 4, 5]),
        # The last two are above the limit: dead, and nothing more counts.
        ([5, 4, 3, 3, 3.3, 4, 4, 3], 2, [3, 4]),
        # A wider window goes back before the beginning: of the first three the second is the last above 3.72, and what
        # follows the third counts at once: nothing. At the end all but the oldest of the last five count.
        ([5, 4, 3, 3, 3.3], 5, [1, 2, 3, 4]),
    ],
)
def test_what_published_code_averages(
    losses: list[float], overfit: int, counted: list[int]
) -> None:
    assert counted_as_published(losses, Patience(3, overfit, 1.2)) == counted


def test_an_epoch_that_is_counted_twice_weighs_twice() -> None:
    mean, network = WeightMean(), _line(0)
    for epoch, weights in enumerate([[1.0, 3.0], [8.0]]):
        for weight in weights:
            nn.init.constant_(network.weight, weight)
            mean.add(network)
        mean.close_epoch(epoch)
    # Means 2 and 8 of the epochs, the first twice.
    assert mean.counted(network, [0, 1, 0]).weight.item() == pytest.approx(4)


def test_the_mean_is_that_of_the_weights_after_each_step_of_the_stretch() -> None:
    mean, network = WeightMean(), _line(0)
    for epoch, weights in enumerate([[9.0, 9.0], [1.0], [2.0, 6.0], [50.0]]):
        for weight in weights:
            nn.init.constant_(network.weight, weight)
            mean.add(network)
        mean.close_epoch(epoch)
    assert (
        mean.over(network, 1, 2).weight.item() == 3
    )  # (1 + 2 + 6) / 3: every step weighs the same
    assert mean.over(network, 0, 3).weight.item() == pytest.approx(77 / 6)
    assert network.weight.item() == 50  # the network itself goes on


def test_what_is_joined_and_forgotten_gives_the_same_mean() -> None:
    mean, network = WeightMean(), _line(0)
    for epoch, weight in enumerate([100.0, 1, 2, 3, 4]):
        nn.init.constant_(network.weight, weight)
        mean.add(network)
        mean.close_epoch(epoch)
        mean.forget(1, epoch - 1)
    assert mean.over(network, 1, 4).weight.item() == 2.5
    assert mean.over(network, 1, 3).weight.item() == 2


def test_an_epoch_without_a_step_has_no_mean() -> None:
    with pytest.raises(StageError, match="epoch 0: no step"):
        WeightMean().close_epoch(0)


def test_frozen_weights_are_left_out() -> None:
    network = nn.Sequential(_line(1), _line(1))
    network[0].requires_grad_(False)
    mean = WeightMean()
    mean.add(network)
    mean.close_epoch(0)
    nn.init.constant_(network[0].weight, 7)
    assert mean.over(network, 0, 0)[0].weight.item() == 7


def test_batch_statistics_become_those_of_all_inputs() -> None:
    layer = nn.BatchNorm1d(1, momentum=0.1)
    refresh_batch_statistics(layer, [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])])
    assert layer.running_mean.item() == 4  # of means 2 and 6
    assert layer.running_var.item() == 2  # of variances 2 and 2
    assert (layer.momentum, layer.training) == (0.1, False)


def test_batch_statistics_of_a_frozen_layer_stay() -> None:
    layer = nn.BatchNorm1d(1).requires_grad_(False)
    refresh_batch_statistics(layer, [torch.tensor([[1.0], [3.0]])])
    assert layer.running_mean.item() == 0


def test_it_learns_and_the_same_job_gives_the_same_bytes(toy: Toy, run_here: RunStage) -> None:
    digests = set()
    for _ in range(2):
        ended = run_here("baselines/swad", toy.folder, {"epochs": 8, "overfit_patience": 3})
        assert ended.code == 0, ended.errors
        hits = ended.probabilities(8).argmax(axis=1) == toy.truth
        assert hits[toy.n_validation :].mean() > 0.6
        digests.add(hashlib.sha256((ended.out / "predictions.parquet").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_predictions_are_those_of_averaged_weights_once_the_stretch_has_begun(
    toy: Toy, run_here: RunStage, run_stage: RunStage
) -> None:
    # With a patience of one evaluation every stretch begins at the first epoch.
    changes = {"epochs": 2, "optimum_patience": 1}
    averaged = run_here("baselines/swad", toy.folder, changes)
    plain = run_here("baselines/erm", toy.folder, {"epochs": 2})
    assert averaged.code == plain.code == 0
    # Training itself is the same: only what predicts differs.
    assert abs(averaged.probabilities(2) - plain.probabilities(2)).max() > 0.01
    losses = [(e.out / "notes.json").read_text() for e in (averaged, plain)]
    assert losses[0] == losses[1]


def test_the_published_stretch_is_another_mean_of_the_same_training(
    toy: Toy, run_here: RunStage
) -> None:
    # It begins at the first epoch; published code then leaves that one out, and the paper's stretch holds both.
    changes = {"epochs": 2, "optimum_patience": 1, "overfit_patience": 1, "tolerance": 100.0}
    paper, published = (
        run_here("baselines/swad", toy.folder, changes | {"stretch": name})
        for name in ("paper", "published")
    )
    assert paper.code == published.code == 0, published.errors
    assert abs(paper.probabilities(2) - published.probabilities(2)).max() > 1e-4
    losses = [(e.out / "notes.json").read_text() for e in (paper, published)]
    assert losses[0] == losses[1]
