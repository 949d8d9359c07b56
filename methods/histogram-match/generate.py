"""Colour transfer by histograms: a lighter image whose channels are distributed as those of a darker one."""

from histograms import match_histograms
from tonegap_kit.colour_transfer import write_transferred
from tonegap_kit.command import Stage, main


def generate(stage: Stage) -> None:
    """Leaves images for every tone that a class is short of."""
    write_transferred(stage, match_histograms)


if __name__ == "__main__":
    main(generate=generate)
