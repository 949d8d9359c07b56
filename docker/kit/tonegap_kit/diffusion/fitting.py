"""The `fit` stage of methods that learn words and LoRAs, and what of it `generate` finds again.

A method says which images each part learns from; reading, encoding, checkpoints and lineage are here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tonegap_kit.command import Stage, say
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.checkpoint import Keeper
from tonegap_kit.diffusion.given import LoraData, listed, write_list
from tonegap_kit.diffusion.inversion import (
    Concepts,
    InversionRecipe,
    learn_tokens,
    read_tokens,
    save_tokens,
)
from tonegap_kit.diffusion.lora import Captioned, LoraRecipe, save_lora, train_lora
from tonegap_kit.diffusion.models import (
    Models,
    accelerate,
    add_tokens,
    check_acceleration,
    load_models,
    spare_memory,
)
from tonegap_kit.diffusion.noise_loop import (
    Encoded,
    Meter,
    StepRecipe,
    Watch,
    check_learns,
    encode_examples,
    make_optimiser,
)
from tonegap_kit.diffusion.prompts import fill_caption
from tonegap_kit.errors import StageError
from tonegap_kit.job import Job
from tonegap_kit.lineage import Part
from tonegap_kit.partition import Partition, read_partition

HEALTHY = "healthy_pipeline"
Rows = NDArray[np.int64]
Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FitContext:
    """A `fit` stage at work: the models, the training images, all of them encoded once."""

    stage: Stage
    models: Models
    train: Partition
    encoded: Encoded
    watch: Watch

    def rows_of(self, label: str) -> Rows:
        """The training rows of a class."""
        return np.flatnonzero(self.train.y == self.stage.job.classes.index(label))

    def ids(self, rows: Rows) -> tuple[str, ...]:
        """The ids of these training rows."""
        return tuple(self.train.ids[row] for row in rows)


def open_fit(stage: Stage, steps: int, words: Mapping[str, Tensor] | None = None) -> FitContext:
    """A `fit` stage that will do so many steps in all; its models know the words that are given."""
    make_deterministic(stage)
    keeper = Keeper(stage.checkpoints(), stage.job.integer("checkpoint_every"))
    models, train = open_pipeline(stage), read_partition(stage, "train")
    check_learns(models)
    add_tokens(models, words or {})
    images = train.pictures.take(np.arange(len(train)))
    return FitContext(
        stage=stage,
        models=models,
        train=train,
        encoded=encode_examples(models, images, mirror=True),
        watch=Watch("fit", keeper, Meter(steps)),
    )


def open_pipeline(stage: Stage, precision: str = "precision") -> Models:
    """The models that the parameter `pipeline` names, sparing memory where `save_memory` asks for it.

    Raises StageError for a network that was trained to paint, which can neither learn nor start from an image.
    """
    models = _opened(stage, "pipeline", precision)
    latents, found = int(models.vae.config.latent_channels), int(models.unet.config.in_channels)
    if found != latents:
        also = f", and these as {HEALTHY}" if HEALTHY in stage.job.parameters else ""
        raise StageError(
            f"pipeline: its network has {found} input channels, as inpainting weights have, wanted {latents} to "
            f"learn and sample with; give a plain Stable Diffusion folder{also}"
        )
    return models


def open_painter(stage: Stage) -> Models:
    """The models that paint healthy skin: those of `healthy_pipeline`, or of `pipeline` where that is none."""
    return _opened(stage, "pipeline" if stage.folder(HEALTHY) is None else HEALTHY, "precision")


def _opened(stage: Stage, parameter: str, precision: str) -> Models:
    check_acceleration(stage.job.words("acceleration"))
    models = load_models(stage, parameter, precision)
    accelerate(models, stage.job.words("acceleration"))
    if stage.job.flag("save_memory"):
        spare_memory(models)
    return models


def read_inversion(job: Job) -> InversionRecipe:
    """The recipe that the parameters `inversion_…` spell."""
    steps = StepRecipe(
        steps=job.integer("inversion_steps"),
        batch=job.integer("inversion_batch"),
        accumulation=job.integer("inversion_accumulation"),
        learning_rate=job.real("inversion_learning_rate"),
    )
    return InversionRecipe(
        steps=steps,
        vectors=job.integer("inversion_vectors"),
        initial_token=job.text("inversion_initial_token"),
        templates=job.words("inversion_templates"),
        at_once=at_once(job),
    )


def at_once(job: Job) -> int:
    """How many words learn side by side: as told, else one on a GPU, whose memory grows with each, and all on a CPU."""
    return job.integer("inversion_at_once") or (1 if job.device == "cuda" else 0)


def read_lora(job: Job) -> LoraRecipe:
    """The recipe that the parameters `lora_…` spell."""
    steps = StepRecipe(
        steps=job.integer("lora_steps"),
        batch=job.integer("lora_batch"),
        accumulation=1,
        learning_rate=job.real("lora_learning_rate"),
        max_grad_norm=1.0,
        optimiser=job.text("lora_optimiser"),
    )
    rank = job.integer("lora_rank")
    return LoraRecipe(steps=steps, rank=rank, alpha=rank)


def check_optimiser(recipe: LoraRecipe) -> None:
    """Raises StageError for an optimiser that is not installed."""
    make_optimiser([torch.nn.Parameter(torch.zeros(1))], recipe.steps)


def need_images(stage: Stage, train: Partition) -> None:
    """Raises StageError for a class without any training image, of which no word can be learned."""
    for y, label in enumerate(stage.job.classes):
        if not (train.y == y).any():
            raise StageError(
                f"class {label!r} has no training image to learn a word from, wanted one or more, or words learned "
                "elsewhere (parameter words)"
            )


def of_known_tone(train: Partition) -> Rows:
    """The training rows whose captions can name a tone."""
    return np.flatnonzero(train.t >= 0)


def lora_captions(
    stage: Stage, train: Partition, rows: Rows, words: Mapping[str, str], name: str
) -> LoraData:
    """What a LoRA learns from: these rows, captioned with the word of their class and their tone, or `lora_data`'s.

    Raises StageError where there is none, or for a caption that cannot be made.
    """
    job = stage.job
    check_optimiser(read_lora(job))
    data = listed(stage, train) if "lora_data" in job.parameters else None
    if data is None:
        if len(rows) == 0:
            raise StageError(f"{name}: no training image of known tone, wanted one or more")
        caption = job.text("caption")
        prompts = (
            fill_caption(caption, words[job.classes[train.y[row]]], job.tones[train.t[row]])
            for row in rows
        )
        return LoraData(rows, tuple(prompts))
    if strange := sum(not any(word in text for word in words.values()) for text in data.prompts):
        say(
            f"{strange} of {len(data.prompts)} captions have none of the words {', '.join(words.values())}"
        )
    return data


def fit_words(work: FitContext, recipe: InversionRecipe, rows: Mapping[str, Rows]) -> list[Part]:
    """A learned word for each placeholder from its rows, which the models know from now on."""
    concepts = Concepts(work.encoded, {t: torch.from_numpy(own) for t, own in rows.items()})
    watch = work.watch.part("words")
    learned = learn_tokens(work.models, concepts, recipe, work.stage.seed_of("words"), watch)
    files = save_tokens(work.stage.out / "model" / "words", learned)
    add_tokens(work.models, learned)
    return [Part(f"word-{path.stem}", path, work.ids(rows[t])) for t, path in files.items()]


def fit_lora(
    work: FitContext,
    recipe: LoraRecipe,
    data: LoraData,
    name: str,
    weights: Weights | None = None,
) -> Part:
    """A LoRA learned from these images with their captions."""
    # The papers mirror images for words only.
    encoded = Encoded(work.encoded.plain, None)
    examples = Captioned(encoded, torch.from_numpy(data.rows), data.prompts, weights)
    seed, watch = work.stage.seed_of(name), work.watch.part(name)
    learned = train_lora(work.models, examples, None, recipe, seed, watch)
    path = save_lora(work.stage.out / "model" / name, learned, recipe)
    write_list(path.with_name("train_lora.json"), work.stage, work.train, data)
    return Part(name, path, work.ids(data.rows))


def teach_words(models: Models, parts: Sequence[Part]) -> None:
    """Teaches the models the words among the parts that `fit` left."""
    add_tokens(models, read_tokens([part.file for part in parts if is_word(part)]))


def is_word(part: Part) -> bool:
    """Whether a part is a learned word."""
    return part.name.startswith("word-")


def lora_file(parts: Mapping[str, Part], name: str) -> Path:
    """The file of a LoRA that `fit` left. Raises StageError if there is none of this name."""
    if name not in parts:
        raise StageError(f"model/: has no {name!r}, wanted what this method's fit leaves")
    return parts[name].file
