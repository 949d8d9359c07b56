"""Reject option: near the border between two classes, calls that narrow the gap between tones."""

import numpy as np

from reject_option import fit_reject_option
from tonegap_kit.command import Stage, main
from tonegap_kit.postprocess import (
    Adjustment,
    Floats,
    Indices,
    adjust_predictions,
    of_two,
    positive_index,
)


def postprocess(stage: Stage) -> None:
    """Leaves scores that are mirrored at 0.5 near the border, by the tone of the image."""
    job, positive = stage.job, positive_index(stage.job)
    margins, allowed_loss = job.integer("margins"), job.real("allowed_loss")

    def fit(p: Floats, y: Indices, t: Indices) -> Adjustment:
        events = y == positive
        by = events if job.text("rate") == "sensitivity" else np.ones_like(events)
        changed = fit_reject_option(p[:, positive], events, t, by, margins, allowed_loss)
        return lambda asked, tones: of_two(changed(asked[:, positive], tones), positive)

    adjust_predictions(stage, fit)


if __name__ == "__main__":
    main(postprocess=postprocess)
