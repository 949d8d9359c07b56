"""Several runs of the same work: `repeats/KEY.json`.

Where bytes cannot be equal, as on a GPU, a difference between two entries may be no more than that.
"""

import msgspec

SCHEMA = "tonegap/repeats@1"


class Repeats(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run done anew several times: predictions by digest and values of each main score, one time after another."""

    schema: str
    key: str
    predictions_sha256: tuple[str, ...]
    scores: dict[str, tuple[float | None, ...]]

    @property
    def n(self) -> int:
        """How many runs."""
        return len(self.predictions_sha256)

    @property
    def are_identical(self) -> bool:
        """Whether every run left the same predictions."""
        return len(set(self.predictions_sha256)) == 1
