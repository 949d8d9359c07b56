"""A learned word and a LoRA of its own for each condition, trained on each tone equally often."""

import numpy as np

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.ahead import check_words
from tonegap_kit.diffusion.fitting import (
    FitContext,
    Rows,
    fit_lora,
    fit_words,
    lora_captions,
    lora_file,
    need_images,
    open_fit,
    open_pipeline,
    read_inversion,
    read_lora,
    teach_words,
)
from tonegap_kit.diffusion.given import given_loras, given_words, hand_over_words
from tonegap_kit.diffusion.inversion import file_stem, inversion_steps
from tonegap_kit.diffusion.prompts import tokens_of
from tonegap_kit.diffusion.variants import VariantModel, check_variants, write_variants
from tonegap_kit.lineage import read_parts, write_lineage
from tonegap_kit.partition import read_partition


def fit(stage: Stage) -> None:
    """Leaves a word for each condition, then a LoRA for each, its images sampled by how rare their tone is."""
    tokens = tokens_of(stage.job.classes, brackets=True)
    train = check_variants(stage, tokens)
    recipe, lora = read_inversion(stage.job), read_lora(stage.job)
    called = {f"lora-{file_stem(token)}": (label, token) for label, token in tokens.items()}
    words, loras = given_words(stage, tokens), given_loras(stage, called)
    check_words(stage, tokens.values(), recipe, words)
    captions = {}
    for name, (label, _token) in called.items() if not loras else ():
        own = np.flatnonzero((train.y == stage.job.classes.index(label)) & (train.t >= 0))
        captions[name] = lora_captions(stage, train, own, tokens, name)
    if not words and not stage.job.flag("inversion_unfiltered"):
        need_images(stage, train)
    parts = [*hand_over_words(stage, words), *loras.values()]
    if not words or not loras:
        steps = 0 if words else inversion_steps(len(tokens), recipe)
        work = open_fit(stage, steps + (0 if loras else len(tokens) * lora.steps.steps), words)
        if not words:
            rows = {tokens[label]: _rows_of_word(work, label) for label in tokens}
            parts += fit_words(work, recipe, rows)
        for name, data in captions.items():
            parts.append(fit_lora(work, lora, data, name, _rarity(work.train.t[data.rows])))
    write_lineage(stage, parts)


def generate(stage: Stage) -> None:
    """Leaves variants of the training images in the tones asked for, each class by its own LoRA."""
    make_deterministic(stage)
    models, parts = open_pipeline(stage), read_parts(stage)
    teach_words(models, list(parts.values()))
    variant_models = {}
    for label, token in tokens_of(stage.job.classes, brackets=True).items():
        names = (f"word-{file_stem(token)}", f"lora-{file_stem(token)}")
        variant_models[label] = VariantModel(token, lora_file(parts, names[1]), names)
    write_variants(stage, models, read_partition(stage, "train"), variant_models)


def _rows_of_word(work: FitContext, label: str) -> Rows:
    """The images a word learns from; in the release all of them, whatever their condition."""
    if work.stage.job.flag("inversion_unfiltered"):
        return np.arange(len(work.train))
    return work.rows_of(label)


def _rarity(tones: Rows) -> np.ndarray:
    """Images of the class / (those of the row's tone): every tone of a class is drawn equally often."""
    return np.asarray(len(tones) / np.bincount(tones)[tones])


if __name__ == "__main__":
    main(fit=fit, generate=generate)
