"""Repairs of a trained network, from end to end on a small one: what is set, stays set while the rest learns on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import Trained, TrainingData
from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN, Partition, Pictures
from tonegap_kit.sources import TensorSource
from tonegap_kit.training import Examples, Recipe
from tonegap_kit.weight_saliency import two_sides

from .conftest import plugin, stage_of

N = 24
RECIPE = Recipe(1, 8, "adam", 0.05, 0.0, 0.0, "constant", 1, 1.0, "full")
Y, T = np.arange(N) % 2, np.arange(N) // 2 % 2


def _trained() -> Trained:
    """A small convolutional network and 24 images, of which the first channel tells the class."""
    x = torch.randn(N, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    x[:, 0] += torch.from_numpy(Y * 2.0 - 1)[:, None, None]
    body = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    network = Classifier(body, nn.Linear(4, 2), False)
    y, t = torch.from_numpy(Y), torch.from_numpy(T)
    source = TensorSource(x)
    examples = Examples(source, y, t, torch.ones(N))
    return Trained(network, examples, source, RECIPE, lambda _: torch.arange(N))


def _data(y: np.ndarray = Y, t: np.ndarray = T) -> TrainingData:
    rows = Partition(tuple(map(str, range(N))), y, t, Pictures(()))
    return TrainingData(rows, N, rows)


def _stage(**parameters: Any) -> Stage:
    return stage_of(saliency_images=6, **parameters)


def _matrices(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters() if p.dim() > 1])


def test_the_sides_are_the_group_of_lowest_validation_accuracy_and_the_others() -> None:
    trained = _trained()
    right = trained.network.eval()(trained.held_out.take(torch.arange(N))).argmax(dim=1).numpy()
    t = np.where(np.arange(N) % 3 == 0, UNKNOWN, T)
    y = np.where(t == 0, 1 - right, right)  # every image of tone 0 is misclassified
    found = two_sides(_stage(), _data(y, t), trained)
    assert found.name == "I"
    assert len(found.worse) == len(found.others) == 6
    assert {t[row] for row in found.worse.tolist()} == {0}
    assert {t[row] for row in found.others.tolist()} == {1}
    assert len(found.both) == 12


def test_a_side_without_training_images_is_refused() -> None:
    data = _data()
    data = replace(data, train=replace(data.train, t=np.zeros(N, dtype=np.int64)))
    with pytest.raises(StageError, match="no training image to compare"):
        two_sides(_stage(), data, _trained())


def test_fairprune_prunes_an_equal_share_in_each_round() -> None:
    code, trained = plugin("fairprune"), _trained()
    rounds = code["repair"](_stage(), _data(), code["Pruning"](0.5, 2, 0.3), trained)
    n = len(_matrices(trained.network))
    zeros = [int((_matrices(network) == 0).sum()) for network, _loss in rounds]
    assert zeros == [round(0.25 * n), round(0.5 * n)]


def test_quantised_weights_stay_powers_of_two_while_the_rest_learns_on() -> None:
    code, trained = plugin("fairquantize"), _trained()
    how = code["Quantising"](1.0, 2, 2, 9.0, -5.0)
    rounds = code["repair"](_stage(), _data(), how, trained)
    shares, before = [], _matrices(trained.network)
    for network, loss in rounds:
        now = _matrices(network)
        shares.append(float((code["powers_of_two"](now) == now).double().mean()))
        assert np.isfinite(loss)
        assert not torch.equal(now, before)
        before = now
    # Layers of 108, 144 and 8 weights: an exact half, then all.
    assert shares == [0.5, 1.0]


def test_pruned_channels_stay_0_while_the_rest_learns_on() -> None:
    code, trained = plugin("scp"), _trained()
    how = code["Channels"]("last", 0.25, 2, 2, 1.0)
    before = _matrices(trained.network)
    gone = []
    for network, _loss in code["repair"](_stage(), _data(), how, trained):
        layer = network.body[2]
        silent = (layer.weight == 0).flatten(1).all(dim=1) & (layer.bias == 0)
        gone.append(int(silent.sum()))
    assert gone == [1, 2]
    assert not torch.equal(_matrices(trained.network), before)


def test_only_masked_weights_of_the_body_move_and_the_last_layer_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, trained = plugin("bmft"), _trained()
    asked: dict[str, Tensor] = {}
    whole = code["mask_of"]

    def noted(*given: Any) -> dict[str, Tensor]:
        asked.update(whole(*given))
        return dict(asked)

    monkeypatch.setitem(code["repair"].__globals__, "mask_of", noted)
    stage = _stage(
        body_epochs=2,
        head_epochs=1,
        body_rate=0.05,
        head_rate=0.05,
        bias_weight=0.1,
        masked_percentile=50.0,
    )
    before = {name: p.detach().clone() for name, p in trained.network.named_parameters()}
    ((after, _loss),) = code["repair"](stage, _data(), trained)
    assert set(asked) == {"body.0.weight", "body.2.weight"}
    for name, p in after.named_parameters():
        moved = p.detach() != before[name]
        if name in asked:
            assert not moved[~asked[name]].any()
            assert moved[asked[name]].any()
        elif name.startswith("body."):
            assert not moved.any()
        else:
            assert moved.all()


@pytest.mark.parametrize("on", ["train", "validation"])
def test_the_features_stay_and_the_last_layer_is_new(on: str) -> None:
    code, trained = plugin("dfr"), _trained()
    stage = _stage(reweight_on=on, subsets=2, steps=300, l1=0.001)
    (found,) = code["repair"](stage, _data(), trained)
    network, loss = found
    x = trained.held_out.take(torch.arange(N))
    assert torch.equal(network.features(x), trained.network.features(x))
    p = network(x).double().softmax(dim=1)[torch.arange(N), torch.from_numpy(Y)]
    assert loss == pytest.approx(-p.log().mean().item(), abs=1e-5)
    assert (p > 0.5).double().mean() > 0.9
