"""`job.json`: all that a stage is told, see docker/CONTRACT.md."""

import msgspec

CONTRACT_VERSION = 1

DEVICES = ("cpu", "cuda")
Parameter = str | int | float | bool | list[str | int | float]


# The whole picture squeezed to a square, told with its shape: a stage cuts from it as from the picture.
FRAME = "frame"


class ImageSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the images of a stage were prepared: square of `size_px` by `geometry` (crop, stretch, frame)."""

    size_px: int
    geometry: str


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage's orders; the fields are documented in the contract."""

    contract: int
    stage: str
    task: str
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    tones: tuple[str, ...]
    seed: int
    image: ImageSpec
    parameters: dict[str, Parameter]
    device: str
    threads: int
    time_limit_s: int
