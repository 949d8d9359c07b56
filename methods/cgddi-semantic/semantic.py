"""Every disease on every tone: healthy skin turned into it by a word and a LoRA that were learned of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.checkpoint import Keeper
from tonegap_kit.diffusion.fitting import (
    at_once,
    open_painter,
    open_pipeline,
    read_lora,
    teach_words,
)
from tonegap_kit.diffusion.given import given_loras, given_words, hand_over_words
from tonegap_kit.diffusion.healthy import Healthy, paint_all, read_healthy, save_healthy
from tonegap_kit.diffusion.inversion import (
    Concepts,
    InversionRecipe,
    inversion_steps,
    learn_tokens,
    save_tokens,
)
from tonegap_kit.diffusion.lora import Captioned, merged_lora, save_lora, train_lora
from tonegap_kit.diffusion.models import Models, add_tokens, encode_images, resized
from tonegap_kit.diffusion.noise_loop import Meter, StepRecipe, Watch, encode_examples
from tonegap_kit.diffusion.sampling import SamplingRecipe, img2img
from tonegap_kit.diffusion.text2img_plan import toned, worded
from tonegap_kit.errors import StageError
from tonegap_kit.lineage import Part, read_parts, write_lineage
from tonegap_kit.masks import MARKER, RULER, need_masks
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.quota import draw_sources
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

# By whether marker and ruler are there; the spelling is the released script's.
_PROPS = {
    (False, False): "",
    (False, True): " with a ruler",
    (True, False): " deliniated with marker",
    (True, True): " deliniated with marker and a ruler",
}
_TOKEN, _LORA = "word", "lora"  # parts of a model are named word-DISEASE and lora-DISEASE


@dataclass(frozen=True, slots=True)
class FitContext:
    """What a fit works with."""

    stage: Stage
    train: Partition
    masks: NDArray[np.uint8]
    models: Models
    healthy: Healthy


@dataclass(frozen=True, slots=True)
class Target:
    """One image to be made: a healthy image (its place), class and tone index, and its number in that cell."""

    healthy: int
    y: int
    t: int
    k: int


def fit(stage: Stage) -> None:
    """Leaves healthy images, and a word and a LoRA for each disease with enough images."""
    make_deterministic(stage)
    _sampling(stage)  # what generate would refuse is refused before hours are spent
    context = _open_fit(stage)
    diseases = _rows_of_diseases(stage, context.train)
    words = _word_recipe(stage)
    recipe = replace(
        read_lora(stage.job),
        prior_weight=stage.job.real("prior_weight"),
        prior_tied=stage.job.text("prior_draws") == "tied",
    )
    tokens = {stage.job.classes[y]: _token(stage, y) for y in diseases}
    called = {_part(_LORA, stage, y): (stage.job.classes[y], _token(stage, y)) for y in diseases}
    known, loras = given_words(stage, tokens), given_loras(stage, called)
    steps = 0 if known else inversion_steps(len(diseases), words)
    steps += 0 if loras else len(diseases) * recipe.steps.steps
    keeper = Keeper(stage.checkpoints(), stage.job.integer("checkpoint_every"))
    watch = Watch("fit", keeper, Meter(steps))
    add_tokens(context.models, known)
    if known:
        parts = _named(stage, diseases, hand_over_words(stage, known))
    else:
        parts = _learn_words(context, diseases, words, watch)
    if loras:
        write_lineage(stage, [*parts, *loras.values()])
        return
    kept = context.healthy.take(_prior_places(context))
    prior = _prior(context, kept)
    for y, rows in diseases.items():
        name, examples = _part(_LORA, stage, y), _examples(context, y, rows)
        seed = stage.seed_of(name)
        lora = train_lora(context.models, examples, prior, recipe, seed, watch.part(name))
        path = save_lora(stage.out / "model" / name, lora, recipe)
        parts.append(Part(name, path, _ids(context.train, [*rows, *kept.rows])))
    write_lineage(stage, parts)


def generate(stage: Stage) -> None:
    """Leaves healthy images turned into each disease that was learned, on each tone asked for."""
    make_deterministic(stage)
    train, masks, models = read_partition(stage, "train"), need_masks(stage), open_pipeline(stage)
    parts = read_parts(stage)
    teach_words(models, list(parts.values()))
    healthy = read_healthy(stage.inputs / "model")
    learned = [y for y in range(len(stage.job.classes)) if _part(_LORA, stage, y) in parts]
    targets = _plan(stage, learned, len(healthy.rows), len(train))
    images = _turned(stage, models, targets, Origin(train, masks, healthy, parts))
    write_synthetic(stage, images, len(targets), train.ids)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where sampled images come from: healthy images of training images, and the learned parts."""

    train: Partition
    masks: NDArray[np.uint8]
    healthy: Healthy
    parts: Mapping[str, Part]


def _sampling(stage: Stage) -> SamplingRecipe:
    job = stage.job
    return SamplingRecipe(
        steps=job.integer("sampling_steps"),
        strength=job.real("strength"),
        guidance=job.real("guidance"),
        batch=job.integer("sampling_batch"),
    )


def _turned(
    stage: Stage, models: Models, targets: Sequence[Target], origin: Origin
) -> Iterator[SyntheticImage]:
    job, recipe = stage.job, _sampling(stage)
    latents = encode_images(models, origin.healthy.images)
    for y in dict.fromkeys(target.y for target in targets):
        of_class = [target for target in targets if target.y == y]
        own = stage.share.take(of_class, recipe.batch)
        places = [target.healthy for target in own]
        prompts = [_prompt(stage, origin, target) for target in own]
        seeds = [stage.seed_of(f"image {c.y} {c.t} {c.k}") for c in own]
        names = (_part(_TOKEN, stage, y), _part(_LORA, stage, y))
        with merged_lora(models, origin.parts[names[1]].file):
            made = img2img(models, latents, places, prompts, seeds, recipe)
            for c, prompt, seed, image in zip(own, prompts, seeds, made, strict=True):
                yield SyntheticImage(
                    image_id=f"semantic-{c.y}-{job.tones[c.t]}-{c.k}",
                    image=resized(image, job.integer("output_px")),
                    label=job.classes[c.y],
                    tone=job.tones[c.t],
                    sources=(origin.train.ids[origin.healthy.rows[c.healthy]],),
                    prompt=prompt,
                    seed=seed,
                    models=names,
                )


def _prompt(stage: Stage, origin: Origin, target: Target) -> str:
    template, tone = stage.job.text("sampling_template"), stage.job.tones[target.t]
    props = _props(stage, origin.masks[origin.healthy.rows[target.healthy]], (RULER,))
    return worded(template, _token(stage, target.y), tone) + props


def _plan(stage: Stage, learned: Sequence[int], n_healthy: int, n_training: int) -> list[Target]:
    """Every disease on every tone: each healthy image `repeats` times, or evenly as many as `ratio` says."""
    job = stage.job
    targets = [t for t, tone in enumerate(job.tones) if tone in job.words("targets")]
    cells = [(y, t) for y in learned for t in targets]
    if not cells:
        raise StageError(
            f"targets are {', '.join(job.words('targets'))} and {len(learned)} diseases were learned, wanted "
            f"a tone of this task ({', '.join(job.tones)}) and one disease or more"
        )
    ratio, everything = job.real("ratio"), n_healthy * job.integer("repeats") * len(cells)
    total = int(ratio * n_training) if ratio > 0 else everything
    found, places = [], np.arange(n_healthy)
    for i, (y, t) in enumerate(cells):
        n = total // len(cells) + (i < total % len(cells))
        drawn = draw_sources(places, n, stage.rng(f"canvases {y} {t}"))
        found += [Target(int(place), y, t, k) for k, place in enumerate(drawn)]
    return found


def _open_fit(stage: Stage) -> FitContext:
    """The training images and models, with healthy images painted and left for sampling."""
    train, masks = read_partition(stage, "train"), need_masks(stage)
    # The painter is gone before what learns is read: only one of them needs its memory at a time.
    healthy = paint_all(
        stage, open_painter(stage), train, masks, stage.job.integer("healthy_images")
    )
    save_healthy(stage.out / "model", healthy)
    models = open_pipeline(stage)
    return FitContext(stage, train, masks, models, healthy)


def _rows_of_diseases(stage: Stage, train: Partition) -> dict[int, list[int]]:
    """The training rows of each disease that takes part, without those held out."""
    found = {}
    for y in range(len(stage.job.classes)):
        rows = np.flatnonzero((train.y == y) & (train.t >= 0))
        share = stage.job.real("held_out")
        out = max(1, round(share * len(rows))) if share > 0 else 0
        if len(rows) >= stage.job.integer("min_images") and len(rows) > out:
            kept = stage.rng(f"held out {y}").permutation(rows)[out:]
            found[y] = [int(row) for row in np.sort(kept)]
    if not found:
        raise StageError(
            f"no class has min_images ({stage.job.integer('min_images')}) or more images"
        )
    return found


def _named(stage: Stage, diseases: Mapping[int, Sequence[int]], given: list[Part]) -> list[Part]:
    """Given words by the names that this method's parts have."""
    names = [_part(_TOKEN, stage, y) for y in diseases]
    return [replace(part, name=name) for name, part in zip(names, given, strict=True)]


def _learn_words(
    context: FitContext,
    diseases: Mapping[int, Sequence[int]],
    recipe: InversionRecipe,
    watch: Watch,
) -> list[Part]:
    """The learned placeholders, saved and taught to the models."""
    stage, train = context.stage, context.train
    every = sorted({row for rows in diseases.values() for row in rows})
    place = {row: i for i, row in enumerate(every)}
    unfiltered = stage.job.flag("inversion_unfiltered")
    own = {y: every if unfiltered else list(rows) for y, rows in diseases.items()}
    concepts = Concepts(
        encode_examples(context.models, train.pictures.take(np.array(every)), mirror=True),
        {_token(stage, y): torch.tensor([place[r] for r in rows]) for y, rows in own.items()},
        torch.from_numpy(train.t[every]),
    )
    learned = learn_tokens(context.models, concepts, recipe, stage.seed_of("words"), watch)
    add_tokens(context.models, learned)
    files = save_tokens(stage.out / "model" / "words", learned)
    return [
        Part(_part(_TOKEN, stage, y), files[_token(stage, y)], _ids(train, rows))
        for y, rows in own.items()
    ]


def _examples(context: FitContext, y: int, rows: Sequence[int]) -> Captioned:
    """A disease's images, captioned by their tone and by what lies beside the lesion."""
    stage, train = context.stage, context.train
    template = stage.job.text("template")
    captions = tuple(
        worded(template, _token(stage, y), stage.job.tones[train.t[row]])
        + _props(stage, context.masks[row], (RULER, MARKER))
        for row in rows
    )
    examples = _encoded(context, train.pictures.take(np.array(rows)), captions)
    if stage.job.text("lora_draws") == "in-turn":
        return examples
    tones = train.t[np.array(rows)]
    return replace(examples, weights=len(rows) / np.bincount(tones)[tones])


def _prior_places(context: FitContext) -> list[int]:
    """Places of the healthy images that a LoRA is to keep making, `prior_images` of each tone."""
    job, tones = context.stage.job, context.train.t[context.healthy.rows]
    n = job.integer("prior_images")
    places = [int(p) for t in range(len(job.tones)) for p in np.flatnonzero(tones == t)[:n]]
    return places[:n] if job.flag("prior_cumulative") else places


def _prior(context: FitContext, kept: Healthy) -> Captioned | None:
    if len(kept.rows) == 0:
        return None
    job, tones = context.stage.job, context.train.t
    captions = tuple(
        toned(job.text("prior_prompt"), job.tones[tones[row]])
        + _props(context.stage, context.masks[row], (RULER,))
        for row in kept.rows
    )
    return _encoded(context, kept.images, captions)


def _encoded(
    context: FitContext, images: NDArray[np.uint8], captions: tuple[str, ...]
) -> Captioned:
    side = context.stage.job.integer("lora_resolution_px") or None
    how = Image.Resampling.BILINEAR  # as released for LoRAs; words are resized bicubically
    encoded = encode_examples(context.models, images, mirror=False, side_px=side, resample=how)
    return Captioned(encoded, torch.arange(len(images)), captions)


def _word_recipe(stage: Stage) -> InversionRecipe:
    job = stage.job
    steps = StepRecipe(
        steps=job.integer("inversion_steps"),
        batch=job.integer("inversion_batch"),
        accumulation=job.integer("inversion_accumulation"),
        learning_rate=job.real("inversion_learning_rate"),
    )
    templates = tuple(worded(job.text("template"), "{}", tone) for tone in job.tones)
    return InversionRecipe(
        steps,
        vectors=1,
        initial_token=job.text("inversion_initial_token"),
        templates=templates,
        at_once=at_once(job),
    )


def _props(stage: Stage, mask: NDArray[np.uint8], kinds: Sequence[int]) -> str:
    """What a caption adds for rulers and markers in the picture."""
    if not stage.job.flag("name_props"):
        return ""
    marked, ruled = (kind in kinds and bool((mask == kind).any()) for kind in (MARKER, RULER))
    return _PROPS[marked, ruled]


def _part(kind: str, stage: Stage, y: int) -> str:
    return f"{kind}-{_stem(stage, y)}"


def _token(stage: Stage, y: int) -> str:
    """The placeholder of a disease, `<basal_cell_carcinoma-class>`."""
    return f"<{_stem(stage, y)}-class>"


def _stem(stage: Stage, y: int) -> str:
    return re.sub(r"\W+", "_", stage.job.classes[y])


def _ids(train: Partition, rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(train.ids[row] for row in rows)


if __name__ == "__main__":
    main(fit=fit, generate=generate)
