"""mixup, CutMix, RandAugment: what is special about each, and that they learn."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from tonegap_kit.augment import random_operations
from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.mixing import Mixed, blend, draw_share, mixed_cross_entropy, patch
from tonegap_kit.training import Batch

from .conftest import Ended, Toy

RunStage = Callable[..., Ended]


def accuracy(ended: Ended, toy: Toy, epoch: int) -> float:
    hits = ended.probabilities(epoch).argmax(axis=1) == toy.truth
    return float(hits[toy.n_validation :].mean())


def _digest(ended: Ended) -> str:
    return hashlib.sha256((ended.out / "predictions.parquet").read_bytes()).hexdigest()


def _three(scores: torch.Tensor) -> tuple[nn.Module, Batch]:
    """A network that says these scores of any three inputs, and the batch: classes 0, 1, 1, weights 1, 1, 2."""

    class Saying(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return scores

    y, t, w = torch.tensor([0, 1, 1]), torch.zeros(3, dtype=torch.int64), torch.tensor([1.0, 1, 2])
    return Saying(), Batch(torch.zeros(3, 3, 4, 4), y, t, w, torch.arange(3))


@pytest.mark.parametrize("name", ["mixup", "cutmix", "randaugment"])
def test_it_learns_and_the_same_job_gives_the_same_bytes(
    name: str, toy: Toy, run_here: RunStage
) -> None:
    ended = run_here(f"baselines/{name}", toy.folder, {"epochs": 6})
    assert ended.code == 0, ended.errors
    assert accuracy(ended, toy, 6) > 0.5  # four classes: chance is 0.25
    again = run_here(f"baselines/{name}", toy.folder, {"epochs": 6})
    assert _digest(again) == _digest(ended)


def test_a_mixed_loss_asks_for_both_classes_in_their_shares() -> None:
    # Softmax of (log 3, 0) is (3/4, 1/4); of (0, 0) halves; of (0, log 4) it is (1/5, 4/5).
    scores = torch.tensor([[3.0, 1.0], [1.0, 1.0], [1.0, 4.0]]).log()
    network, batch = _three(scores)
    mixed = Mixed(batch.x, other=torch.tensor([1, 0, 2]), share=0.75)
    own = [-np.log(3 / 4), -np.log(1 / 2), -2 * np.log(4 / 5)]  # rows weigh 1, 1 and 2
    others = [-np.log(1 / 4), -np.log(1 / 2), -2 * np.log(4 / 5)]
    by_hand = np.mean([0.75 * a + 0.25 * b for a, b in zip(own, others, strict=True)])
    assert mixed_cross_entropy(network, batch, mixed).item() == pytest.approx(by_hand, rel=1e-5)


def test_a_blend_is_the_weighted_mean_of_two_images_of_the_batch() -> None:
    x = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 3, 2, 2)
    mixed = blend(x, 0.75, generator(1))
    assert mixed.x[:, 0, 0, 0].tolist() == [
        0.75 * i + 0.25 * mixed.other[i].item() for i in range(5)
    ]
    assert sorted(mixed.other.tolist()) == [0, 1, 2, 3, 4]


def test_a_patch_is_a_rectangle_of_the_other_image_and_its_share_is_counted() -> None:
    x = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 3, 16, 16)
    rng, areas = generator(0), []
    for _ in range(50):
        mixed = patch(x, 0.75, rng)
        from_other = mixed.x[0, 0] == mixed.other[0]
        if mixed.other[0] == 0:
            continue
        assert mixed.share == pytest.approx(1 - from_other.float().mean().item())
        inside = from_other.any(dim=1).sum() * from_other.any(dim=0).sum()
        assert inside == from_other.sum()  # a rectangle: all of its rows times all of its columns
        areas.append(1 - mixed.share)
    assert max(areas) == 0.25  # a quarter where the rectangle lies inside, less where it is cut off
    assert min(areas) < 0.25


def test_nothing_of_another_image_is_left_at_a_share_of_one() -> None:
    x = torch.randn(4, 3, 8, 8, generator=generator(0))
    for mix in (blend, patch):
        mixed = mix(x, 1.0, generator(0))
        assert torch.equal(mixed.x, x)
        assert mixed.share == 1


@pytest.mark.parametrize(("alpha", "variance"), [(0.2, 1 / 5.6), (1.0, 1 / 12), (3.0, 1 / 28)])
def test_shares_follow_the_beta_distribution(alpha: float, variance: float) -> None:
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)).
    assert variance == pytest.approx(1 / (4 * (2 * alpha + 1)))
    rng = generator(0)
    shares = np.array([draw_share(alpha, rng) for _ in range(4000)])
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(variance, rel=0.06)


def test_a_share_needs_a_positive_alpha() -> None:
    with pytest.raises(StageError, match="alpha is 0"):
        draw_share(0.0, generator(0))


def test_random_operations_follow_from_the_generator_and_leave_torch_as_it_was() -> None:
    images = torch.randint(0, 256, (6, 16, 16, 3), dtype=torch.uint8, generator=generator(0))
    operate = random_operations(2, 9)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    once = operate(images, generator(3))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(operate(images, generator(3)), once)
    assert not torch.equal(operate(images, generator(4)), once)


def test_each_image_of_a_batch_gets_operations_of_its_own() -> None:
    images = torch.randint(0, 256, (1, 16, 16, 3), dtype=torch.uint8, generator=generator(0))
    made = random_operations(2, 9)(images.expand(12, -1, -1, -1), generator(0))
    assert len({bytes(image.numpy()) for image in made}) > 8


@pytest.mark.parametrize(("operations", "magnitude"), [(0, 9), (2, 31), (2, -1)])
def test_operations_that_cannot_be_are_refused(operations: int, magnitude: int) -> None:
    with pytest.raises(StageError, match="wanted 1 or more and 0 to 30"):
        random_operations(operations, magnitude)
