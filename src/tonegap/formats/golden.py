"""Golden records: what a suite's own run gave, `reports/golden/SUITE.json`.

Predictions by digest and the main scores, not whole records.
"""

import msgspec

from tonegap.formats.record import EntryId

SCHEMA = "tonegap/golden@1"


class GoldenRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry × task × seed: the digest of its predictions file and its main scores."""

    entry: EntryId
    task: str
    seed: int
    predictions_sha256: str
    scores: dict[str, float | None]


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The golden records of a suite; `versions` are those of the libraries that made them."""

    schema: str
    suite: str
    versions: dict[str, str]
    runs: tuple[GoldenRun, ...] = msgspec.field(name="cells")
