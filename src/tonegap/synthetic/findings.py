"""The findings of an audit: synthetic images that descend from, or show, an image that is held out. Pure.

Followed: the sources of each image, those of every learned part it was made with, and the near-duplicates of both.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from tonegap.formats.lineage import UNKNOWN_SOURCE
from tonegap.split.view import WithheldCopy

SCHEMA = "tonegap/audit@1"
DESCENDS = "descends from it"
DESCENDS_COPY = "descends from a copy of it"
DESCENDS_GROUP = "descends from an image of the same patient or lesion"
STRANGER = "source is no image of the data set"
# How an ancestor, and the held-out image that it stands for, are said.
_THROUGH = {
    DESCENDS: "{1}",
    DESCENDS_COPY: "{0}, a copy of {1}",
    DESCENDS_GROUP: "{0}, another image of the patient or lesion of {1}",
}
_NAMED = 3


class LeakFinding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A synthetic image that must not be used: by which rule, of which held-out image, by way of which id."""

    image_id: str
    rule: str
    held_out: str
    partition: str
    via: str = ""

    @property
    def sentence(self) -> str:
        """As a person reads it: `s-1 shows test image t7 (mirrored crop)`, `s-2 descends from a4, a copy of …`."""
        if not self.held_out:
            return (
                f"{self.image_id} names the source {self.via!r}, which is no image of the data set"
            )
        held_out = f"{self.partition} image {self.held_out}"
        if self.via:
            return f"{self.image_id} descends from {_THROUGH[self.rule].format(self.via, held_out)}"
        return f"{self.image_id} shows {held_out} ({self.rule})"


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The audit of one synthetic set.

    `refused`: what must not be used. `n_allowed`: images that the task's own rule lets descend from a copy.
    `n_explained`: images that look like a held-out one, but more like a source of their own. `n_unknown`:
    images of which nobody says what they were made from. `n_sources`: real images named as ancestors.
    """

    schema: str
    n: int
    n_sources: int
    n_unknown: int
    n_allowed: int
    n_explained: int
    refused: tuple[LeakFinding, ...]

    @property
    def text(self) -> str:
        """Why the set is refused, in one sentence that names the first few."""
        images = {finding.image_id for finding in self.refused}
        named = "; ".join(finding.sentence for finding in self.refused[:_NAMED])
        more = f"; and {len(self.refused) - _NAMED} more" if len(self.refused) > _NAMED else ""
        return f"{len(images)} of {self.n} synthetic images are refused: {named}{more}"


def descent(
    image_id: str,
    ancestors: Collection[str],
    held_out: Mapping[str, str],
    copies: Mapping[str, WithheldCopy],
) -> LeakFinding | None:
    """The first held-out image among an image's ancestors and their copies, None if there is none.

    `held_out` maps the ids of validation and test images to their partition.
    """
    for ancestor in ancestors:
        if ancestor in held_out:
            return LeakFinding(image_id, DESCENDS, ancestor, held_out[ancestor], ancestor)
    for ancestor in ancestors:
        if ancestor in copies:
            found = copies[ancestor]
            rule = DESCENDS_GROUP if found.of_group else DESCENDS_COPY
            return LeakFinding(image_id, rule, found.image_id, found.partition, ancestor)
    return None


def is_unknown(sources: Sequence[str]) -> bool:
    """Whether a row says that nobody knows its sources."""
    return UNKNOWN_SOURCE in sources
