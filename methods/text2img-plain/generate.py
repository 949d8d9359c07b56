"""Zero-shot: images asked of a pipeline as it is, by the words for the condition and the tone, or by learned ones."""

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.flow import check_sampled, open_sampled, with_lora
from tonegap_kit.diffusion.given import checked_lora, given_words
from tonegap_kit.diffusion.models import Models, add_tokens
from tonegap_kit.diffusion.prompts import tokens_of
from tonegap_kit.diffusion.text2img_plan import Asked, check_orders, from_text
from tonegap_kit.lineage import UNKNOWN_SOURCE
from tonegap_kit.partition import read_partition
from tonegap_kit.synthetic import write_synthetic


def generate(stage: Stage) -> None:
    """Leaves images for every tone that a class is short of."""
    make_deterministic(stage)
    check_sampled(stage)
    train, tokens = read_partition(stage, "train"), tokens_of(stage.job.classes)
    words = given_words(stage, tokens)
    orders = check_orders(stage, train, tokens if words else {})
    lora = checked_lora(stage)
    models = open_sampled(stage)
    if isinstance(models, Models):
        add_tokens(models, words)
    sources = (UNKNOWN_SOURCE,) if words or lora is not None else ()
    how = Asked(tokens if words else {}, sources=sources)
    with with_lora(models, lora):
        images = from_text(stage, models, orders, how)
        write_synthetic(stage, images, sum(order.n for order in orders), train.ids)


if __name__ == "__main__":
    main(generate=generate)
