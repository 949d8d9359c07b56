"""Learned words and a LoRA, then preference training from checklists; photographs turned into another condition."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from feedback import Sampled, by_rule, check_judgement, measure, read_scores, write_form
from preferences import (
    PreferenceRecipe,
    SampledPairs,
    Wanted,
    chain_by,
    chain_of,
    pair_loss,
    sample_pairs,
)
from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.ahead import check_side, check_steps, check_words
from tonegap_kit.diffusion.fitting import (
    FitContext,
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
from tonegap_kit.diffusion.lora import LoraRecipe, merged_lora, save_lora, train_additions
from tonegap_kit.diffusion.models import Models, encode_images, resized
from tonegap_kit.diffusion.noise_loop import StepRecipe
from tonegap_kit.diffusion.parts import RAISED
from tonegap_kit.diffusion.prompts import tokens_of
from tonegap_kit.diffusion.sampling import img2img, in_decoded_images
from tonegap_kit.diffusion.scheduler import read_scheduler
from tonegap_kit.diffusion.text2img_plan import worded
from tonegap_kit.diffusion.variants import read_sampling
from tonegap_kit.errors import StageError
from tonegap_kit.job import Job
from tonegap_kit.lineage import Part, read_parts, write_lineage
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.quota import by_ratio, draw_sources, is_three_level, level_counts
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

PREFERENCE = "preference"
_MEASURED = 200  # photographs of a condition that a rule compares with


@dataclass(frozen=True, slots=True)
class Conversion:
    """The k-th image wanted of training row `row`: the same skin with class index `y`, which is not its own."""

    row: int
    y: int
    k: int


def fit(stage: Stage) -> None:
    """Leaves words, a LoRA, sampled images with their checklists, and what was learned from preferring some."""
    tokens, train = tokens_of(stage.job.classes), read_partition(stage, "train")
    inversion, lora = read_inversion(stage.job), read_lora(stage.job)
    # What a later step or generate would refuse is refused before hours are spent.
    _ask(stage, train)
    drawn, own = _drawn_pairs(stage, train), read_preference(stage.job)
    _told(stage.job)
    check_judgement(stage.file("feedback"))
    _need_noise(stage)
    words, joint = given_words(stage, tokens), given_lora(stage)
    check_words(stage, tokens.values(), inversion, words)
    if not words:
        need_images(stage, train)
    if joint is None:
        captions = lora_captions(stage, train, _captioned_rows(stage, train), tokens, "lora")
    steps = 0 if words else inversion_steps(len(tokens), inversion)
    steps += 0 if joint is not None else lora.steps.steps
    work = open_fit(stage, steps + len(drawn) + own.steps.steps, words)
    rows = {token: work.rows_of(label) for label, token in tokens.items()}
    parts = hand_over_words(stage, words) or fit_words(work, inversion, rows)
    joint = joint or fit_lora(work, lora, captions, "lora")
    write_lineage(stage, [*parts, joint, _fit_preference(work, own, joint, drawn)])


def generate(stage: Stage) -> None:
    """Leaves training images turned into another condition, on the skin and of the tone that they have."""
    make_deterministic(stage)
    models, train, parts = open_pipeline(stage), read_partition(stage, "train"), read_parts(stage)
    teach_words(models, list(parts.values()))
    asked = _ask(stage, train)
    with (
        merged_lora(models, lora_file(parts, "lora")),
        merged_lora(models, lora_file(parts, PREFERENCE)),
    ):
        write_synthetic(stage, _made(stage, models, train, asked), len(asked), train.ids)


def _ask(stage: Stage, train: Partition) -> list[tuple[Conversion, str]]:
    """Every image with its prompt: all of `generate` that follows from parameters and training images."""
    read_sampling(stage)
    check_steps(stage)
    check_side("output_px", stage.job.integer("output_px"))
    tokens = tokens_of(stage.job.classes)
    return [(one, _prompt(stage, train, one, tokens)) for one in plan_conversions(stage, train)]


def _told(job: Job) -> PreferenceRecipe:
    """How pairs are learned from."""
    return PreferenceRecipe(
        job.real("preference_beta"),
        job.real("preference_clip"),
        job.integer("preference_batch"),
        job.real("guidance"),
    )


def _need_noise(stage: Stage) -> None:
    """Raises StageError where no step of sampling adds noise, so that none has a probability to learn by.

    A folder whose schedule cannot be read is left to who opens it.
    """
    job, folder = stage.job, stage.folder("pipeline")
    if folder is None:
        return
    try:
        _, config = read_scheduler(folder / "scheduler" / "scheduler_config.json")
        chain = chain_by(config, read_sampling(stage))
    except RAISED:
        return
    if not bool((chain.spread > 0).any()):
        raise StageError(
            f"sampling_steps {job.integer('sampling_steps')} and strength {job.real('strength')} leave {len(chain)} "
            "steps of sampling, of which the last has no noise; wanted two or more to learn from"
        )


def read_preference(job: Job) -> LoraRecipe:
    """The recipe that the parameters `preference_…` spell; its additions have the LoRA's rank."""
    steps = StepRecipe(
        steps=job.integer("preference_steps"),
        batch=job.integer("preference_batch"),
        accumulation=job.integer("preference_accumulation"),
        learning_rate=job.real("preference_learning_rate"),
        weight_decay=1e-4,
        max_grad_norm=1.0,
    )
    return LoraRecipe(steps=steps, rank=job.integer("lora_rank"), alpha=job.integer("lora_rank"))


def plan_conversions(stage: Stage, train: Partition) -> list[Conversion]:
    """All images wanted, by the parameters `tones`, `ratio` and `balance`; sources are used in turn.

    The other condition is drawn for each image, or is what `level_counts` says. Raises StageError where there
    is no source, or no other condition.
    """
    job, rng = stage.job, stage.rng("conversions")
    tones = [i for i, tone in enumerate(job.tones) if tone in job.words("tones")]
    rows, n = np.flatnonzero(np.isin(train.t, tones)), by_ratio(job.real("ratio"), len(train))
    classes = np.unique(train.y[train.y >= 0])
    if len(rows) == 0 or len(classes) < 2 or n < 1:
        raise StageError(
            f"{len(rows)} photographs of the tones {', '.join(job.words('tones'))}, {len(classes)} conditions and "
            f"{n} images by ratio, wanted one, two and one or more"
        )
    if not is_three_level(stage):
        drawn = draw_sources(rows, n, rng)
        asked = [int(rng.choice(classes[classes != train.y[row]])) for row in drawn]
        return _numbered(list(zip(drawn.tolist(), asked, strict=True)))
    real = np.zeros((len(job.classes), len(job.tones)), np.int64)
    known = (train.t >= 0) & (train.y >= 0)
    np.add.at(real, (train.y[known], train.t[known]), 1)
    sources = {
        (int(y), t): rows[(train.t[rows] == t) & (train.y[rows] != y)]
        for y in classes
        for t in tones
    }
    can = np.zeros(real.shape, bool)
    for cell, own in sources.items():
        can[cell] = len(own) > 0
    made = level_counts(real, can, n)
    cells = [(int(y), int(t)) for y, t in np.argwhere(made > 0)]
    return _numbered(
        [
            (int(row), y)
            for y, t in cells
            for row in draw_sources(sources[y, t], int(made[y, t]), rng)
        ]
    )


def _numbered(wanted: Sequence[tuple[int, int]]) -> list[Conversion]:
    """The conversions by row, each of the same row and class with a number of its own."""
    seen: dict[tuple[int, int], int] = {}
    found = []
    for row, y in sorted(wanted):
        found.append(Conversion(row, y, seen.get((row, y), 0)))
        seen[row, y] = found[-1].k + 1
    return found


def _captioned_rows(stage: Stage, train: Partition) -> NDArray[np.int64]:
    """The training rows that the LoRA learns from: all, or those of known tone where the caption names it."""
    named = "{tone}" in stage.job.text("caption")
    return of_known_tone(train) if named else np.arange(len(train))


def _fit_preference(
    work: FitContext, recipe: LoraRecipe, joint: Part, drawn: Sequence[Conversion]
) -> Part:
    """What more additions learn from judged pairs, with the network as it is with the LoRA as their reference."""
    models, seed = work.models, work.stage.seed_of(PREFERENCE)
    how, tokens = read_sampling(work.stage), tokens_of(work.stage.job.classes)
    rows = sorted({one.row for one in drawn})
    place = {row: i for i, row in enumerate(rows)}
    wanted = [
        Wanted(
            place[one.row],
            _prompt(work.stage, work.train, one, tokens),
            work.stage.seed_of(f"pair {one.k}"),
        )
        for one in drawn
    ]
    with merged_lora(models, joint.file):
        chain = chain_of(models, how)
        latents = encode_images(models, work.train.pictures.take(np.array(rows)))
        pairs = sample_pairs(models, chain, latents, wanted, how)
        if work.watch.meter is not None:
            work.watch.meter.advance(len(drawn))
        scores = _judged(work, drawn, pairs)
        loss = pair_loss(models, chain, pairs, scores, _told(work.stage.job), seed)
        learned = train_additions(models, loss, recipe, seed, work.watch.part(PREFERENCE))
    path = save_lora(work.stage.out / "model" / PREFERENCE, learned, recipe)
    return Part(PREFERENCE, path, (*joint.sources, *work.ids(np.array(rows))))


def _drawn_pairs(stage: Stage, train: Partition) -> list[Conversion]:
    """N photographs in turn, each with another condition drawn for it; `k` is the pair's number."""
    rng, n = stage.rng("pairs"), stage.job.integer("pairs")
    rows, classes = np.flatnonzero(train.y >= 0), np.unique(train.y[train.y >= 0])
    if "{tone}" in stage.job.text("prompt"):
        rows = rows[train.t[rows] >= 0]
    if n < 1 or len(rows) == 0 or len(classes) < 2:
        raise StageError(
            f"pairs is {n} of {len(classes)} conditions, wanted 1 or more of two or more"
        )
    drawn = [
        Conversion(int(row), int(rng.choice(classes[classes != train.y[row]])), i)
        for i, row in enumerate(draw_sources(rows, n, rng))
    ]
    tokens = tokens_of(stage.job.classes)
    for one in drawn:
        _prompt(stage, train, one, tokens)  # refuses one that cannot be made
    return drawn


def _judged(work: FitContext, drawn: Sequence[Conversion], pairs: SampledPairs) -> torch.Tensor:
    """What the sampled images are worth [n, 2]; they are left in `model/samples` with the form to judge them by."""
    stage, job = work.stage, work.stage.job
    folder = stage.out / "model" / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    images = np.stack(list(in_decoded_images(work.models, pairs.latents[:, :, -1].flatten(0, 1))))
    sampled = [
        Sampled(
            image := f"{one.k:05}-{'ab'[k]}.png",
            _saved(folder / image, images[2 * i + k]),
            work.train.ids[one.row],
            job.classes[one.y],
            pairs.prompts[i],
        )
        for i, one in enumerate(drawn)
        for k in range(2)
    ]
    given = stage.file("feedback")
    form = folder / "feedback.json"
    if given is None:
        conditions = [one.condition for one in sampled]
        photographs = {
            label: _photographs(work, label, images.shape[1]) for label in dict.fromkeys(conditions)
        }
        scores = by_rule(images, conditions, photographs)
        write_form(form, sampled, scores, job.words("checklist"))
    else:
        form.write_bytes(given.read_bytes())
    return read_scores(form, sampled).view(-1, 2)


def _photographs(work: FitContext, label: str, side: int) -> NDArray[np.float64]:
    """What is measured of a condition's photographs at the samples' side; of many, of some spread evenly."""
    rows = work.rows_of(label)
    rows = rows[:: -(-len(rows) // _MEASURED)]
    return measure(resized(work.train.pictures.take(row[None])[0], side) for row in rows)


def _saved(path: Path, image: NDArray[np.uint8]) -> str:
    """Writes an image and gives the SHA-256 of its file."""
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    path.write_bytes(buffer.getvalue())
    return sha256(buffer.getvalue()).hexdigest()


def _prompt(stage: Stage, train: Partition, one: Conversion, tokens: Mapping[str, str]) -> str:
    caption = stage.job.text("prompt")
    tone = stage.job.tones[train.t[one.row]] if train.t[one.row] >= 0 else ""
    token = tokens[stage.job.classes[one.y]]
    return worded(caption, token, tone, called="prompt", placeholder="{token}")


def _made(
    stage: Stage, models: Models, train: Partition, asked: Sequence[tuple[Conversion, str]]
) -> Iterator[SyntheticImage]:
    job, tokens, recipe = stage.job, tokens_of(stage.job.classes), read_sampling(stage)
    if not (own := stage.share.take(list(asked), recipe.batch)):
        return
    wanted, prompts = [one for one, _ in own], [prompt for _, prompt in own]
    rows = sorted({one.row for one in wanted})
    place = {row: i for i, row in enumerate(rows)}
    latents = encode_images(models, train.pictures.take(np.array(rows)))
    names = [f"{train.ids[one.row]}_{one.y}_{one.k}" for one in wanted]
    seeds = [stage.seed_of(f"image {name}") for name in names]
    at = [place[one.row] for one in wanted]
    made = img2img(models, latents, at, prompts, seeds, recipe)
    for one, name, prompt, seed, image in zip(wanted, names, prompts, seeds, made, strict=True):
        label = job.classes[one.y]
        yield SyntheticImage(
            image_id=name,
            image=resized(image, job.integer("output_px")),
            label=label,
            tone=job.tones[train.t[one.row]],
            sources=(train.ids[one.row],),
            prompt=prompt,
            seed=seed,
            models=(f"word-{tokens[label]}", "lora", PREFERENCE),
        )


if __name__ == "__main__":
    main(fit=fit, generate=generate)
