"""Baselines that move features by what is known of the tone: losses of three images, worked out by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.tone_heads import TwoHeads, negative_entropy, of_own_class

from .conftest import batch_of, plugin, stage_of

LN2, LN3 = math.log(2), math.log(3)
# p(class) = p(tone) = (1/2, 1/2) twice and (3/4, 1/4), where heads pass features on.
THREE = [[0.0, 0], [0, 0], [LN3, 0]]


def _heads(tone_head: nn.Module) -> TwoHeads:
    return TwoHeads(nn.Identity(), nn.Identity(), tone_head)


class Twice(nn.Module):
    """The same tone scores for both classes."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([z, z], dim=1)


def test_scores_of_the_own_class_are_picked() -> None:
    scores = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    assert of_own_class(scores, torch.tensor([1, 0]), 2).tolist() == [[3, 4], [5, 6]]


def test_negative_entropy_moves_the_features_and_not_the_head() -> None:
    head, z = nn.Linear(2, 2, bias=False), torch.tensor([[0.0, 0], [LN3, 0]], requires_grad=True)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
    found = negative_entropy(head, z)
    # -log 2, and 3/4 log 3/4 + 1/4 log 1/4.
    assert found.item() == pytest.approx((-LN2 + 0.75 * LN3 - 2 * LN2) / 2)
    found.backward()
    assert head.weight.grad is None
    assert z.grad is not None
    # One step along the slope downwards makes both tones likelier to be taken for one another.
    assert z.grad[1, 0] > 0 > z.grad[1, 1]
    assert z.grad[0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("parts", "t", "error"),
    [
        # Errors 1/2, 1/2 and 3/4 (p of tone 1 is 1/4): tone 0 has the first two, tone 1 the third.
        ("tone", [0, 0, 1], (1 / 2 + 3 / 4) / 2),
        ("tone", [0, UNKNOWN, 1], (1 / 2 + 3 / 4) / 2),
        ("tone", [0, 1, 1], (1 / 2 + 5 / 8) / 2),
        # Classes are 0, 1, 1: in the last row tone 1 has class 1 alone, in one part.
        ("tone-class", [0, 0, 1], (1 / 2 + 1 / 2 + 3 / 4) / 3),
        ("tone-class", [1, 1, 1], (1 / 2 + 5 / 8) / 2),
        ("tone", [UNKNOWN] * 3, 0),
    ],
)
def test_the_laftr_loss_of_three_images_is_worked_out_by_hand(
    parts: str, t: list[int], error: float
) -> None:
    found = plugin("laftr")["loss"](
        1.0, parts, _heads(Twice()), batch_of(torch.tensor(THREE), [0, 1, 1], t)
    )
    of_class = (LN2 + LN2 + math.log(4)) / 3
    assert found.item() == pytest.approx(of_class + error)


def test_the_laftr_features_make_large_the_error_that_the_adversary_makes_small() -> None:
    head = nn.Linear(1, 4, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0], [-1], [1], [-1]]))
    z = torch.tensor([[1.0], [-1.0]], requires_grad=True)
    code = plugin("laftr")
    backwards = code["Reversed"].apply(z, 0.5)
    code["error"](head(backwards), batch_of(z, [0, 0], [0, 1]), "tone", 2).backward()
    assert z.grad is not None
    assert z.grad[0] > 0 > z.grad[1]  # a step downwards goes to the middle: the tone is told less
    assert head.weight.grad[0] < 0 < head.weight.grad[1]  # the head's own step: it is told more


def test_the_weights_of_conditional_adversaries_are_inverse_shares() -> None:
    y, t = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, UNKNOWN])
    found = plugin("cfair")["balance"](y, t, 3, 2)
    # Two of three classes have images: 5 / (2 * 3) and 5 / (2 * 2). Class 0: two of tone 0 and one of tone 1, so
    # 3 / (2 * 2) and 3 / 2; class 1: one known, of tone 1.
    assert found.of_class.tolist() == pytest.approx([5 / 6, 5 / 4, 0])
    assert found.of_tone.tolist() == [[0.75, 1.5], [0, 1], [0, 0]]


def test_the_loss_with_conditional_adversaries_of_three_images_is_worked_out_by_hand() -> None:
    code = plugin("cfair")
    balance = code["Balance"](torch.tensor([2.0, 3.0]), torch.tensor([[1.0, 4.0], [5.0, 6.0]]))
    batch = batch_of(torch.tensor(THREE), [0, 1, 0], [0, UNKNOWN, 1])
    found = code["AgainstTones"](1.0, balance)(_heads(Twice()), batch)
    of_class = (2 * LN2 + 3 * LN2 + 2 * math.log(4 / 3)) / 3
    of_tone = (1 * LN2 + 4 * math.log(4)) / 2  # class 0 alone has known tones
    assert found.item() == pytest.approx(of_class + of_tone)


def test_the_lnl_loss_of_three_images_is_worked_out_by_hand() -> None:
    batch = batch_of(torch.tensor(THREE), [0, 1, 0], [0, UNKNOWN, 1])
    found = plugin("lnl")["loss"](0.5, 1.0, _heads(nn.Identity()), batch)
    of_class = (2 * LN2 + math.log(4 / 3)) / 3
    entropy = (-2 * LN2 + 0.75 * LN3 - 2 * LN2) / 3
    assert found.item() == pytest.approx(of_class + 0.5 * entropy + (LN2 + math.log(4)) / 2)


def test_codes_are_far_from_their_priors_by_the_divergence_of_normal_distributions() -> None:
    code = plugin("odr")
    mean, log_variance = torch.tensor([[1.0, 0], [0, 0]]), torch.tensor([[0.0, 0], [LN2, 0]])
    # First row: mean off by (1, -1): 2/2. Second: off by (0, -1), variance 2: (2 - 1 - log 2 + 1)/2.
    found = code["distance"](mean, log_variance, torch.tensor([0.0, 1]))
    assert found.item() == pytest.approx((1 + (2 - LN2) / 2) / 2)
    of_class, of_tone = code["priors"](4)
    assert (of_class @ of_tone).item() == 0
    assert of_class.sum() == of_tone.sum() == 2


def test_the_loss_of_two_codes_of_three_images_is_worked_out_by_hand() -> None:
    code = plugin("odr")
    network = code["build"](stage_of(code=2), Classifier(nn.Identity(), nn.Linear(2, 2), False))
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
        # Codes of no mean and, to a float, no variance; heads that say 3/4 and 1/4 whatever the code.
        for part in (network.of_class, network.of_tone):
            part.bias[2:] = -40.0
        for head in (network.class_head, network.tone_head):
            head.bias[0] = LN3
    batch = batch_of(torch.zeros(3, 2), [0, 0, 1], [0, 1, UNKNOWN])
    found = code["Orthogonal"](0.25, 0.5)(network, batch)
    of_class = (2 * math.log(4 / 3) + math.log(4)) / 3
    of_tone = (math.log(4 / 3) + math.log(4)) / 2
    apart = (
        2 * (2 * (40 - 1) + 1) / 2
    )  # each: two numbers of log variance -40, one of them 1 from its prior
    entropy = 0.75 * LN3 - 2 * LN2
    assert found.item() == pytest.approx(
        of_class + of_tone + 0.25 * apart + 0.5 * entropy, rel=1e-5
    )
    assert network.eval()(torch.zeros(1, 2)).tolist() == [[pytest.approx(LN3), 0]]


def test_the_cosines_of_three_images_are_worked_out_by_hand() -> None:
    cosines = plugin("entangle")["cosines"]
    z = torch.tensor([[2.0, 0], [-1, 0], [3, 4]])
    y, t = torch.tensor([0, 1, 0]), torch.tensor([0, 0, 1])
    # Within tone 0: |-1|. Class 0 across tones: images 1 and 3, 3/5.
    assert [v.item() for v in cosines(z, y, t)] == pytest.approx([1, 0.6])
    unknown = torch.tensor([0, UNKNOWN, 1])
    assert [v.item() for v in cosines(z, y, unknown)] == pytest.approx([0, 0.6])


def test_the_end_loss_of_three_images_is_worked_out_by_hand() -> None:
    network = Classifier(nn.Identity(), nn.Identity(), False)
    x = torch.tensor([[LN3, 0], [LN3, 0], [0, LN3]])
    found = plugin("entangle")["loss"](0.5, 2.0, network, batch_of(x, [0, 0, 0], [0, 1, 1]))
    # Tone 1: the second and third, cosine 0. Class 0 across tones: 1 and 2 (cosine 1), 1 and 3 (0): mean 1/2.
    of_class = (2 * math.log(4 / 3) + math.log(4)) / 3
    assert found.item() == pytest.approx(of_class + 0.5 * 0 - 2 * 0.5)


def test_mutual_information_is_that_of_shares_and_groups() -> None:
    found = plugin("fairmoe")["mutual_information"]
    t = torch.tensor([0, 0, 1, UNKNOWN])
    own = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    # Groups of 2/3 and 1/3, each with an expert of its own: the entropy of the groups. Equal shares say nothing.
    entropy = -(2 / 3) * math.log(2 / 3) + math.log(3) / 3
    assert found(own, t).item() == pytest.approx(entropy, abs=1e-6)
    assert found(torch.full((4, 2), 0.5), t).item() == pytest.approx(0, abs=1e-6)
    assert found(own, torch.full((4,), UNKNOWN)).item() == 0


def _experts(**parameters: Any) -> Classifier:
    body = nn.Sequential(
        nn.Conv2d(3, 2, 3), nn.Conv2d(2, 2, 3, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    asked = {"experts": 2, "router_hidden": 4, "weights": "none"} | parameters
    network: Classifier = plugin("fairmoe")["build"](
        stage_of(**asked), Classifier(body, nn.Linear(2, 2), False)
    )
    return network


def test_every_convolution_but_the_first_becomes_a_mixture_by_the_routers_shares() -> None:
    network = _experts()
    assert [type(m).__name__ for m in network.body[:2]] == ["Conv2d", "Experts"]
    layer, x = network.body[1], torch.randn(3, 2, 4, 4)
    mixed = layer(x)
    assert layer.shares.sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    each = [c(x) for c in layer.convolutions]
    assert not torch.equal(each[0], each[1])
    share = layer.shares[:, 0, None, None, None]
    torch.testing.assert_close(mixed, share * each[0] + (1 - share) * each[1])


def test_experts_start_alike_where_weights_are_given() -> None:
    first, second = _experts(weights="some.pt#sha256=0").body[1].convolutions
    assert torch.equal(first.weight, second.weight)


def test_the_loss_of_experts_of_three_images_is_worked_out_by_hand() -> None:
    network = _experts()
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
        network.head.bias[0] = LN3
    batch = batch_of(torch.zeros(3, 3, 8, 8), [0, 0, 1], [0, 1, 1])
    # Routers share equally: nothing is known of the group, and the cross-entropy is left.
    found = plugin("fairmoe")["loss"](0.5, network, batch)
    assert found.item() == pytest.approx((2 * math.log(4 / 3) + math.log(4)) / 3, abs=1e-6)


def test_routers_learn_to_send_groups_to_experts_by_what_the_image_shows() -> None:
    code, network = plugin("fairmoe"), _experts()
    t = torch.arange(40) % 2
    x = torch.randn(40, 3, 8, 8) * 0.1 + (t * 2.0 - 1)[:, None, None, None]
    step = torch.optim.SGD(network.parameters(), lr=0.3)
    for _ in range(60):
        step.zero_grad()
        code["loss"](5.0, network, batch_of(x, [0] * 40, t.tolist())).backward()
        step.step()
    network(x)
    shares = network.body[1].shares[:, 0]
    assert (shares[t == 0].mean() - shares[t == 1].mean()).abs() > 0.8
