"""Zero-shot: images asked of a pipeline as it is, by the words for the condition and the tone."""

from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.fitting import open_pipeline
from tonegap_kit.diffusion.text2img_plan import from_text
from tonegap_kit.partition import read_partition
from tonegap_kit.quota import plan_quotas, read_rule
from tonegap_kit.synthetic import write_synthetic


def generate(stage: Stage) -> None:
    """Leaves images for every tone that a class is short of."""
    make_deterministic(stage)
    train = read_partition(stage, "train")
    orders = plan_quotas(train, read_rule(stage, len(train)))
    images = from_text(stage, open_pipeline(stage), orders)
    write_synthetic(stage, images, sum(order.n for order in orders), train.ids)


if __name__ == "__main__":
    main(generate=generate)
