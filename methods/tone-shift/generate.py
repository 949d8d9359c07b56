"""Recolouring: a lighter image of the same class, its skin moved to a darker tone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tonegap_kit.command import Stage, main
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.predictions import write_notes
from tonegap_kit.quota import Quota, draw_sources, plan_quotas, read_rule
from tonegap_kit.skin import draw_skin_colour, recolour
from tonegap_kit.synthetic import SyntheticImage, write_synthetic


def generate(stage: Stage) -> None:
    """Leaves recoloured images for every tone that a class is short of, and notes which were passed over."""
    train = read_partition(stage, "train")
    orders = plan_quotas(train, read_rule(stage, len(train)))
    n = sum(order.n for order in orders)
    left = Left(set(), [])
    write_synthetic(stage, _recoloured(stage, train, orders, left), n, train.ids)
    skipped = {
        "training images passed over: their border shows no skin to go by": len(left.rows),
        "images not made: their class has no lighter image with skin to go by": len(left.images),
    }
    write_notes(stage.out, {"skipped": {why: n for why, n in skipped.items() if n}})


@dataclass(frozen=True, slots=True)
class Left:
    """Training rows that could not be recoloured, and ids of images for which none could."""

    rows: set[int]
    images: list[str]


def _recoloured(
    stage: Stage, train: Partition, orders: list[Quota], left: Left
) -> Iterator[SyntheticImage]:
    rng, spare = stage.rng("recolouring"), stage.rng("replacing")
    contrast = stage.job.real("contrast")
    for order in orders:
        tone = stage.job.tones[order.t]
        for k, drawn in enumerate(draw_sources(order.lighter, order.n, rng)):
            target, image_id = draw_skin_colour(rng, tone), f"recoloured-{order.y}-{tone}-{k}"
            for row in _candidates(int(drawn), order, spare, left):
                image = recolour(train.pictures.take(np.array([row]))[0], target, contrast)
                if image is None:
                    left.rows.add(row)
                    continue
                yield SyntheticImage(
                    image_id=image_id,
                    image=image,
                    label=stage.job.classes[order.y],
                    tone=tone,
                    sources=(train.ids[row],),
                )
                break
            else:
                left.images.append(image_id)


def _candidates(drawn: int, order: Quota, spare: np.random.Generator, left: Left) -> Iterator[int]:
    """The row that was drawn, then the order's others at random; none twice that failed before."""
    if drawn not in left.rows:
        yield drawn
    for row in spare.permutation(order.lighter):
        if row not in left.rows:
            yield int(row)


if __name__ == "__main__":
    main(generate=generate)
