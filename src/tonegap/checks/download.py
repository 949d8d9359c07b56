"""Compares a user's download with what the papers used: every finding in one listing.

What is lost may be lost unequally, so every finding about images is counted by tone as well.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from string import digits

from tonegap.checks.readiness import Readiness, check_tasks
from tonegap.data.index import MISSING, ImageIndex, index_images
from tonegap.data.labels import saying_nothing, spelling_pairs
from tonegap.data.locate import Located, locate_images
from tonegap.data.masks import MaskCheck, check_masks, find_masks
from tonegap.data.metadata import Metadata, read_metadata, shown_id
from tonegap.data.published_counts import Count, compare_counts, compare_rows
from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task
from tonegap.split.id_lists import IdList, listed_images, unknown_names
from tonegap.split.malignant import misspelt_malignant
from tonegap.split.unknown_tones import UnknownTones, unknown_labels
from tonegap.texts import is_label
from tonegap.tones import tone_group, tone_order

UNKNOWN = "unknown"
EXTRA = "extra"
ELSEWHERE = "in another folder only"
ALSO = "in another folder too, not read there"
BAD_MASK = "unusable mask"
_NAMED = 3  # folders; of more a pattern is said
DUPLICATE = "same content as another"
NEAR_DUPLICATE = "near-duplicate of another"


@dataclass(frozen=True, slots=True)
class DownloadFinding:
    """One kind of finding: how many images, the first three and what is said of each.

    `ids` is empty for files that no row names. `unusable`: whether such an image is lost.
    """

    kind: str
    count: int
    first: tuple[str, ...]
    ids: frozenset[str]
    unusable: bool


@dataclass(frozen=True, slots=True)
class ToneRow:
    """One tone of one axis: images that should be there, that can be used, and findings by kind."""

    axis: str
    tone: str
    expected: int
    usable: int
    findings: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What `tonegap data check` found. `folders`: those that hold images, where one of them is read, or a pattern.

    `spelled_groups`: by group column the pairs of ids that differ in spelling alone, where there are any.
    `unsaid_groups`: by group column how many images each cell has that says no more than that nobody knows.
    `unknown_names`: lines on names of lists that are none of the data set's. `misspelt_malignant`: a line on cells that
    count as benign for their spelling; the labels of unknown tone are not counted then.
    """

    dataset: Dataset
    data_root: Path
    metadata: Metadata
    folder: Path | None
    n_usable: int
    digest: str
    rows: str
    counts: tuple[Count, ...]
    findings: tuple[DownloadFinding, ...]
    tones: tuple[ToneRow, ...]
    tasks: tuple[Readiness, ...]
    masks: MaskCheck | None = None
    unknown: Mapping[str, UnknownTones] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    spelled_groups: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    unsaid_groups: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unknown_names: tuple[str, ...] = ()
    misspelt_malignant: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether every task can be run on it, by methods that need no masks; without tasks, whether it has images."""
        return self.n_usable > 0 and all(not task.reason for task in self.tasks)


def check_data(
    dataset: Dataset,
    data_root: Path,
    cache_dir: Path,
    workers: int,
    tasks: Sequence[Task],
    lists: Sequence[IdList] = (),
) -> DataCheck:
    """Everything there is to say about a data root; of its tasks without the images of `lists`.

    Raises BadData where the metadata cannot be read at all, StoreError for an unwritable cache.
    """
    metadata = read_metadata(dataset, data_root)
    listed = listed_images(lists, dataset, metadata)
    located = locate_images(dataset, metadata, data_root)
    index = index_images(dataset, metadata, data_root, cache_dir, workers, located=located)
    misspelt = misspelt_malignant(dataset, metadata)
    masks = check_masks(dataset, metadata, index, find_masks(dataset, metadata, index, data_root))
    findings = (
        *_findings(located, index),
        *_contradictions(dataset, metadata, index),
        *_notes(index),
        *_masks(masks),
    )
    published = dataset.file.published
    return DataCheck(
        dataset=dataset,
        data_root=data_root,
        metadata=metadata,
        folder=located.folder,
        n_usable=len(index.paths),
        digest=index.digest,
        rows=compare_rows(published, metadata) if published else "",
        counts=compare_counts(published, metadata) if published else (),
        findings=findings,
        tones=tuple(_tone_rows(metadata, index.paths, findings)),
        tasks=check_tasks(
            tasks, metadata, index.paths, listed, masks.problems if masks is not None else ()
        ),
        unknown_names=tuple(unknown_names(listed)),
        masks=masks,
        unknown={} if tasks or misspelt else unknown_labels(dataset, metadata),
        misspelt_malignant=misspelt,
        folders=_folders(located, data_root.resolve()),
        spelled_groups={
            column: pairs
            for column, cells in metadata.groups.items()
            if (pairs := spelling_pairs(cells))
        },
        unsaid_groups={
            column: unsaid
            for column, cells in metadata.groups.items()
            if (unsaid := saying_nothing(cells))
        },
    )


def _folders(located: Located, root: Path) -> tuple[str, ...]:
    folders = {*located.elsewhere.values(), *([located.folder] if located.folder else [])}
    named = sorted(f.relative_to(root).as_posix() for f in folders if f.is_relative_to(root))
    if len(named) <= _NAMED:
        return tuple(named)
    start = named[0].rstrip(digits)
    pattern = f"{escape(start)}*"
    # It must take no other folder, such as one of masks or of smaller copies.
    all_folders = (f.relative_to(root).as_posix() for f in root.rglob("*/"))
    alone = start and {f for f in all_folders if fnmatchcase(f, pattern)} == set(named)
    return (pattern,) if alone else tuple(named)


def _findings(located: Located, index: ImageIndex) -> Iterator[DownloadFinding]:
    by_kind: dict[str, dict[str, str]] = defaultdict(dict)
    for problem in index.problems:
        by_kind[problem.kind][problem.image_id] = problem.text
    for kind, texts in by_kind.items():
        named = {
            i: shown_id(i) if kind == MISSING else f"{shown_id(i)} ({text})"
            for i, text in texts.items()
        }
        yield _finding(kind, named, unusable=True)
    for kind, folders in ((ELSEWHERE, located.elsewhere), (ALSO, located.also)):
        if folders:
            texts = {i: f"{i} ({folder})" for i, folder in folders.items()}
            yield _finding(kind, texts, unusable=False)
    if located.extra:
        first = tuple(path.name for path in located.extra[:3])
        yield DownloadFinding(EXTRA, len(located.extra), first, frozenset(), unusable=False)
    for kind, texts in zip((DUPLICATE, NEAR_DUPLICATE), _copies(index), strict=True):
        if texts:
            yield _finding(kind, texts, unusable=False)


def _notes(index: ImageIndex) -> Iterator[DownloadFinding]:
    """What was done to pixels, one finding for each kind."""
    by_note: dict[str, dict[str, str]] = defaultdict(dict)
    for image_id, note in index.notes.items():
        for text in note.split("; "):
            by_note[text][image_id] = image_id
    for text, ids in sorted(by_note.items()):
        yield _finding(text, ids, unusable=False)


def _masks(masks: MaskCheck | None) -> Iterator[DownloadFinding]:
    """Masks that a method which asks for them would stop at."""
    if masks is not None and masks.problems:
        texts = {i: f"{i} ({text})" for i, text in masks.problems.items()}
        yield _finding(BAD_MASK, texts, unusable=False)


def _finding(kind: str, texts: Mapping[str, str], unusable: bool) -> DownloadFinding:
    first = tuple(texts[i] for i in sorted(texts)[:3])
    return DownloadFinding(kind, len(texts), first, frozenset(texts), unusable)


def _copies(index: ImageIndex) -> tuple[dict[str, str], dict[str, str]]:
    """Images that repeat an earlier one exactly, and others that nearly do, with the earlier one."""
    first_of_content: dict[str, str] = {}
    first_of_group: dict[int, str] = {}
    copies, near = {}, {}
    for image_id in sorted(index.groups):
        same = first_of_content.setdefault(index.sha256[image_id], image_id)
        alike = first_of_group.setdefault(index.groups[image_id], image_id)
        if same != image_id:
            copies[image_id] = f"{image_id} = {same}"
        elif alike != image_id:
            near[image_id] = f"{image_id} ≈ {alike}"
    return copies, near


def _contradictions(
    dataset: Dataset, metadata: Metadata, index: ImageIndex
) -> Iterator[DownloadFinding]:
    """Copies of one picture that are said to show different things, by label and by tone axis."""
    labels = zip(metadata.ids, metadata.columns[dataset.file.label_column], strict=True)
    said = {"label": {i: label for i, label in labels if is_label(label)}}
    for axis, tones in metadata.tones.items():
        named = {i: t for i, t in zip(metadata.ids, tones, strict=True) if t is not None}
        said[f"tone ({axis})"] = named
    for what, of_image in said.items():
        # A type beside the group that it lies in is no contradiction; the finer one is what others are held against.
        lies_in = str if what == "label" else tone_group
        first: dict[int, str] = {}
        texts = {}
        ids = (i for i in index.groups if i in of_image)
        for image_id in sorted(ids, key=lambda i: (lies_in(of_image[i]) == of_image[i], i)):
            other = first.setdefault(index.groups[image_id], image_id)
            if of_image[image_id] not in (of_image[other], lies_in(of_image[other])):
                texts[image_id] = (
                    f"{image_id} {of_image[image_id]!r}, its copy {other} {of_image[other]!r}"
                )
        if texts:
            yield _finding(f"copy with another {what}", texts, unusable=False)


def _tone_rows(
    metadata: Metadata, usable: Collection[str], findings: Sequence[DownloadFinding]
) -> Iterator[ToneRow]:
    """The table of each axis, light to dark, images of unknown tone last."""
    for axis, tones in metadata.tones.items():
        of_image = dict(zip(metadata.ids, tones, strict=True))
        expected = Counter(tones)
        present = Counter(of_image[i] for i in usable)
        by_kind = {f.kind: Counter(of_image[i] for i in f.ids) for f in findings if f.ids}
        known = sorted((t for t in expected if t is not None), key=tone_order)
        for tone in (*known, *((None,) if None in expected else ())):
            yield ToneRow(
                axis,
                tone or UNKNOWN,
                expected[tone],
                present[tone],
                {kind: counts[tone] for kind, counts in by_kind.items()},
            )
