"""Recolouring: a lighter image of the same class, its skin moved to a darker tone."""

from collections.abc import Iterator

import numpy as np

from tonegap_kit.command import Stage, main
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.quota import Quota, draw_sources, plan_quotas, read_rule
from tonegap_kit.skin import draw_skin_colour, recolour
from tonegap_kit.synthetic import SyntheticImage, write_synthetic


def generate(stage: Stage) -> None:
    """Leaves recoloured images for every tone that a class is short of."""
    train = read_partition(stage, "train")
    orders = plan_quotas(train, read_rule(stage, len(train)))
    n = sum(order.n for order in orders)
    write_synthetic(stage, _recoloured(stage, train, orders), n, train.ids)


def _recoloured(stage: Stage, train: Partition, orders: list[Quota]) -> Iterator[SyntheticImage]:
    rng = stage.rng("recolouring")
    contrast = stage.job.real("contrast")
    for order in orders:
        tone = stage.job.tones[order.t]
        for k, row in enumerate(draw_sources(order.lighter, order.n, rng)):
            image = train.pictures.take(np.array([row]))[0]
            yield SyntheticImage(
                image_id=f"recoloured-{order.y}-{tone}-{k}",
                image=recolour(image, draw_skin_colour(rng, tone), contrast),
                label=stage.job.classes[order.y],
                tone=tone,
                sources=(train.ids[row],),
            )


if __name__ == "__main__":
    main(generate=generate)
