"""Nothing learned: dark variants of light images from the pipeline as it is."""

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.flow import check_sampled, open_sampled
from tonegap_kit.diffusion.variants import VariantModel, check_variants, write_variants


def generate(stage: Stage) -> None:
    """Leaves variants of the training images in the tones asked for."""
    make_deterministic(stage)
    variant_models = {label: VariantModel(label) for label in stage.job.classes}
    check_sampled(stage)
    # What is refused of parameters is refused before the pipeline is read.
    train = check_variants(stage, {label: label for label in stage.job.classes})
    write_variants(stage, open_sampled(stage), train, variant_models)


if __name__ == "__main__":
    main(generate=generate)
