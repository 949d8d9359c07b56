"""Thresholds by tone, for any number of classes."""

from functools import partial

from thresholds import fit_weights
from tonegap_kit.command import Stage, main
from tonegap_kit.postprocess import adjust_predictions, tone_by_tone


def postprocess(stage: Stage) -> None:
    """Leaves predictions whose most probable class has the best balanced accuracy on each tone's validation images."""
    fit = partial(fit_weights, rounds=stage.job.integer("rounds"))
    adjust_predictions(stage, tone_by_tone(fit, stage.job.integer("least_images")))


if __name__ == "__main__":
    main(postprocess=postprocess)
