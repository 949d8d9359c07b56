"""One LoRA alone: captions call each condition by its name."""

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.fitting import (
    fit_lora,
    lora_captions,
    lora_file,
    of_known_tone,
    open_fit,
    open_pipeline,
    read_lora,
)
from tonegap_kit.diffusion.given import given_lora
from tonegap_kit.diffusion.variants import VariantModel, check_variants, write_variants
from tonegap_kit.lineage import read_parts, write_lineage
from tonegap_kit.partition import read_partition


def fit(stage: Stage) -> None:
    """Leaves a LoRA learned from all training images of known tone."""
    names = {label: label for label in stage.job.classes}
    train = check_variants(stage, names)
    recipe, part = read_lora(stage.job), given_lora(stage)
    if part is None:
        captions = lora_captions(stage, train, of_known_tone(train), names, "lora")
        part = fit_lora(open_fit(stage, recipe.steps.steps), recipe, captions, "lora")
    write_lineage(stage, [part])


def generate(stage: Stage) -> None:
    """Leaves variants of the training images in the tones asked for."""
    make_deterministic(stage)
    models, file = open_pipeline(stage), lora_file(read_parts(stage), "lora")
    variant_models = {label: VariantModel(label, file, ("lora",)) for label in stage.job.classes}
    write_variants(stage, models, read_partition(stage, "train"), variant_models)


if __name__ == "__main__":
    main(fit=fit, generate=generate)
