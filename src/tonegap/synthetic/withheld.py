"""Finds training images with a copy or a patient among the validation or test images: methods do not see them.

Copies are those of the data set's near-duplicate groups, and crops. The mistake it exists to prevent: a test image that
reaches training by way of a generator that saw its double.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tonegap.caches import kept_or_made
from tonegap.closure import HANDED_OVER, code_digest
from tonegap.data.metadata import Metadata
from tonegap.files import digest_of, write_atomic
from tonegap.formats.record import group_word
from tonegap.split.view import PartitionImages, WithheldCopy
from tonegap.store.seals import read_sealed, remove_unit, write_seal
from tonegap.synthetic.copies import find_copies
from tonegap.synthetic.thumbnails import read_thumbs
from tonegap.texts import is_label

SAME_FILE = "same file"
NEAR_DUPLICATE = "near-duplicate"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Validation and test images in a row: ids, partitions, contents and files."""

    ids: tuple[str, ...]
    parts: tuple[str, ...]
    sha256: tuple[str, ...]
    paths: tuple[Path, ...]

    def __getitem__(self, row: int) -> tuple[str, str]:
        """Id and partition of one."""
        return self.ids[row], self.parts[row]


def held_out(validation: PartitionImages, test: PartitionImages) -> HeldOut:
    """The images of both partitions, validation first."""
    parts = ("validation",) * len(validation.ids) + ("test",) * len(test.ids)
    return HeldOut(
        ids=validation.ids + test.ids,
        parts=parts,
        sha256=validation.sha256 + test.sha256,
        paths=validation.paths + test.paths,
    )


def withheld_copies(
    train: PartitionImages, held: HeldOut, groups: Mapping[str, int], cache_dir: Path
) -> dict[str, WithheldCopy]:
    """For each training image with a copy that is held out: by which rule, of which image.

    `groups`: image id -> number of its near-duplicate group. The search for crops is kept in `cache_dir`.
    """
    first = {groups[i]: row for row, i in reversed(list(enumerate(held.ids))) if i in groups}
    same = dict(zip(reversed(held.sha256), range(len(held.ids) - 1, -1, -1), strict=True))
    found: dict[str, WithheldCopy] = {}
    for image_id, sha256 in zip(train.ids, train.sha256, strict=True):
        if sha256 in same:
            found[image_id] = WithheldCopy(SAME_FILE, *held[same[sha256]])
        elif groups.get(image_id) in first:
            found[image_id] = WithheldCopy(NEAR_DUPLICATE, *held[first[groups[image_id]]])
    for image_id, copy in _kept_copies(train, held, cache_dir).items():
        found.setdefault(image_id, copy)
    return found


def withheld_by_group(
    train: Iterable[str], held_out: Mapping[str, str], metadata: Metadata
) -> dict[str, WithheldCopy]:
    """For each training image of a patient or lesion that is held out: by which column, and one image of that.

    `held_out` maps the ids of validation and test images to their partition.
    """
    found: dict[str, WithheldCopy] = {}
    for name, cells in metadata.groups.items():
        of_image = {i: c.strip() for i, c in zip(metadata.ids, cells, strict=True) if is_label(c)}
        first: dict[str, str] = {}
        for image_id in held_out:
            if image_id in of_image:
                first.setdefault(of_image[image_id], image_id)
        for image_id in train:
            other = first.get(of_image.get(image_id, ""))
            if other is not None:
                copy = WithheldCopy(
                    f"same {group_word(name)}", other, held_out[other], of_group=True
                )
                found.setdefault(image_id, copy)
    return found


def _kept_copies(train: PartitionImages, held: HeldOut, cache_dir: Path) -> dict[str, WithheldCopy]:
    """What the search finds among these images, from the cache where it was made before."""
    rule = [
        code_digest("tonegap.synthetic.withheld", but=HANDED_OVER),
        *map(list, (train.sha256, train.ids, held.sha256, held.ids)),
    ]
    name = f"withheld-{digest_of(rule)[:32]}.json"

    def search() -> dict[str, WithheldCopy]:
        mine = read_thumbs(train.paths, both_views=False)
        copies = find_copies(mine, read_thumbs(held.paths, both_views=True))
        return {train.ids[copy.mine]: WithheldCopy(copy.kind, *held[copy.other]) for copy in copies}

    def keep(found: dict[str, WithheldCopy]) -> None:
        if (cache_dir / name).is_dir():
            remove_unit(cache_dir, name)
        write_atomic(cache_dir / name, msgspec.json.encode(found, order="sorted"))
        write_seal(cache_dir, name)

    def read() -> dict[str, WithheldCopy]:
        return msgspec.json.decode(
            read_sealed(cache_dir, name) or b"", type=dict[str, WithheldCopy]
        )

    return kept_or_made(read, search, keep)
