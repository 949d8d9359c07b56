"""Subsamples a partition, for a first look or a slow machine.

Every part is subsampled alike, by tone and class, from the ids alone: all entries and seeds of one split meet the same
images. The mistake it exists to prevent: a quick look at the first rows of a file, which are all of one disease.
"""

from collections.abc import Sequence

from tonegap.split.parts import SplitAssignment
from tonegap.split.validation import share_out, take

_UNKNOWN = "unknown"
_Image = tuple[tuple[str, ...], str]


def subsample(made: SplitAssignment, n_images: int | None, key: str) -> SplitAssignment:
    """The partition with about `n_images` of its training, validation and test images together; others unused.

    Each part keeps its share of them, each tone its share of a part, and each class its share of a tone. Beyond
    that every tone of a part and every class of the training images keeps one, so that there may be a few more.
    The same partition where `n_images` is None or there are no more. `key` seeds the ranks, as in `hold_out`.
    """
    images = _images(made)
    sizes = {part: len(members) for part, members in images.items()}
    if n_images is None or n_images >= sum(sizes.values()):
        return made
    counts = share_out(sizes, n_images, key)
    kept: set[str] = set()
    for part, members in images.items():
        kept.update(take(members, counts[part], key))
        kept.update(_first_of_lost(members, kept, level=0, key=key))
        if part == "train":
            kept.update(_first_of_lost(members, kept, level=1, key=key))
    return made.only(kept)


def _images(made: SplitAssignment) -> dict[str, list[_Image]]:
    """((tone, class), id) of the images of each part that is used, sorted."""
    found: dict[str, list[_Image]] = {}
    rows = zip(made.ids, made.parts, made.tones, made.labels, strict=True)
    for image_id, part, tone, label in rows:
        if part != "unused":
            found.setdefault(part, []).append(((tone or _UNKNOWN, label or ""), image_id))
    return {part: sorted(members) for part, members in sorted(found.items())}


def _first_of_lost(members: Sequence[_Image], kept: set[str], level: int, key: str) -> list[str]:
    """One image of each stratum at that level of which none is kept."""
    strata: dict[str, list[_Image]] = {}
    for names, image_id in members:
        strata.setdefault(names[level], []).append(((), image_id))
    return [
        image_id
        for own in strata.values()
        if not any(other in kept for _, other in own)
        for image_id in take(own, 1, key)
    ]
