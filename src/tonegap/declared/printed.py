"""A number as a paper printed it: its value, its spread if it has one, and how far it was rounded."""

import re
from dataclasses import dataclass

UNKNOWN = "?"
_FORM = re.compile(r"(?P<value>-?\d*\.?\d+)(?:±(?P<spread>\d*\.?\d+))?")


@dataclass(frozen=True, slots=True)
class Printed:
    """In the table's unit. `half` is half of the last digit's unit: what rounding may hide."""

    value: float
    spread: float | None
    half: float


def parse_printed(text: str) -> Printed | None:
    """The number in a cell such as `20.2`, `.970` or `82.4±1.5`; None for anything else."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    _, _, decimals = match["value"].partition(".")
    spread = match["spread"]
    return Printed(
        float(match["value"]), float(spread) if spread else None, 0.5 * 10 ** -len(decimals)
    )
