"""PatchAlign's masked graph optimal transport, by hand."""

import pytest
import torch
from programs import importable

with importable("baselines/patchalign"):
    from transport import (
        cosine_cost,
        graph_transport,
        gromov_wasserstein,
        transport_plan,
        wasserstein,
    )

AXES = torch.eye(2)[None]
FREE = torch.ones(1, 2, 2)


def test_the_cost_is_one_less_the_cosine_less_a_tenth_of_its_range():
    # Distances 0 and 1 within the batch: the threshold is 0.1, below which nothing counts.
    assert cosine_cost(3 * AXES, AXES).flatten().tolist() == pytest.approx([0, 0.9, 0.9, 0])


def test_a_plan_of_equal_costs_is_spread_evenly():
    plan = transport_plan(torch.ones(1, 3, 2), torch.ones(1, 3, 2), 0.5, 10)
    assert plan[0].flatten().tolist() == pytest.approx([1 / 6] * 6)


def test_a_plan_ends_where_moving_is_cheap_and_uses_all_of_both_sets():
    plan = transport_plan(torch.tensor([[[0.0, 1], [1, 0]]]), FREE, 0.5, 30)[0]
    assert plan.flatten().tolist() == pytest.approx([0.5, 0, 0, 0.5], abs=1e-6)


def test_a_plan_never_goes_where_it_does_not_start():
    start = torch.tensor([[[0.0, 1], [1, 0]]])
    plan = transport_plan(torch.tensor([[[0.0, 1], [1, 0]]]), start, 0.5, 30)[0]
    assert plan.flatten().tolist() == pytest.approx([0, 0.5, 0.5, 0])


def test_a_set_is_no_distance_from_itself():
    assert wasserstein(AXES, AXES, FREE, 30).item() == pytest.approx(0, abs=1e-6)


def test_the_mask_can_make_it_far():
    # All of it moves at a cost of 0.9.
    start = torch.tensor([[[0.0, 1], [1, 0]]])
    assert wasserstein(AXES, AXES, start, 30).item() == pytest.approx(0.9)


def test_sets_of_the_same_shape_are_no_graph_distance_apart():
    start = torch.tensor([[[1.0, 0], [0, 1]]])
    turned = torch.tensor([[[0.0, 1], [-1, 0]]])
    assert gromov_wasserstein(AXES, turned, start).item() == pytest.approx(0, abs=1e-6)


def test_a_pair_and_a_point_are_a_graph_distance_apart():
    # Half of the mass pairs differ, by a distance of 0.9 within the one and 0 within the other.
    point = torch.tensor([[[1.0, 0], [1, 0]]])
    assert gromov_wasserstein(AXES, point, FREE).item() == pytest.approx(0.81 / 2)


def test_both_distances_are_mixed_by_their_share():
    start = torch.tensor([[[0.0, 1], [1, 0]]])
    assert graph_transport(AXES, AXES, start, 0.75, 30).item() == pytest.approx(0.25 * 0.9)


def test_the_gradient_reaches_both_sets_and_the_mask():
    x, y, start = (torch.rand(2, 3, 4).requires_grad_() for _ in range(3))
    graph_transport(x, y, start[:, :, :3], 0.9, 30).backward()
    for given in (x, y, start):
        assert given.grad is not None
        assert given.grad.isfinite().all()
        assert given.grad.abs().sum() > 0


def test_a_constant_last_plan_leaves_the_value_and_takes_its_part_of_the_gradient():
    # A pair that is 0.9 apart and a point: half of the mass pairs differ by 0.81, so 0.405 as without the option.
    point = torch.tensor([[[1.0, 0], [1, 0]]])
    values, reached = [], []
    for detach in (False, True):
        torch.manual_seed(0)
        x, start = torch.rand(1, 3, 4).requires_grad_(), torch.rand(1, 3, 2).requires_grad_()
        found = gromov_wasserstein(x, torch.rand(1, 2, 4), start, detach_plan=detach)
        found.sum().backward()
        values.append(found.item())
        reached.append((x.grad, start.grad))
        assert gromov_wasserstein(AXES, point, FREE, detach_plan=detach).item() == pytest.approx(
            0.405
        )
    assert values[0] == values[1]
    assert not torch.allclose(reached[0][0], reached[1][0], rtol=0.01)
    assert not torch.allclose(reached[0][1], reached[1][1], rtol=0.01)


def test_the_gradient_of_a_constant_plan_is_that_of_the_weighted_cost():
    # Without a plan to differentiate, the loss is sum(plan * (fixed - 2 Cx plan' Cy)); its gradient by the last plan,
    # which the cost holds, is -2 Cx plan Cy where the plan as a weight is a constant, and twice that otherwise.
    torch.manual_seed(1)
    x, y, start = torch.rand(1, 3, 4), torch.rand(1, 2, 4), torch.rand(1, 3, 2).requires_grad_()
    within_x, within_y = cosine_cost(x, x), cosine_cost(y, y)
    fixed = within_x.square().mean(dim=2)[:, :, None] + within_y.square().mean(dim=2)[:, None, :]
    plan = torch.full((1, 3, 2), 1 / 6)
    for _ in range(5):
        plan = transport_plan(fixed - 2 * within_x @ plan @ within_y, start, 0.1, 20)
    by_plan = -2 * within_x @ plan.detach() @ within_y
    (wanted,) = torch.autograd.grad((by_plan * plan).sum(), start)
    (found,) = torch.autograd.grad(gromov_wasserstein(x, y, start, detach_plan=True).sum(), start)
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-9)


def test_gradients_stay_finite_where_hardly_any_mass_may_move_and_vectors_vanish():
    torch.manual_seed(0)
    x = (torch.randn(4, 64, 16) * (torch.rand(4, 64, 1) > 0.5)).requires_grad_()
    start = torch.sigmoid(60 * torch.randn(4, 64, 8)).requires_grad_()
    graph_transport(x, torch.randn(4, 8, 16), start, 0.9, 30).backward()
    assert x.grad is not None
    assert start.grad is not None
    assert x.grad.isfinite().all()
    assert start.grad.isfinite().all()
