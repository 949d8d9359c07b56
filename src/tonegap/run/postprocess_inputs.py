"""Lays out `/in` for a `postprocess` stage: an entry's predictions, with labels for validation images alone.

The mistake it exists to prevent: a post-processor that is fitted on test images. No label of one is within its reach.
"""

from pathlib import Path

import numpy as np

from tonegap.errors import BadOutput
from tonegap.files import csv_bytes
from tonegap.plan.plan import PlannedStage
from tonegap.run.outputs import find_predictions
from tonegap.scores.predictions import read_predictions
from tonegap.store.store import Store


def write_judged(store: Store, stage: PlannedStage, folder: Path) -> None:
    """Writes `validation.csv`, `test.csv` (by id, without labels), `epochs.csv` and the predictions of both.

    `validation_predictions.npy` and `test_predictions.npy` are float64 [epochs, images, classes]; rows as in the CSV
    of the partition. Tones of test images are written only where the post-processor says that it needs them.
    """
    view, key = stage.view, stage.upstream[-1]
    store.check_stage(key)
    test = dict(sorted(zip(view.test.ids, view.test.tones, strict=True)))
    ids = (*view.validation.ids, *test)
    found = read_predictions(find_predictions(store.stage_folder(key)), view.classes, ids)
    validation, n = view.validation, len(view.validation.ids)
    told = zip(validation.ids, validation.labels, (t or "" for t in validation.tones), strict=True)
    tables = {
        "epochs": (("epoch",), ((str(epoch),) for epoch in found.epochs)),
        "validation": (("image_id", "label", "tone"), told),
        "test": (("image_id",), ((image_id,) for image_id in test)),
    }
    if "tone_at_test" in stage.identity.plugin.file.needs:
        tables["test"] = (("image_id", "tone"), ((i, tone or "") for i, tone in test.items()))
    for name, (header, rows) in tables.items():
        (folder / f"{name}.csv").write_bytes(csv_bytes(header, rows))
    np.save(folder / "validation_predictions.npy", found.p[:, :n])
    np.save(folder / "test_predictions.npy", found.p[:, n:])


def check_same_epochs(store: Store, stage: PlannedStage, out: Path) -> None:
    """Raises BadOutput where a post-processor left other epochs than it was given: each more is one more try."""
    view, ids = stage.view, (*stage.view.validation.ids, *stage.view.test.ids)
    folders = (store.stage_folder(stage.upstream[-1]), out)
    given, made = (read_predictions(find_predictions(f), view.classes, ids).epochs for f in folders)
    if made != given:
        name, texts = (
            find_predictions(out).name,
            (", ".join(map(str, e[:5])) for e in (made, given)),
        )
        found, wanted = texts
        raise BadOutput(
            f"{name}: {len(made)} epochs (first: {found}); wanted the {len(given)} that were given (first: {wanted})"
        )
