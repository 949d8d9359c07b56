"""Temperature scaling with a temperature for each tone."""

from tonegap_kit.command import Stage, main
from tonegap_kit.postprocess import adjust_predictions, tone_by_tone
from tonegap_kit.temperature import fit_temperature


def postprocess(stage: Stage) -> None:
    """Leaves predictions of each tone at the temperature that fits its validation images best."""
    least = stage.job.integer("least_images")
    adjust_predictions(stage, tone_by_tone(fit_temperature, least))


if __name__ == "__main__":
    main(postprocess=postprocess)
