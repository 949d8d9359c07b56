"""Learned words alone: dark variants of light images from an untouched network."""

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.ahead import check_words
from tonegap_kit.diffusion.fitting import (
    fit_words,
    need_images,
    open_fit,
    open_pipeline,
    read_inversion,
    teach_words,
)
from tonegap_kit.diffusion.given import given_words, hand_over_words
from tonegap_kit.diffusion.inversion import inversion_steps
from tonegap_kit.diffusion.prompts import tokens_of
from tonegap_kit.diffusion.variants import VariantModel, check_variants, write_variants
from tonegap_kit.lineage import read_parts, write_lineage
from tonegap_kit.partition import read_partition


def fit(stage: Stage) -> None:
    """Leaves a word for each condition, learned from its images."""
    tokens = tokens_of(stage.job.classes)
    train, recipe = check_variants(stage, tokens), read_inversion(stage.job)
    words = given_words(stage, tokens)
    check_words(stage, tokens.values(), recipe, words)
    parts = hand_over_words(stage, words)
    if not parts:
        need_images(stage, train)
        work = open_fit(stage, inversion_steps(len(tokens), recipe))
        rows = {token: work.rows_of(label) for label, token in tokens.items()}
        parts = fit_words(work, recipe, rows)
    write_lineage(stage, parts)


def generate(stage: Stage) -> None:
    """Leaves variants of the training images in the tones asked for."""
    make_deterministic(stage)
    models = open_pipeline(stage)
    teach_words(models, list(read_parts(stage).values()))
    tokens = tokens_of(stage.job.classes)
    variant_models = {label: VariantModel(t, parts=(f"word-{t}",)) for label, t in tokens.items()}
    write_variants(stage, models, read_partition(stage, "train"), variant_models)


if __name__ == "__main__":
    main(fit=fit, generate=generate)
