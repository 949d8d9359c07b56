"""How many images each under-represented (tone, class) cell is short of: the plan that recolouring and
its control share, so that they make equally many of the same.

`level_counts` is the other rule, for any generator: tones are levelled first, then the classes within a tone; the
images of a cell are drawn in turn. It follows the idea of FairSkin (Zhang et al. 2024, arXiv 2410.22551), whose
three levels are known here from its abstract alone.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition

BALANCES = ("off", "three-level")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Quota:
    """`n` images wanted of class index `y` and tone index `t`, from the rows `lighter` of the class."""

    y: int
    t: int
    n: int
    lighter: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QuotaRule:
    """Tones `targets` are filled to `fill` times the class's most frequent tone, `limit` images in all.

    With `three_levels` a tone is filled to `fill` times the most frequent tone of all classes, see `level_counts`.
    """

    targets: tuple[int, ...]
    fill: float
    limit: int
    three_levels: bool = False


def read_rule(stage: Stage, n_training: int) -> QuotaRule:
    """The rule that the parameters `targets`, `fill`, `ratio` and `balance` spell for a training set."""
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
    return QuotaRule(targets, fill, by_ratio(ratio, n_training), is_three_level(stage))


def by_ratio(ratio: float, n_training: int) -> int:
    """So many images for each of n training images, rounded down. Raises StageError for more than 1,000 of each."""
    if ratio > _MOST:
        raise StageError(
            f"ratio is {ratio}, wanted at most {_MOST:,} images for each training image"
        )
    return int(Decimal(str(ratio)) * n_training)  # 0.29 of 100 is 29, and 28.99… in floating point


def is_three_level(stage: Stage) -> bool:
    """Whether the parameter `balance` asks for three levels. Raises StageError for a value it does not have."""
    found = stage.job.text("balance")
    if found not in BALANCES:
        raise StageError(f"balance is {found!r}, wanted {' or '.join(BALANCES)}")
    return found == BALANCES[1]


def plan_quotas(train: Partition, rule: QuotaRule) -> list[Quota]:
    """What is missing, class by class and tone by tone; an empty list if nothing is.

    A cell is filled only if its class has images of lighter tones to start from. Images of unknown
    tone are neither counted nor used. If more than `limit` images were missing, every order shrinks
    by the same factor, rounded down. With `three_levels` the counts are those of `level_counts`.
    """
    if rule.three_levels:
        return _levelled(train, rule)
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


def _levelled(train: Partition, rule: QuotaRule) -> list[Quota]:
    known = train.t >= 0
    real = np.zeros(
        (int(train.y.max(initial=-1)) + 1, max([*train.t, *rule.targets]) + 1), np.int64
    )
    np.add.at(real, (train.y[known], train.t[known]), 1)
    # Cells that have images to start from: those of a class with any image of a lighter tone.
    can = (np.cumsum(real, axis=1) - real > 0) & np.isin(np.arange(real.shape[1]), rule.targets)
    tones = real.sum(axis=0)
    short = np.maximum(0, round(rule.fill * int(tones.max(initial=0))) - tones)[can.any(axis=0)]
    made = level_counts(real, can, min(rule.limit, int(short.sum())))
    return [
        Quota(
            int(y), int(t), int(made[y, t]), np.flatnonzero((train.y == y) & known & (train.t < t))
        )
        for y, t in np.argwhere(made > 0)
    ]


def level_counts(real: NDArray[np.int64], can: NDArray[np.bool_], budget: int) -> NDArray[np.int64]:
    """How many of `budget` images each cell gets, `int64 [classes, tones]`, from the real counts of the same shape.

    First the tones with a cell in `can` are raised, the least frequent first, so that real and made images come to
    one level; then, in each tone, its classes in `can` likewise with the tone's share. Of equal ones the first
    get what cannot be divided. Nothing is made where `can` is empty.
    """
    made = np.zeros_like(real)
    tones = np.flatnonzero(can.any(axis=0))
    for t, share in zip(tones, _raised(real.sum(axis=0)[tones], budget), strict=True):
        made[can[:, t], t] = _raised(real[can[:, t], t], int(share))
    return made


def _raised(counts: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """What is added to each count when `budget` raises the smallest to one level: [0, 3, 9] and 5 give [4, 1, 0]."""
    added = np.zeros_like(counts)
    if not len(counts):
        return added
    order = np.argsort(counts, kind="stable")
    for n in range(
        len(order), 0, -1
    ):  # the n smallest are raised, if they can come up to the largest of them
        lowest = order[:n]
        level, rest = divmod(budget + int(counts[lowest].sum()), n)
        if level >= counts[lowest].max():
            added[lowest] = level - counts[lowest]
            added[np.sort(lowest)[:rest]] += 1
            break
    return added


def draw_sources(rows: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The sources of n images, which may be none: rows in random order, each used before any is again."""
    rounds = [rng.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate([rows[:0], *rounds])[:n]
