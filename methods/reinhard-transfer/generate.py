"""Colour transfer by statistics: a lighter image with the colours' mean and deviation of a darker one."""

from statistics_transfer import move_statistics
from tonegap_kit.colour_transfer import write_transferred
from tonegap_kit.command import Stage, main


def generate(stage: Stage) -> None:
    """Leaves images for every tone that a class is short of."""
    write_transferred(stage, move_statistics)


if __name__ == "__main__":
    main(generate=generate)
