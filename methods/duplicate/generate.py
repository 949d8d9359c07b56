"""Control: copies of real images, as many as recolouring makes, with the same labels and tones."""

from collections.abc import Iterator

import numpy as np

from tonegap_kit.command import Stage, main
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.quota import Quota, draw_sources, plan_quotas, read_rule
from tonegap_kit.synthetic import SyntheticImage, write_synthetic


def generate(stage: Stage) -> None:
    """Leaves copies for every tone that a class is short of."""
    train = read_partition(stage, "train")
    orders = plan_quotas(train, read_rule(stage, len(train)))
    n = sum(order.n for order in orders)
    write_synthetic(stage, _copies(stage, train, orders), n, train.ids)


def _copies(stage: Stage, train: Partition, orders: list[Quota]) -> Iterator[SyntheticImage]:
    rng = stage.rng("copying")
    for order in orders:
        own = np.flatnonzero((train.y == order.y) & (train.t == order.t))
        # A cell without any image cannot be copied: a lighter image then, of the tone it really has.
        rows = own if len(own) > 0 else order.lighter
        for k, row in enumerate(draw_sources(rows, order.n, rng)):
            yield SyntheticImage(
                image_id=f"copy-{order.y}-{stage.job.tones[order.t]}-{k}",
                image=train.pictures.take(np.array([row]))[0],
                label=stage.job.classes[order.y],
                tone=stage.job.tones[train.t[row]],
                sources=(train.ids[row],),
            )


if __name__ == "__main__":
    main(generate=generate)
