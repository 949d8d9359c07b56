"""Temperature scaling with one temperature for all images."""

from tonegap_kit.command import Stage, main
from tonegap_kit.postprocess import adjust_predictions, pooled
from tonegap_kit.temperature import fit_temperature


def postprocess(stage: Stage) -> None:
    """Leaves predictions at the temperature that fits validation images best."""
    adjust_predictions(stage, pooled(fit_temperature))


if __name__ == "__main__":
    main(postprocess=postprocess)
