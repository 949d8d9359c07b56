"""How many images each under-represented (tone, class) cell is short of: the plan that recolouring and
its control share, so that they make equally many of the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition


@dataclass(frozen=True, slots=True)
class Quota:
    """`n` images wanted of class index `y` and tone index `t`, from the rows `lighter` of the class."""

    y: int
    t: int
    n: int
    lighter: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QuotaRule:
    """Tones `targets` are filled to `fill` times the class's most frequent tone, `limit` images in all."""

    targets: tuple[int, ...]
    fill: float
    limit: int


def read_rule(stage: Stage, n_training: int) -> QuotaRule:
    """The rule that the parameters `targets`, `fill` and `ratio` spell for a training set."""
    job = stage.job
    targets = tuple(i for i, tone in enumerate(job.tones) if tone in job.words("targets"))
    fill, ratio = job.real("fill"), job.real("ratio")
    if not targets:
        raise StageError(
            f"targets are {', '.join(job.words('targets'))}, none of which is a tone of this task: "
            f"{', '.join(job.tones)}"
        )
    if fill <= 0 or ratio <= 0:
        raise StageError(f"fill is {fill} and ratio is {ratio}, wanted numbers above 0")
    return QuotaRule(targets, fill, int(ratio * n_training))


def plan_quotas(train: Partition, rule: QuotaRule) -> list[Quota]:
    """What is missing, class by class and tone by tone; an empty list if nothing is.

    A cell is filled only if its class has images of lighter tones to start from. Images of unknown
    tone are neither counted nor used. If more than `limit` images were missing, every order shrinks
    by the same factor, rounded down.
    """
    orders = []
    for y in np.unique(train.y):
        counts = np.bincount(train.t[(train.y == y) & (train.t >= 0)], minlength=1)
        for t in rule.targets:
            lighter = np.flatnonzero((train.y == y) & (train.t >= 0) & (train.t < t))
            have = counts[t] if t < len(counts) else 0
            missing = round(rule.fill * counts.max()) - int(have)
            if missing > 0 and len(lighter) > 0:
                orders.append(Quota(int(y), t, missing, lighter))
    return _limited(orders, rule.limit)


def _limited(orders: list[Quota], limit: int) -> list[Quota]:
    total = sum(order.n for order in orders)
    if total <= limit:
        return orders
    smaller = [Quota(o.y, o.t, o.n * limit // total, o.lighter) for o in orders]
    return [order for order in smaller if order.n > 0]


def draw_sources(rows: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The sources of n images, which may be none: rows in random order, each used before any is again."""
    rounds = [rng.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate([rows[:0], *rounds])[:n]
