"""Every disease on every tone: healthy skin turned into it by a word and a LoRA that were learned of it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.ahead import check_plain, check_side, check_steps, check_words
from tonegap_kit.diffusion.checkpoint import Keeper
from tonegap_kit.diffusion.fitting import (
    HEALTHY,
    at_once,
    check_optimiser,
    open_painter,
    open_pipeline,
    read_lora,
    teach_words,
)
from tonegap_kit.diffusion.given import given_loras, given_words, hand_over_words
from tonegap_kit.diffusion.healthy import (
    Healthy,
    healthy_rows,
    paint_all,
    read_healthy,
    save_healthy,
)
from tonegap_kit.diffusion.inversion import (
    Concepts,
    InversionRecipe,
    inversion_steps,
    learn_tokens,
    save_tokens,
)
from tonegap_kit.diffusion.lora import Captioned, merged_lora, save_lora, train_lora
from tonegap_kit.diffusion.models import Models, add_tokens, encode_images, resized
from tonegap_kit.diffusion.noise_loop import (
    Meter,
    StepRecipe,
    Watch,
    check_learns,
    encode_examples,
)
from tonegap_kit.diffusion.sampling import SamplingRecipe, img2img
from tonegap_kit.diffusion.text2img_plan import toned, worded
from tonegap_kit.errors import StageError
from tonegap_kit.lineage import Part, read_parts, write_lineage
from tonegap_kit.masks import MARKER, RULER, need_masks
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.quota import by_ratio, draw_sources
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
    models: Models
    healthy: Healthy


@dataclass(frozen=True, slots=True)
class Ahead:
    """What follows from parameters and training images: the rows of each disease, and captions by training row.

    `captions` are those of photographs, `prior_captions` those of healthy images.
    """

    diseases: dict[int, list[int]]
    captions: dict[int, str]
    prior_captions: dict[int, str]


@dataclass(frozen=True, slots=True)
class Target:
    """One image to be made: a healthy image (its place), class and tone index, its number there, and its prompt."""

    healthy: int
    y: int
    t: int
    k: int
    prompt: str


def fit(stage: Stage) -> None:
    """Leaves healthy images, and a word and a LoRA for each disease with enough images."""
    make_deterministic(stage)
    # What a later step or generate would refuse is refused before hours are spent.
    train, masks = read_partition(stage, "train"), need_masks(stage)
    ahead, words = _look_ahead(stage, train, masks), _word_recipe(stage)
    diseases = ahead.diseases
    recipe = replace(
        read_lora(stage.job),
        prior_weight=stage.job.real("prior_weight"),
        prior_tied=stage.job.text("prior_draws") == "tied",
    )
    tokens = {stage.job.classes[y]: _token(stage, y) for y in diseases}
    called = {_part(_LORA, stage, y): (stage.job.classes[y], _token(stage, y)) for y in diseases}
    known, loras = given_words(stage, tokens), given_loras(stage, called)
    check_words(stage, tokens.values(), words, known)
    if not loras:
        check_optimiser(recipe)
    steps = 0 if known else inversion_steps(len(diseases), words)
    steps += 0 if loras else len(diseases) * recipe.steps.steps
    keeper = Keeper(stage.checkpoints(), stage.job.integer("checkpoint_every"))
    context = _open_fit(stage, train, masks)
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
    prior = _prior(context, kept, ahead)
    for y, rows in diseases.items():
        name, examples = _part(_LORA, stage, y), _examples(context, rows, ahead)
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
    targets = _plan(stage, learned, healthy.rows, train, masks)
    images = _turned(stage, models, targets, Origin(train, healthy, parts))
    write_synthetic(stage, images, len(targets), train.ids)


def _look_ahead(stage: Stage, train: Partition, masks: NDArray[np.uint8]) -> Ahead:
    """All of `fit` and `generate` that follows from parameters and training images. Raises StageError."""
    job, side = stage.job, stage.job.integer("lora_resolution_px")
    rows, _holes = healthy_rows(stage, train, masks, job.integer("healthy_images"))
    diseases = _rows_of_diseases(stage, train)
    _check_names(stage, diseases)
    if side:
        check_side("lora_resolution_px", side)
    if job.integer("prior_images") < 0 or job.real("prior_weight") < 0:
        raise StageError(
            f"prior_images is {job.integer('prior_images')} and prior_weight is {job.real('prior_weight')}, wanted "
            "numbers of 0 or more"
        )
    captions = {row: _caption(stage, train, masks, row) for own in diseases.values() for row in own}
    prior = {int(row): _prior_caption(stage, train, masks, int(row)) for row in rows}
    _plan(stage, list(diseases), rows, train, masks)
    return Ahead(diseases, captions, prior)


def _check_names(stage: Stage, diseases: Collection[int]) -> None:
    """Raises StageError for diseases whose parts have one name, or whose placeholders are one to the tokenizer."""
    seen: dict[str, str] = {}
    for y in diseases:
        label = stage.job.classes[y]
        other = seen.setdefault(_stem(stage, y).lower(), label)
        if other != label:
            raise StageError(
                f"classes {other!r} and {label!r} have the same letters, so that their words and LoRAs would have one "
                "name; wanted names that differ in a letter or a digit, and not in its case alone"
            )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where sampled images come from: healthy images of training images, and the learned parts."""

    train: Partition
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
        if not (own := stage.share.take(of_class, recipe.batch)):
            continue
        places = [target.healthy for target in own]
        prompts = [target.prompt for target in own]
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


def _plan(
    stage: Stage,
    learned: Sequence[int],
    healthy: NDArray[np.int64],
    train: Partition,
    masks: NDArray[np.uint8],
) -> list[Target]:
    """Every disease on every tone: each healthy image `repeats` times, or evenly as many as `ratio` says.

    `healthy` are the training rows of the healthy images. Raises StageError where none is wanted, and for all that
    sampling would refuse.
    """
    job, template = stage.job, stage.job.text("sampling_template")
    _sampling(stage)
    check_steps(stage)
    check_side("output_px", job.integer("output_px"))
    targets = [t for t, tone in enumerate(job.tones) if tone in job.words("targets")]
    cells = [(y, t) for y in learned for t in targets]
    if not cells:
        raise StageError(
            f"targets are {', '.join(job.words('targets'))} and {len(learned)} diseases were learned, wanted "
            f"a tone of this task ({', '.join(job.tones)}) and one disease or more"
        )
    ratio, repeats = job.real("ratio"), job.integer("repeats")
    total = by_ratio(ratio, len(train)) if ratio > 0 else len(healthy) * repeats * len(cells)
    if ratio < 0 or total < 1:
        raise StageError(
            f"ratio is {ratio} and repeats is {repeats}, which allow no image; raise one of them"
        )
    props = [_props(stage, masks[row], (RULER,)) for row in healthy]
    found, places = [], np.arange(len(healthy))
    for i, (y, t) in enumerate(cells):
        n = total // len(cells) + (i < total % len(cells))
        drawn = draw_sources(places, n, stage.rng(f"canvases {y} {t}"))
        asked = worded(template, _token(stage, y), job.tones[t], called="sampling_template")
        found += [Target(int(p), y, t, k, asked + props[p]) for k, p in enumerate(drawn)]
    return found


def _open_fit(stage: Stage, train: Partition, masks: NDArray[np.uint8]) -> FitContext:
    """The models beside the training images, with healthy images painted and left for sampling."""
    check_plain(stage, f", and these as {HEALTHY}")
    if stage.folder(HEALTHY) is not None:
        # What is wrong with the one that learns is said before the other has painted all images.
        check_learns(open_pipeline(stage))
    # The painter is gone before what learns is read: only one of them needs its memory at a time.
    healthy = _painted(stage, train, masks)
    save_healthy(stage.out / "model", healthy)
    return FitContext(stage, train, open_pipeline(stage), healthy)


def _painted(stage: Stage, train: Partition, masks: NDArray[np.uint8]) -> Healthy:
    painter = open_painter(stage)
    if stage.folder(HEALTHY) is None:
        check_learns(painter)
    return paint_all(stage, painter, train, masks, stage.job.integer("healthy_images"))


def _rows_of_diseases(stage: Stage, train: Partition) -> dict[int, list[int]]:
    """The training rows of each disease that takes part, without those held out."""
    found = {}
    for y in range(len(stage.job.classes)):
        rows = np.flatnonzero((train.y == y) & (train.t >= 0))
        share = stage.job.real("held_out")
        if not 0 <= share < 1:
            raise StageError(f"held_out is {share}, wanted a share from 0 to below 1")
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


def _caption(stage: Stage, train: Partition, masks: NDArray[np.uint8], row: int) -> str:
    """The caption of a training image: its disease, its tone, and what lies beside the lesion."""
    tone, token = stage.job.tones[train.t[row]], _token(stage, int(train.y[row]))
    said = worded(stage.job.text("template"), token, tone)
    return said + _props(stage, masks[row], (RULER, MARKER))


def _prior_caption(stage: Stage, train: Partition, masks: NDArray[np.uint8], row: int) -> str:
    """The caption of the healthy image of a training row."""
    said = toned(stage.job.text("prior_prompt"), stage.job.tones[train.t[row]], "prior_prompt")
    return said + _props(stage, masks[row], (RULER,))


def _examples(context: FitContext, rows: Sequence[int], ahead: Ahead) -> Captioned:
    """A disease's images with their captions."""
    stage, train = context.stage, context.train
    captions = tuple(ahead.captions[row] for row in rows)
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


def _prior(context: FitContext, kept: Healthy, ahead: Ahead) -> Captioned | None:
    if len(kept.rows) == 0:
        return None
    captions = tuple(ahead.prior_captions[int(row)] for row in kept.rows)
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
    """The placeholder of a disease as released, `<basal_cell_carcinoma-class>`: blanks alone are replaced."""
    return f"<{stage.job.classes[y].replace(' ', '_')}-class>"


def _stem(stage: Stage, y: int) -> str:
    """A disease in the names of parts, files and draws, which cannot have every letter of a placeholder."""
    return re.sub(r"\W+", "_", stage.job.classes[y])


def _ids(train: Partition, rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(train.ids[row] for row in rows)


if __name__ == "__main__":
    main(fit=fit, generate=generate)
