"""Images asked for in words: a prompt for each image that a class is short of in a tone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tonegap_kit.command import Stage
from tonegap_kit.diffusion.ahead import check_side, check_steps
from tonegap_kit.diffusion.flow import FlowModels, images_from_text
from tonegap_kit.diffusion.models import Models, resized
from tonegap_kit.diffusion.prompts import filled, tone_words
from tonegap_kit.diffusion.sampling import SamplingRecipe
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition
from tonegap_kit.quota import Quota, by_ratio, plan_quotas, read_rule
from tonegap_kit.synthetic import SyntheticImage

# Three groups of types in one word each, as cgDDI's prompts have them (arXiv 2607.12987).
GROUP_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("I", "II", "I-II"), "light"),
    **dict.fromkeys(("III", "IV", "III-IV"), "medium"),
    **dict.fromkeys(("V", "VI", "V-VI"), "dark"),
}


def worded(
    template: str,
    label: str,
    tone: str,
    *,
    called: str = "template",
    placeholder: str = "{label}",
) -> str:
    """The template with the label in place of its placeholder, and what `toned` fills in.

    Raises StageError, with the parameter's name as it is `called`, if the template has no label or any other brace.
    """
    if placeholder not in template:
        raise StageError(f"{called} is {template!r}, wanted one with {placeholder} in it")
    return _filled(template, tone, {placeholder: label}, called)


def toned(template: str, tone: str, called: str) -> str:
    """The template with `{tone}` (a very dark-skinned) and `{group}` (dark) filled in.

    Raises StageError, with the parameter's name as it is `called`, if the template has any other brace.
    """
    return _filled(template, tone, {}, called)


def _filled(template: str, tone: str, words: Mapping[str, str], called: str) -> str:
    named = tone_words(tone) if "{tone}" in template else ""
    own = {"{tone}": named, "{group}": GROUP_WORDS.get(tone, tone), **words}
    return filled(template, own, called)


def names_tone(template: str) -> bool:
    """Whether a template says which tone is asked for."""
    return "{tone}" in template or "{group}" in template


def read_sampling(stage: Stage) -> SamplingRecipe:
    """The recipe that the parameters `sampling_steps`, `guidance` and `sampling_batch` spell."""
    job = stage.job
    return SamplingRecipe(
        steps=job.integer("sampling_steps"),
        strength=1.0,
        guidance=job.real("guidance"),
        batch=job.integer("sampling_batch"),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """With what images are asked for: words for classes (else their names), learned parts, what they descend from."""

    words: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def check_orders(stage: Stage, train: Partition, words: Mapping[str, str]) -> list[Quota]:
    """What is missing of the training images, by the parameters `targets`, `fill`, `ratio` and `balance`.

    `words` are what classes are called in place of their names. Raises StageError for all that `from_text` would
    refuse, and where `ratio` allows no image at all; a set in which nothing is missing is an empty one.
    """
    job, orders = stage.job, plan_quotas(train, read_rule(stage, len(train)))
    read_sampling(stage)
    check_steps(stage)
    check_side("image_size_px", job.size_px)
    for order in orders:
        label = job.classes[order.y]
        worded(job.text("template"), words.get(label, label), job.tones[order.t])
    if by_ratio(job.real("ratio"), len(train)) == 0:
        raise StageError(
            f"ratio is {job.real('ratio')}, which of {len(train)} training images allows no image; raise it"
        )
    return orders


def from_text(
    stage: Stage, models: Models | FlowModels, orders: Sequence[Quota], how: Asked
) -> Iterator[SyntheticImage]:
    """An image for each one ordered, by the parameter `template`; of unknown tone if that names none."""
    job, template = stage.job, stage.job.text("template")
    recipe = read_sampling(stage)
    wanted = [(order.y, job.tones[order.t], k) for order in orders for k in range(order.n)]
    asked = stage.share.take(wanted, recipe.batch)
    called = [how.words.get(label, label) for label in job.classes]
    prompts = [worded(template, called[y], tone) for y, tone, _ in asked]
    seeds = [stage.seed_of(f"image {y} {tone} {k}") for y, tone, k in asked]
    made = images_from_text(models, prompts, seeds, recipe)
    for (y, tone, k), prompt, seed, image in zip(asked, prompts, seeds, made, strict=True):
        yield SyntheticImage(
            image_id=f"asked-{y}-{tone}-{k}",
            image=resized(image, job.size_px),
            label=job.classes[y],
            tone=tone if names_tone(template) else None,
            sources=how.sources,
            prompt=prompt,
            seed=seed,
            models=how.parts,
        )
