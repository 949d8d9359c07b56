"""Judges whether a reproduced number agrees with the reported one.

It agrees if the two ranges meet: the reported value with what rounding hides and, where one is reported, twice
its standard deviation; and the reproduced value with its interval. Anything that answers another
question is not comparable, whatever its value. Only a run reproduces: what was computed again from the authors' own
counts, or counted in a data set's metadata, has verdicts of its own.
"""

from dataclasses import dataclass
from typing import Literal

from tonegap.declared.paper import UNKNOWN, parse_reported

CellVerdict = Literal[
    "agrees",
    "differs",
    "not comparable",
    "not run",
    "reported value unknown",
    "recomputed from the authors' counts",
    "differs from the authors' counts",
    "agrees with the metadata",
    "differs from the metadata",
    "not counted",
    "",
]
# What agrees, differs and has no value, by the kind of table.
_WORDS: dict[str, tuple[CellVerdict, CellVerdict, CellVerdict]] = {
    "scores": ("agrees", "differs", "not run"),
    "stored": (
        "recomputed from the authors' counts",
        "differs from the authors' counts",
        "not comparable",
    ),
    "counts": ("agrees with the metadata", "differs from the metadata", "not counted"),
}

# Binary fractions: 0.82575 may lie a hair below what prints as 0.8258 less half a digit.
_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Reproduced:
    """A reproduced value in the table's unit with its interval; or why there is none.

    `verdict` is set where that is settled without looking at the value; `value` may be there all the same.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: CellVerdict = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class PaperCell:
    """One cell: what the paper reports ("" for nothing), what was reproduced, and the verdict.

    `kind` is that of its table: `scores` of runs, `stored` counts of the authors, `counts` of metadata.
    """

    table: str
    row: str
    column: str
    unit: str
    reported: str
    reproduced: Reproduced
    verdict: CellVerdict
    why: str
    kind: str = "scores"


def judge(reported: str, reproduced: Reproduced, kind: str = "scores") -> tuple[CellVerdict, str]:
    """The verdict on one cell of a kind of table and why; "" for a cell that the paper left empty."""
    agrees, differs, nothing = _WORDS[kind]
    if not reported:
        return "", ""
    if reported == UNKNOWN:
        return "reported value unknown", "found in no source that could be read"
    if reproduced.verdict:
        return reproduced.verdict, reproduced.why
    number = parse_reported(reported)
    if number is None or reproduced.value is None:
        return nothing, reproduced.why
    low = reproduced.value if reproduced.low is None else reproduced.low
    high = reproduced.value if reproduced.high is None else reproduced.high
    margin = number.half + 2 * (number.spread or 0) + _SLACK
    if low - margin <= number.value <= high + margin:
        return agrees, reproduced.why
    return differs, reproduced.why
