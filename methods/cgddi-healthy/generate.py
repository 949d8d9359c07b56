"""Healthy skin of real sitters: the lesion is painted over, all else stays as photographed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.fitting import open_painter
from tonegap_kit.diffusion.healthy import (
    check_painting,
    healthy_prompt,
    paint_healthy,
    read_healthy_recipe,
)
from tonegap_kit.errors import StageError
from tonegap_kit.masks import NOT_HEALED, can_be_healed, lesion_holes, need_masks
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.predictions import write_notes
from tonegap_kit.quota import by_ratio
from tonegap_kit.synthetic import SyntheticImage, write_synthetic


def generate(stage: Stage) -> None:
    """Leaves a healthy image for each training image with a lesion, or as many as `ratio` says."""
    label = _healthy_label(stage)
    make_deterministic(stage)
    train, masks = read_partition(stage, "train"), need_masks(stage)
    holes = lesion_holes(masks, stage.job.integer("healthy_dilation_px"))
    able = can_be_healed(masks, holes)
    rows = _chosen(stage, able, len(train))
    check_painting(stage, train, rows)
    write_synthetic(stage, _healthy(stage, train, holes, rows, label), len(rows), train.ids)
    left = len(train) - len(able)
    write_notes(stage.out, {"skipped": {NOT_HEALED: left} if left else {}})


def _healthy_label(stage: Stage) -> str:
    """The class that healthy skin counts as. Raises StageError for a task that has none."""
    names = stage.job.words("labels")
    found = [name for name in names if name in stage.job.classes]
    if not found:
        raise StageError(
            f"the classes of {stage.job.task} have none for healthy skin: looked for "
            f"{', '.join(names)}, found {', '.join(stage.job.classes)}; name one in the parameter labels, or "
            f"leave this method out of the task"
        )
    return found[0]


def _chosen(stage: Stage, rows: NDArray[np.int64], n_training: int) -> NDArray[np.int64]:
    ratio = stage.job.real("ratio")
    wanted = by_ratio(ratio, n_training) if ratio > 0 else len(rows)
    drawn = stage.rng("choosing").permutation(rows)[:wanted]
    return np.sort(drawn)


def _healthy(
    stage: Stage,
    train: Partition,
    holes: NDArray[np.bool_],
    rows: NDArray[np.int64],
    label: str,
) -> Iterator[SyntheticImage]:
    recipe = read_healthy_recipe(stage)
    tones = (*stage.job.tones, None)  # the last is the unknown tone's, whose index is -1
    own = stage.share.take([int(row) for row in rows], recipe.sampling.batch)
    painted = paint_healthy(stage, open_painter(stage), train, holes, own)
    for row, image in zip(own, painted, strict=True):
        yield SyntheticImage(
            image_id=f"healthy-{row}",
            image=image,
            label=label,
            tone=tones[train.t[row]],
            sources=(train.ids[row],),
            prompt=healthy_prompt(stage, recipe, int(train.t[row])),
            seed=stage.seed_of(f"healthy {train.ids[row]}"),
        )


if __name__ == "__main__":
    main(generate=generate)
