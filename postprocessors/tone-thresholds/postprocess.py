"""Thresholds by tone, for any number of classes."""

from functools import partial

from thresholds import fit_tones
from tonegap_kit.command import Stage, main
from tonegap_kit.postprocess import adjust_predictions


def postprocess(stage: Stage) -> None:
    """Leaves predictions whose most probable class has the best balanced accuracy on each tone's validation images."""
    rounds, least = stage.job.integer("rounds"), stage.job.integer("least_images")
    adjust_predictions(stage, partial(fit_tones, rounds=rounds, least=least))


if __name__ == "__main__":
    main(postprocess=postprocess)
