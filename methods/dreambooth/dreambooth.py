"""A network for each condition: fine-tuned on its captioned images, then asked for more of them."""

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from augmented import Augmented
from finetune import check_network, finetune, load_network, save_network
from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import device_of, make_deterministic
from tonegap_kit.diffusion.ahead import check_plain
from tonegap_kit.diffusion.checkpoint import Keeper
from tonegap_kit.diffusion.fitting import open_pipeline
from tonegap_kit.diffusion.lora import Captioned, CaptionedSides
from tonegap_kit.diffusion.models import Models, dtype_of
from tonegap_kit.diffusion.noise_loop import (
    Meter,
    StepRecipe,
    Watch,
    check_learns,
    encode_examples,
)
from tonegap_kit.diffusion.sampling import text2img
from tonegap_kit.diffusion.text2img_plan import (
    Asked,
    check_orders,
    from_text,
    names_tone,
    read_sampling,
    worded,
)
from tonegap_kit.errors import StageError
from tonegap_kit.lineage import Part, read_parts, write_lineage
from tonegap_kit.partition import Partition, read_partition
from tonegap_kit.quota import Quota
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

_JOINT = "network"


def fit(stage: Stage) -> None:
    """Leaves a trained network for each class that has images, or one for all of them."""
    make_deterministic(stage)
    train = read_partition(stage, "train")
    # What a later step or generate would refuse is refused before hours are spent.
    rows = _rows_of_networks(stage, train)
    for order in check_orders(stage, train, {}):
        _network(stage, order.y, rows)
    prompts = {name: _prompts(stage, train, own) for name, own in rows.items()}
    recipes = {name: _recipe(stage, len(own)) for name, own in rows.items()}
    kept = dtype_of(stage.job.text("precision"), device_of(stage.job.device))
    if stage.job.integer("prior_images") < 0 or stage.job.real("prior_weight") < 0:
        raise StageError(
            f"prior_images is {stage.job.integer('prior_images')} and prior_weight is "
            f"{stage.job.real('prior_weight')}, wanted numbers of 0 or more"
        )
    every = stage.job.integer("checkpoint_every")
    keeper = Keeper(stage.checkpoints(), every, one_at_a_time=True)
    check_plain(stage)
    models = open_pipeline(stage, "training_precision")
    check_learns(models)
    prior = _prior(stage, models)
    meter = Meter(sum(recipe.steps for recipe in recipes.values()))
    trained = False
    for name, own in rows.items():
        if (path := _saved(keeper, name)).exists():  # by a try that was killed later
            check_network(models, path)
            meter.advance(recipes[name].steps)
            continue
        if trained:
            del models  # before it is read anew: two networks of full precision are 7 GB
            models = open_pipeline(stage, "training_precision")
        prior_weight = stage.job.real("prior_weight")
        sides = CaptionedSides(
            _captioned(stage, models, train, own, prompts[name]), prior, prior_weight
        )
        watch = Watch(name, keeper, meter)
        finetune(models, sides, recipes[name], stage.seed_of(name), watch)
        save_network(path, models, kept, watch)
        trained = True
        del sides
    write_lineage(stage, [_handed_over(stage, keeper, train, *network) for network in rows.items()])


def _saved(keeper: Keeper, name: str) -> Path:
    """Where a trained network waits for the others: among the checkpoints, which outlive a kill."""
    return keeper.folder / f"{name}.trained.safetensors"


def _handed_over(
    stage: Stage, keeper: Keeper, train: Partition, name: str, own: np.ndarray
) -> Part:
    path = stage.out / "model" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    _saved(keeper, name).rename(path)
    return Part(name, path, tuple(train.ids[row] for row in own))


def generate(stage: Stage) -> None:
    """Leaves images for every tone that a class is short of, from its network."""
    make_deterministic(stage)
    train = read_partition(stage, "train")
    orders = check_orders(stage, train, {})
    images = _asked(stage, open_pipeline(stage), orders, read_parts(stage))
    write_synthetic(stage, images, sum(order.n for order in orders), train.ids)


def _asked(
    stage: Stage, models: Models, orders: list[Quota], parts: Mapping[str, Part]
) -> Iterator[SyntheticImage]:
    for y, own in groupby(orders, key=lambda order: order.y):
        name = _network(stage, y, parts)
        load_network(models, parts[name].file)
        yield from from_text(stage, models, list(own), Asked(parts=(name,)))


def _rows_of_networks(stage: Stage, train: Partition) -> dict[str, np.ndarray]:
    """The training rows of each network by its name; an image whose tone cannot be named is left out."""
    told = train.t >= 0 if names_tone(stage.job.text("template")) else np.ones(len(train), bool)
    if stage.job.flag("joint"):
        found = {_JOINT: np.flatnonzero(told)}
    else:
        found = {_name(y): np.flatnonzero(told & (train.y == y)) for y in np.unique(train.y)}
    found = {name: rows for name, rows in found.items() if len(rows)}
    if not found:
        raise StageError("no training image has a known tone, wanted some to learn from")
    return found


def _network(stage: Stage, y: int, there: Collection[str]) -> str:
    """The name of a class's network among those that are there. Raises StageError if it has none."""
    name = _JOINT if _JOINT in there else _name(y)
    if name not in there:
        raise StageError(f"class {stage.job.classes[y]!r} has no trained network {name!r}")
    return name


def _name(y: int) -> str:
    return f"network-{y}"


def _recipe(stage: Stage, n_images: int) -> StepRecipe:
    job = stage.job
    batch = job.integer("batch")
    if batch < 1:
        raise StageError(f"batch is {batch}, wanted 1 or more")
    return StepRecipe(
        steps=job.integer("epochs") * -(-n_images // batch),
        batch=batch,
        accumulation=1,
        learning_rate=job.real("learning_rate"),
        max_grad_norm=1.0,
    )


def _prompts(stage: Stage, train: Partition, rows: np.ndarray) -> tuple[str, ...]:
    """The captions of training rows."""
    template, tones = stage.job.text("template"), (*stage.job.tones, "")
    return tuple(
        worded(template, stage.job.classes[train.y[row]], tones[train.t[row]]) for row in rows
    )


def _captioned(
    stage: Stage, models: Models, train: Partition, rows: np.ndarray, prompts: tuple[str, ...]
) -> Captioned:
    if stage.job.flag("augmentation"):
        return Captioned(Augmented(models, train.pictures), torch.from_numpy(rows), prompts)
    encoded = encode_examples(models, train.pictures.take(rows), mirror=False)
    return Captioned(encoded, torch.arange(len(rows)), prompts)


def _prior(stage: Stage, models: Models) -> Captioned | None:
    """What the network makes of skin in general, with the prompt that it is to keep making it for."""
    n, prompt = stage.job.integer("prior_images"), stage.job.text("prior_prompt")
    if n == 0:
        return None
    seeds = [stage.seed_of(f"prior {k}") for k in range(n)]
    made = np.stack(list(text2img(models, [prompt] * n, seeds, read_sampling(stage))))
    encoded = encode_examples(models, made, mirror=False)
    return Captioned(encoded, torch.arange(n), (prompt,) * n)


if __name__ == "__main__":
    main(fit=fit, generate=generate)
