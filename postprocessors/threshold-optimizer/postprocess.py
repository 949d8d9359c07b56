"""Mixtures of thresholds by tone with equal rates, as fairlearn's ThresholdOptimizer finds them."""

import numpy as np

from mixtures import fit_mixtures
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
    """Leaves the probability of a positive call of each image, or calls drawn with it."""
    job, positive = stage.job, positive_index(stage.job)
    wanted = job.text("constraint"), job.text("objective"), job.integer("grid_size")
    drawn = job.text("calls") == "drawn"

    def fit(p: Floats, y: Indices, t: Indices) -> Adjustment:
        of_tone, of_all = fit_mixtures(p[:, positive], y == positive, t, *wanted)

        def rule(asked: Floats, tones: Indices) -> Floats:
            score = asked[:, positive]
            called = of_all(score)
            for tone, mixture in of_tone.items():
                called[tones == tone] = mixture(score[tones == tone])
            if drawn:
                called = (stage.rng("calls").random(len(called)) < called).astype(np.float64)
            return of_two(called, positive)

        return rule

    adjust_predictions(stage, fit)


if __name__ == "__main__":
    main(postprocess=postprocess)
