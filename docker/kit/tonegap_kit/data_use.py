"""Which images a network is trained on: real ones, synthetic ones, both, or one after the other.

The mistake it exists to prevent: a gain ascribed to synthetic images that came from more training steps.
"""

from dataclasses import dataclass

import numpy as np

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, join, pick

MODES = ("real+synthetic", "real", "synthetic", "synthetic-then-real")


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Rows to train on, real ones first; those to train on before, if any; how many an epoch has.

    `epoch_rows` is None where an epoch is as long as there are rows.
    """

    train: Partition
    n_real: int
    before: Partition | None = None
    epoch_rows: int | None = None


def choose_rows(stage: Stage, real: Partition, synthetic: Partition | None) -> TrainingRows:
    """The rows that the job's parameters ask for; one that it does not have is as if by default.

    Raises StageError for an unknown mode, a share outside of [0, 1], and for no synthetic image where the mode
    trains on nothing else.
    """
    parameters = stage.job.parameters
    mode = stage.job.text("data") if "data" in parameters else MODES[0]
    if mode not in MODES:
        raise StageError(f"data is {mode!r}, wanted one of {', '.join(MODES)}")
    if synthetic is not None and "synthetic_ratio" in parameters:
        synthetic = _share(stage, synthetic, stage.job.real("synthetic_ratio"))
    equal = "equal_steps" in parameters and stage.job.flag("equal_steps")
    epoch_rows = len(real) if equal else None
    if mode == "real" or (mode == "real+synthetic" and synthetic is None):
        return TrainingRows(real, len(real), None, epoch_rows)
    if synthetic is None:
        raise StageError(f"data is {mode!r}, but the method made no image, or synthetic_ratio is 0")
    if mode == "synthetic":
        return TrainingRows(synthetic, 0, None, epoch_rows)
    if mode == "synthetic-then-real":
        return TrainingRows(real, len(real), synthetic, epoch_rows)
    return TrainingRows(join(real, synthetic), len(real), None, epoch_rows)


def _share(stage: Stage, synthetic: Partition, share: float) -> Partition | None:
    """So many of the synthetic rows, drawn by the seed; a larger share holds those of a smaller one."""
    if not 0 <= share <= 1:
        raise StageError(
            f"synthetic_ratio is {share}, wanted a share of the synthetic images, 0 to 1"
        )
    order = stage.rng("synthetic-ratio").permutation(len(synthetic))
    rows = np.sort(order[: round(share * len(synthetic))])
    return pick(synthetic, rows) if len(rows) else None
