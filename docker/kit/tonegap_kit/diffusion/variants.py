"""Variants of real images in another skin tone: which source, which tone, how many, and the images.

A source of a majority tone is asked for in a tone drawn from the targets, one of a target tone in its
own; a source of any other tone, or of none, is not used.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage
from tonegap_kit.diffusion.ahead import check_side, check_steps
from tonegap_kit.diffusion.flow import FlowModels, images_from_images, with_lora
from tonegap_kit.diffusion.models import Models, resized
from tonegap_kit.diffusion.prompts import fill_caption
from tonegap_kit.diffusion.sampling import SamplingRecipe
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.quota import by_ratio, draw_sources, is_three_level, level_counts
from tonegap_kit.synthetic import SyntheticImage, write_synthetic


@dataclass(frozen=True, slots=True)
class Variant:
    """The k-th image wanted of the training row `row`, of tone index `t`."""

    row: int
    t: int
    k: int


@dataclass(frozen=True, slots=True)
class VariantModel:
    """How a class is asked for: the word for it, the LoRA to merge, the names of all parts that takes."""

    word: str
    lora: Path | None = None
    parts: tuple[str, ...] = ()


def plan_variants(stage: Stage, train: Partition) -> list[Variant]:
    """All variants wanted, by the parameters `majority`, `targets`, `per_source`, `ratio` and `balance`.

    Where `ratio` allows fewer, sources are drawn at random; each source used gets all of its variants.
    """
    job = stage.job
    majority, targets = (
        _tones(job.tones, job.words("majority")),
        _tones(job.tones, job.words("targets")),
    )
    if not targets:
        raise StageError(
            f"targets are {', '.join(job.words('targets'))}, none of which is a tone of this task: "
            f"{', '.join(job.tones)}"
        )
    per_source, ratio = job.integer("per_source"), job.real("ratio")
    if per_source < 1 or ratio <= 0:
        raise StageError(
            f"per_source is {per_source} and ratio is {ratio}, wanted 1 or more, above 0"
        )
    rng, most = stage.rng("variants"), by_ratio(ratio, len(train))
    rows = np.flatnonzero(np.isin(train.t, [*majority, *targets]))
    if is_three_level(stage):
        budget = min(most, per_source * len(rows))
        return _levelled(train, majority, targets, budget, rng)
    # Drawn for every source, used or not, so that a larger ratio only adds variants.
    asked = rng.choice(targets, len(rows))
    tones = np.where(np.isin(train.t[rows], targets), train.t[rows], asked)
    used = np.sort(rng.permutation(len(rows))[: most // per_source])
    if len(rows) and not len(used):
        raise StageError(f"ratio {ratio} allows no variant of any source; raise it")
    return [Variant(int(rows[i]), int(tones[i]), k) for i in used for k in range(per_source)]


def _levelled(
    train: Partition,
    majority: Sequence[int],
    targets: Sequence[int],
    budget: int,
    rng: np.random.Generator,
) -> list[Variant]:
    """Variants by `level_counts`, each class's sources in turn: those of a majority tone, or of the tone itself."""
    n_classes, n_tones = int(train.y.max(initial=-1)) + 1, max([*train.t, *targets]) + 1
    sources, real = {}, np.zeros((n_classes, n_tones), np.int64)
    for y, t in np.ndindex(real.shape):
        own = train.y == y
        real[y, t] = np.sum(own & (train.t == t))
        if t in targets:
            sources[y, t] = np.flatnonzero(own & np.isin(train.t, [*majority, t]))
    can = np.zeros(real.shape, bool)
    for cell, rows in sources.items():
        can[cell] = len(rows) > 0
    made = level_counts(real, can, budget)
    drawn = [
        (int(row), int(t))
        for y, t in np.argwhere(made > 0)
        for row in draw_sources(sources[y, t], int(made[y, t]), rng)
    ]
    seen: Counter[int] = Counter()
    variants = []
    for row, t in sorted(drawn):
        variants.append(Variant(row, t, seen[row]))
        seen[row] += 1
    return variants


def check_variants(stage: Stage, words: Mapping[str, str]) -> Partition:
    """The training images, in `fit`: raises StageError for all that `generate` would refuse, before hours are spent.

    `words` has the word of each class.
    """
    train = read_partition(stage, "train")
    _ask(stage, train, {label: VariantModel(word) for label, word in words.items()})
    return train


def write_variants(
    stage: Stage,
    models: Models | FlowModels,
    train: Partition,
    variant_models: Mapping[str, VariantModel],
) -> None:
    """Leaves the images of all variants wanted, each class painted as its model says."""
    asked = _ask(stage, train, variant_models)
    made = _painted(stage, models, train, asked)
    write_synthetic(stage, made, len(asked), train.ids)


def _ask(
    stage: Stage, train: Partition, variant_models: Mapping[str, VariantModel]
) -> list["_Asked"]:
    """Every image with its prompt and seed: all of `generate` that follows from parameters and training images."""
    job = stage.job
    read_sampling(stage)
    check_steps(stage)
    check_side("output_px", job.integer("output_px"))
    variants = plan_variants(stage, train)
    if not variants:
        raise StageError(
            f"no variant is wanted: no training image has a tone of majority ({', '.join(job.words('majority'))}) or "
            f"targets ({', '.join(job.words('targets'))}), or ratio {job.real('ratio')} allows none"
        )
    return [_Asked(stage, train, variant, variant_models) for variant in variants]


def read_sampling(stage: Stage) -> SamplingRecipe:
    """The recipe that the parameters `sampling_steps`, `strength`, `guidance`, `sampling_batch` spell."""
    job = stage.job
    return SamplingRecipe(
        steps=job.integer("sampling_steps"),
        strength=job.real("strength"),
        guidance=job.real("guidance"),
        batch=job.integer("sampling_batch"),
    )


class _Asked:
    """One variant as it is asked for, and as it is written down."""

    def __init__(
        self,
        stage: Stage,
        train: Partition,
        variant: Variant,
        variant_models: Mapping[str, VariantModel],
    ) -> None:
        job, self.row = stage.job, variant.row
        self._side, self._source = job.integer("output_px"), train.ids[variant.row]
        self._label, self._tone = job.classes[train.y[variant.row]], job.tones[variant.t]
        self._id = f"{self._source}_{variant.k}"
        self.variant_model = variant_models[self._label]
        self.prompt = fill_caption(job.text("caption"), self.variant_model.word, self._tone)
        self.seed = stage.seed_of(f"image {self._id}")

    def made(self, image: NDArray[np.uint8]) -> SyntheticImage:
        """The image with all that is said of it."""
        return SyntheticImage(
            image_id=self._id,
            image=resized(image, self._side),
            label=self._label,
            tone=self._tone,
            sources=(self._source,),
            prompt=self.prompt,
            seed=self.seed,
            models=self.variant_model.parts,
        )


def _painted(
    stage: Stage, models: Models | FlowModels, train: Partition, asked: Sequence[_Asked]
) -> Iterator[SyntheticImage]:
    """The images, class by class where each has a LoRA of its own: one is merged at a time."""
    recipe = read_sampling(stage)
    by_lora = sorted(asked, key=lambda one: str(one.variant_model.lora))
    for lora, group in groupby(by_lora, key=lambda one: one.variant_model.lora):
        if not (own := stage.share.take(list(group), recipe.batch)):
            continue
        rows = sorted({one.row for one in own})
        # Each source is encoded once, however many variants it has.
        pictures = train.pictures.take(np.array(rows))
        place = {row: i for i, row in enumerate(rows)}
        prompts, seeds = [one.prompt for one in own], [one.seed for one in own]
        with with_lora(models, lora):
            at = [place[one.row] for one in own]
            made = images_from_images(models, pictures, at, prompts, seeds, recipe)
            for one, image in zip(own, made, strict=True):
                yield one.made(image)


def _tones(known: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [i for i, tone in enumerate(known) if tone in wanted]
