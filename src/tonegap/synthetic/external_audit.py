"""Audits a synthetic set made elsewhere: says which of its rows may be used for one task and seed, and why not.

Two rules side by side. The published one of cgDDI drops an image whose donor is a test image, and one whose healthy
image and disease reconstruct a test image (`hectorcarrion/phd_thesis`, chapter 5). Ours drops every image that descends
from a held-out image or from a copy of one, learned parts included, or that shows one; and one whose ancestor is no
image of the data set, for nobody knows what that shows.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tonegap.data.metadata import Metadata
from tonegap.files import sha256_file
from tonegap.formats.lineage import UNKNOWN_SOURCE
from tonegap.split.view import PartitionImages
from tonegap.synthetic.external_set import ExternalSet, SetRow, on_its_canvas
from tonegap.synthetic.findings import (
    DESCENDS,
    DESCENDS_COPY,
    DESCENDS_GROUP,
    STRANGER,
    LeakFinding,
    descent,
    is_unknown,
)
from tonegap.synthetic.held_out_copies import showing
from tonegap.synthetic.source_names import KnownImages, label_meant
from tonegap.synthetic.withheld import HeldOut, withheld_by_group, withheld_copies

DONOR = "the donor is a test image (cgDDI)"
PAIR = "healthy image and disease make up a test image (cgDDI)"
PUBLISHED = "dropped by cgDDI's strict rule"
ANCESTOR = "a source, or an image behind a learned part, is held out"
COPY = "one of those has a copy that is held out"
GROUP = "one of those is of a patient or lesion that is held out"
SHOWS = "the image itself shows a held-out image"
NOT_OF_DATA_SET = "a source, or an image behind a learned part, is no image of the data set"
OURS = "dropped by tonegap's rule"
KEPT = "kept"
HELD_OUT = ("validation", "test")
UNKNOWN = "of these, nobody says what they were made from"


@dataclass(frozen=True, slots=True)
class RealImages:
    """What a set is compared with.

    `parts` maps every real id to its partition, `labels` to its label as the data set spells it; `train` and
    `held` are the images whose file is here, `groups` their near-duplicate groups, `images` the names they go by.
    `cache_dir` keeps what is found out about them, `metadata` says whose they are.
    """

    parts: Mapping[str, str]
    labels: Mapping[str, str]
    train: PartitionImages
    held: HeldOut
    groups: Mapping[str, int]
    cache_dir: Path
    images: KnownImages
    metadata: Metadata

    @property
    def pictures(self) -> bool:
        """Whether pictures can be compared."""
        return bool(self.held.ids)

    @property
    def held_out(self) -> dict[str, str]:
        """The partition of every held-out image, its file here or not."""
        return {i: part for i, part in self.parts.items() if part in HELD_OUT}


@dataclass(frozen=True, slots=True)
class ExternalAudit:
    """How many rows each rule drops, in order; what is refused; the rows that are left; sources nobody knows.

    `sources`: the ids behind each row, as the data set spells them.
    """

    counts: Mapping[str, int]
    refused: tuple[LeakFinding, ...]
    kept: tuple[SetRow, ...]
    strangers: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]


def audit_set(made: ExternalSet, truth: RealImages) -> ExternalAudit:
    """The audit of a set against the images of a task."""
    named = {row.image_id: truth.images.resolve(_names(made, row)) for row in made.rows}
    ancestors = {image_id: ids for image_id, (ids, _strangers) in named.items()}
    not_of_data_set = [
        LeakFinding(i, STRANGER, "", "", names[0]) for i, (_ids, names) in named.items() if names
    ]
    donor = {row.image_id for row in made.rows if _is_test(truth, row.donor)}
    pair = {row.image_id for row in made.rows if _reconstructs(truth, row)}
    held_out = truth.held_out
    # Copies of held-out images and images of their patients, also among images that the task leaves unused.
    others = (image_id for image_id in truth.parts if image_id not in held_out)
    copies = withheld_by_group(others, held_out, truth.metadata)
    if truth.pictures:
        copies |= withheld_copies(truth.train, truth.held, truth.groups, truth.cache_dir)
    descends = [
        finding
        for image_id, ids in ancestors.items()
        if (finding := descent(image_id, ids, held_out, copies))
    ]
    shows = _showing(made, truth, ancestors) if truth.pictures else []
    rules = Counter(f.rule for f in descends)
    refused = {f.image_id for f in (*descends, *shows, *not_of_data_set)}
    tones = dict(zip(truth.train.ids, truth.train.tones, strict=True))
    left = (row for row in made.rows if row.image_id not in refused)
    kept = tuple(on_its_canvas(row, truth.images, tones) for row in left)
    counts = {
        DONOR: len(donor),
        PAIR: len(pair),
        PUBLISHED: len(donor | pair),
        ANCESTOR: rules[DESCENDS],
        COPY: rules[DESCENDS_COPY],
        GROUP: rules[DESCENDS_GROUP],
        SHOWS: len({f.image_id for f in shows}),
        NOT_OF_DATA_SET: len(not_of_data_set),
        OURS: len(refused),
        KEPT: len(kept),
        UNKNOWN: sum(is_unknown(_behind(made, row)) or not _names(made, row) for row in kept),
    }
    strangers = sorted({name for _ids, names in named.values() for name in names})
    own = {row.image_id: _own(truth, row) for row in kept}
    return ExternalAudit(counts, (*descends, *shows, *not_of_data_set), kept, tuple(strangers), own)


def _names(made: ExternalSet, row: SetRow) -> list[str]:
    """What others call the real images behind a row, those behind its learned parts included."""
    return [name for name in _behind(made, row) if name != UNKNOWN_SOURCE]


def _behind(made: ExternalSet, row: SetRow) -> list[str]:
    own = (UNKNOWN_SOURCE,) if row.sources is None else row.sources
    return [*own, *(name for model in row.models for name in made.parts[model].sources)]


def _own(truth: RealImages, row: SetRow) -> tuple[str, ...]:
    """A row's own sources as the data set spells them, with the mark of unknown ones."""
    if row.sources is None:
        return (UNKNOWN_SOURCE,)
    ids, _strangers = truth.images.resolve(n for n in row.sources if n != UNKNOWN_SOURCE)
    return (*ids, UNKNOWN_SOURCE) if is_unknown(row.sources) else ids


def _is_test(truth: RealImages, name: str) -> bool:
    return bool(name) and truth.parts.get(truth.images.known_as(name)) == "test"


def _reconstructs(truth: RealImages, row: SetRow) -> bool:
    """Whether the healthy version of a test image was given that image's own disease again."""
    if not _is_test(truth, row.canvas):
        return False
    own = truth.labels[truth.images.known_as(row.canvas)]
    return bool(row.disease) and label_meant(row.disease, (own,)) is not None


def _showing(
    made: ExternalSet, truth: RealImages, ancestors: Mapping[str, tuple[str, ...]]
) -> list[LeakFinding]:
    paths = dict(zip(truth.train.ids, truth.train.paths, strict=True))
    images = {row.image_id: (row.path, sha256_file(row.path)) for row in made.rows}
    sources = {
        image_id: [paths[i] for i in ids if i in paths] for image_id, ids in ancestors.items()
    }
    return showing(images, sources, truth.held)[0]
