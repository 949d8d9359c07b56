"""The pruning line: formulas on few images and weights, worked out by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.small_net import Cnn4
from tonegap_kit.sources import TensorSource
from tonegap_kit.weight_saliency import curvature, some_rows

from .conftest import batch_of, plugin, stage_of

LN2, LN3 = math.log(2), math.log(3)


def _linear(weight: list[list[float]]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight), bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return layer


def test_curvature_is_that_of_the_cross_entropy_in_the_mean_over_draws() -> None:
    # Two classes, one input x = 2, scores (log 3, 0): p = (3/4, 1/4); the second derivative by either weight is
    # x^2 p (1 - p) = 4 * 3/16 = 3/4, and one draw gives x^2 (1 - p)^2 or x^2 p^2 for both: 1/4 or 9/4.
    network = _linear([[LN3 / 2], [0.0]])
    source = TensorSource(torch.full((3000, 1), 2.0))
    found = curvature(network, source, torch.arange(3000), seed=1)["weight"].flatten()
    assert found.tolist() == pytest.approx([0.75, 0.75], abs=0.05)
    (once,) = {
        round(v, 4)
        for v in curvature(network, source, torch.arange(1), 1)["weight"].flatten().tolist()
    }
    assert once in {0.25, 2.25}


def test_saliency_images_are_drawn_without_replacement() -> None:
    rows = some_rows(torch.arange(10, 20), 4, seed=3)
    assert len(set(rows.tolist())) == 4
    assert rows.tolist() == sorted(rows.tolist())
    assert set(rows.tolist()) <= set(range(10, 20))
    assert some_rows(torch.arange(3), 9, seed=3).tolist() == [0, 1, 2]


def test_fairprune_prunes_the_weights_whose_saliency_difference_is_least() -> None:
    code = plugin("fairprune")
    weight = torch.tensor([1.0, 2.0, -1.0, 0.5])
    of_worse, of_others = torch.tensor([4.0, 1, 0, 8]), torch.tensor([0.0, 4, 2, 0])
    worth = code["saliency"](weight, of_worse, of_others, 0.5)
    assert worth.tolist() == [2.0, -2.0, -0.5, 1.0]
    network = _linear([[1.0, 2.0], [-1.0, 0.5]])
    pruned = {"weight": torch.zeros(2, 2)}
    code["prune"](network, pruned, {"weight": worth.view(2, 2)}, 2)
    assert network.weight.tolist() == [[1.0, 0.0], [0.0, 0.5]]
    # What is pruned stays so and counts, though 0 is no longer the least worth.
    code["prune"](network, pruned, {"weight": torch.tensor([[-9.0, 0], [0, -8]])}, 3)
    assert network.weight.tolist() == [[0.0, 0.0], [0.0, 0.5]]
    assert pruned["weight"].tolist() == [[1, 1], [1, 0]]


class Maps(nn.Module):
    """A body whose input is its first map and whose features are the mean of its second, half as large."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Identity(), nn.AvgPool2d(2)
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.second(self.first(x)).mean(dim=(2, 3))
        return features


def test_exits_stand_at_every_size_of_map_but_the_last() -> None:
    code = plugin("multi-exit")
    body = Cnn4(7)
    body.head = nn.Identity()
    assert [side for side, _ in code["places_of"](body, 64).values()] == [32, 16]
    assert [channels for _, channels in code["places_of"](body, 64).values()] == [16, 64]
    with pytest.raises(Exception, match="no feature maps of two sizes"):
        code["places_of"](nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), 2)


def test_an_image_leaves_at_the_first_exit_that_is_sure_or_at_the_surest() -> None:
    code = plugin("multi-exit")
    sure, unsure, less = [0.0, 3.0], [1.0, 0.0], [0.5, 0.0]
    scores = torch.tensor([[unsure, sure, sure], [less, unsure, less], [sure, less, unsure]])
    # p of the likeliest: 0.95 where sure, 0.73 and 0.62 where not.
    assert code["leaves_at"](scores, 0.9).tolist() == [1, 1, 0]
    assert code["leaves_at"](scores, 0.6).tolist() == [0, 0, 0]


def test_the_multi_exit_loss_of_three_images_is_worked_out_by_hand() -> None:
    code = plugin("multi-exit")
    inside, last = _linear([[1.0, 0, 0], [0, 0, 0]]), _linear([[0.0, 0, 0], [0, 1, 0]])
    network = code["MultiExit"](Classifier(Maps(), last, False), {"first": 2}, [inside], 0.9)
    x = torch.zeros(3, 3, 2, 2)
    x[1, 0], x[2, 1] = LN3, LN3
    # Exit: p(class 0) = 1/2, 3/4, 1/2; end: 1/2, 1/2, 1/4.
    of_exit = (LN2 + math.log(4 / 3) + LN2) / 3
    of_end = (LN2 + LN2 + math.log(4)) / 3
    found = code["loss"](0.3, 0.9, network, batch_of(x, [0, 0, 0], [0, 0, 0]))
    assert found.item() == pytest.approx(0.3 * of_exit + 0.9 * of_end)
    network.sure = 0.7
    assert network(x)[1].tolist() == pytest.approx([LN3, 0])


def test_each_group_is_normalised_by_its_own_mean_and_spread() -> None:
    code = plugin("fairadabn")
    told = [torch.tensor([0, 1, 0, 1])]
    norm = code["NormByGroup"](nn.BatchNorm1d(1, eps=1e-12, momentum=1.0), 2, told)
    found = norm(torch.tensor([[1.0], [10.0], [3.0], [30.0]]))
    assert found.flatten().tolist() == pytest.approx([-1, -1, 1, 1])
    assert [n.running_mean.item() for n in norm.norms] == [2, 20]
    norm.eval()
    told[0] = torch.tensor([1])
    # The variance that is kept is the unbiased one, 200: (34.142 - 20) / 14.142 = 1.
    assert norm(torch.tensor([[20 + math.sqrt(200)]])).item() == pytest.approx(1)


def test_a_group_of_one_number_is_normalised_by_what_was_learned() -> None:
    code = plugin("fairadabn")
    norm = code["NormByGroup"](nn.BatchNorm1d(1, eps=1e-12), 2, [torch.tensor([0, 1, 0])])
    assert norm(torch.tensor([[1.0], [10.0], [3.0]]))[1].item() == 10


def test_the_loss_with_batch_normalisation_by_group_of_three_images_is_worked_out_by_hand() -> None:
    code = plugin("fairadabn")
    norm = nn.BatchNorm1d(2, eps=1e-12)
    network = code["FairAdaBN"](Classifier(nn.Identity(), norm, False), 2)
    network.eval()
    x = torch.tensor([[0.0, 0], [LN3, 0], [0, 0]])
    # p = (1/2, 1/2), (3/4, 1/4), (1/2, 1/2). Groups' means (5/8, 3/8) and (1/2, 1/2): apart by 2 / 64.
    of_class = (LN2 + math.log(4 / 3) + LN2) / 3
    found = code["loss"](2.0, network, batch_of(x, [0, 0, 1], [0, 0, 1]))
    assert found.item() == pytest.approx(of_class + 2 / 32)
    assert code["loss"](2.0, network, batch_of(x, [0, 0, 1], [1, 1, 1])).item() == pytest.approx(
        of_class
    )


def test_of_an_unknown_tone_the_groups_probabilities_are_averaged() -> None:
    code = plugin("fairadabn")
    network = code["FairAdaBN"](Classifier(nn.Identity(), nn.BatchNorm1d(2, eps=0), False), 2)
    network.eval()
    with torch.no_grad():
        network.classifier.head.norms[1].bias.copy_(torch.tensor([LN3, 0]))
    p = network(torch.zeros(3, 2), torch.tensor([0, 1, UNKNOWN])).softmax(dim=1)[:, 0]
    assert p.tolist() == pytest.approx([0.5, 0.75, 0.625])


def test_a_backbone_without_batch_normalisation_is_refused() -> None:
    with pytest.raises(Exception, match="no batch normalisation"):
        plugin("fairadabn")["build"](stage_of(), Classifier(nn.Identity(), nn.Linear(2, 2), False))


@pytest.mark.parametrize(
    ("weight", "power"),
    # 2^0.5 = 1.414 is the middle between 1 and 2 by its logarithm; 0 has none.
    [(1.41, 1), (1.42, 2), (-0.3, -0.25), (0.0, 0), (-4.0, -4), (0.088, 0.0625), (0.089, 0.125)],
)
def test_a_weight_becomes_the_power_of_two_nearest_by_its_logarithm(
    weight: float, power: float
) -> None:
    assert plugin("fairquantize")["powers_of_two"](torch.tensor([weight])).item() == power


def test_quantising_costs_the_weighted_curvature_times_the_squared_change() -> None:
    code = plugin("fairquantize")
    how = code["Quantising"](1.0, 1, 1, 9.0, -5.0)
    weight = torch.tensor([1.0, 1.25, 3.5, 3.0])  # changed by 0, -0.25, 0.5, 1
    of_worse, of_others = torch.tensor([7.0, 1, 0, 2]), torch.tensor([7.0, 1, 2, 0])
    worth = code["cost"](weight, of_worse, of_others, how)
    assert worth.tolist() == pytest.approx([0, 4 / 16, -10 / 4, 18])
    done = torch.tensor([False, False, False, True])
    # One is done; of the others those of least cost come next, and none is taken back.
    assert code["choose"](done, worth, 2).tolist() == [False, False, True, True]
    assert code["choose"](done, worth, 3).tolist() == [True, False, True, True]
    assert code["choose"](done, worth, 0).tolist() == done.tolist()


def test_the_soft_nearest_neighbour_loss_of_three_images_is_worked_out_by_hand() -> None:
    code = plugin("scp")
    # One channel of two pixels: cosines 1 within the pair and 0 to the third. At temperature 1 / log 2 a cosine of 0
    # counts 1/2 against 1, so each of the pair has -log(1 / (1 + 1/2)); the third is alone and left out.
    maps = torch.tensor([[[1.0, 0]], [[3, 0]], [[0, 2]]])
    found = code["soft_nearest_neighbour"](maps, torch.tensor([0, 0, 1]), 1 / LN2)
    assert found.tolist() == pytest.approx([math.log(1.5)])
    # Groups across the pair: the first image's only fellow is far, the pair's other one near.
    found = code["soft_nearest_neighbour"](maps, torch.tensor([0, 1, 0]), 1 / LN2)
    assert found.tolist() == pytest.approx([(math.log(3) + math.log(2)) / 2])
    assert code["soft_nearest_neighbour"](maps, torch.tensor([0, 1, 2]), 1.0).tolist() == [0]


def test_the_channel_that_knows_the_group_has_the_lowest_loss() -> None:
    code = plugin("scp")
    t = torch.arange(40) % 2
    maps = torch.randn(40, 3, 4, generator=torch.Generator().manual_seed(1))
    maps[:, 1] += 4 * (t[:, None] * 2 - 1)
    assert code["soft_nearest_neighbour"](maps, t, 1.0).argmin().item() == 1


def test_the_last_convolution_or_all_of_them_may_lose_channels() -> None:
    code = plugin("scp")
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 5, 1))
    assert list(code["convolutions"](network, "last")) == ["2"]
    assert list(code["convolutions"](network, "all")) == ["0", "2"]
    network[2].requires_grad_(False)
    assert list(code["convolutions"](network, "last")) == ["0"]
    with pytest.raises(Exception, match="no convolution that learns"):
        code["convolutions"](nn.Linear(1, 1), "all")
