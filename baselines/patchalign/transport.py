"""How far two sets of vectors are from each other, by optimal transport between them.

Sets lie in batches: `x [b, n, d]` and `y [b, m, d]`. All vectors of a set weigh the same. Everything here
can be differentiated, the plans too, unless the last plan of the Gromov part is asked to be a constant.

Source: graph optimal transport, Chen et al. 2020 (arXiv 2006.14744), with the numbers of PatchAlign's code
(arXiv 2409.04975); the solver is the proximal point method IPOT of Xie et al. 2018 (arXiv 1802.04307).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_SHARPNESS, _GRAPH_SHARPNESS = 0.5, 0.1  # step size of the proximal point method
_GRAPH_ROUNDS, _GRAPH_STEPS = 5, 20
_TINY = 1e-38
_SHORT = 1e-2  # a vector shorter than this, as of a place where a map is 0, has no direction


def graph_transport(
    x: Tensor,
    y: Tensor,
    start: Tensor,
    graph_share: float,
    steps: int,
    *,
    detach_plan: bool = False,
) -> Tensor:
    """Mean over the batch of the distance of two sets: `graph_share` of Gromov-Wasserstein, the rest Wasserstein.

    `start [b, n, m]`, positive, is where every plan starts from: pairs that start near 0 are masked. `detach_plan`:
    see `gromov_wasserstein`; the value is the same.
    """
    x, y, start = x.float(), y.float(), start.float()
    share = graph_share * gromov_wasserstein(x, y, start, detach_plan=detach_plan).mean()
    return share + (1 - graph_share) * wasserstein(x, y, start, steps).mean()


def wasserstein(x: Tensor, y: Tensor, start: Tensor, steps: int) -> Tensor:
    """Least cost [b] of moving one set onto the other."""
    cost = cosine_cost(x, y)
    return (cost * transport_plan(cost, start, _SHARPNESS, steps)).sum(dim=(1, 2))


def gromov_wasserstein(x: Tensor, y: Tensor, start: Tensor, *, detach_plan: bool = False) -> Tensor:
    """How much distances within one set differ from those within the other, [b], by the best plan found.

    `detach_plan`: the last plan is a constant where it weighs the cost, as in PatchAlign's code; the cost still
    depends on it, and the plans before it are differentiated.
    """
    within_x, within_y = cosine_cost(x, x), cosine_cost(y, y)
    n, m = start.shape[1:]
    fixed = within_x.square().mean(dim=2)[:, :, None] + within_y.square().mean(dim=2)[:, None, :]
    plan = torch.full_like(start, 1 / (n * m))
    for _ in range(_GRAPH_ROUNDS):
        cost = fixed - 2 * within_x @ plan @ within_y
        plan = transport_plan(cost, start, _GRAPH_SHARPNESS, _GRAPH_STEPS)
    weight = plan.detach() if detach_plan else plan
    return ((fixed - 2 * within_x @ plan @ within_y) * weight).sum(dim=(1, 2))


def cosine_cost(x: Tensor, y: Tensor) -> Tensor:
    """1 - cosine of each pair, [b, n, m], less a tenth up its range over the batch, and never below 0."""
    along_x, along_y = (functional.normalize(v, dim=2, eps=_SHORT) for v in (x, y))
    distance = 1 - along_x @ along_y.transpose(1, 2)
    low, high = distance.min(), distance.max()
    return functional.relu(distance - (low + 0.1 * (high - low)))


def transport_plan(cost: Tensor, start: Tensor, sharpness: float, steps: int) -> Tensor:
    """How much of each x goes to each y, [b, n, m]: columns sum to 1 / m, and rows to 1 / n in the end.

    Computed on logarithms: a plan's small entries soon fall below what single precision can hold, and their
    gradients with them.
    """
    b, n, m = cost.shape
    plan, by_column = start.clamp(min=_TINY).log(), cost.new_full((b, 1, m), -math.log(m))
    for _ in range(steps):
        plan = plan - cost / sharpness
        by_row = -math.log(n) - (plan + by_column).logsumexp(dim=2, keepdim=True)
        by_column = -math.log(m) - (plan + by_row).logsumexp(dim=1, keepdim=True)
        plan = plan + by_row + by_column
    return plan.exp()
