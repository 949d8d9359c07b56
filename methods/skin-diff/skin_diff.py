"""A learned word for each condition, one LoRA for all of them, and dark variants of light images."""

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.ahead import check_words
from tonegap_kit.diffusion.fitting import (
    fit_lora,
    fit_words,
    lora_captions,
    lora_file,
    need_images,
    of_known_tone,
    open_fit,
    open_pipeline,
    read_inversion,
    read_lora,
    teach_words,
)
from tonegap_kit.diffusion.given import given_lora, given_words, hand_over_words
from tonegap_kit.diffusion.inversion import inversion_steps
from tonegap_kit.diffusion.prompts import tokens_of
from tonegap_kit.diffusion.variants import VariantModel, check_variants, write_variants
from tonegap_kit.lineage import read_parts, write_lineage
from tonegap_kit.partition import read_partition


def fit(stage: Stage) -> None:
    """Leaves a word for each condition, learned from its images, then a LoRA from captions with all words."""
    tokens = tokens_of(stage.job.classes)
    train = check_variants(stage, tokens)
    recipe, lora = read_inversion(stage.job), read_lora(stage.job)
    words, joint = given_words(stage, tokens), given_lora(stage)
    check_words(stage, tokens.values(), recipe, words)
    if not words:
        need_images(stage, train)
    if joint is None:
        captions = lora_captions(stage, train, of_known_tone(train), tokens, "lora")
    parts = hand_over_words(stage, words)
    if not words or joint is None:
        steps = 0 if words else inversion_steps(len(tokens), recipe)
        work = open_fit(stage, steps + (lora.steps.steps if joint is None else 0), words)
        rows = {token: work.rows_of(label) for label, token in tokens.items()}
        parts = parts or fit_words(work, recipe, rows)
        joint = joint or fit_lora(work, lora, captions, "lora")
    write_lineage(stage, [*parts, joint])


def generate(stage: Stage) -> None:
    """Leaves variants of the training images in the tones asked for."""
    make_deterministic(stage)
    models, parts = open_pipeline(stage), read_parts(stage)
    teach_words(models, list(parts.values()))
    file = lora_file(parts, "lora")
    variant_models = {
        label: VariantModel(token, file, (f"word-{token}", "lora"))
        for label, token in tokens_of(stage.job.classes).items()
    }
    write_variants(stage, models, read_partition(stage, "train"), variant_models)


if __name__ == "__main__":
    main(fit=fit, generate=generate)
