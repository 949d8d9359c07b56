"""{{title}}: mirrored copies of real images, an example to replace."""

from collections.abc import Iterator

import numpy as np

from tonegap_kit.command import Stage, main
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.synthetic import SyntheticImage, write_synthetic


def generate(stage: Stage) -> None:
    """Leaves mirrored copies of training images drawn at random."""
    train = read_partition(stage, "train")
    n = round(stage.job.real("ratio") * len(train))
    write_synthetic(stage, _mirrored(stage, train, n), n, train.ids)


def _mirrored(stage: Stage, train: Partition, n: int) -> Iterator[SyntheticImage]:
    rows = stage.rng("mirroring").choice(len(train), n)
    for k, row in enumerate(rows):
        image = train.pictures.take(np.array([row]))[0]
        tone = int(train.t[row])
        yield SyntheticImage(
            image_id=f"mirrored-{k}",
            image=np.ascontiguousarray(image[:, ::-1]),
            label=stage.job.classes[train.y[row]],
            tone=stage.job.tones[tone] if tone >= 0 else None,
            sources=(train.ids[row],),
        )


if __name__ == "__main__":
    main(generate=generate)
