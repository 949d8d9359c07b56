"""Shows the test images that an entry misses, where the data set's licence allows it.

The mistake it exists to prevent: a photograph on a page that its licence keeps off every page.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tonegap.data.drawn import COMPLETE, drawn_folder
from tonegap.data.index import images_digest
from tonegap.data.locate import locate_images
from tonegap.data.metadata import own_root, read_metadata
from tonegap.data.preprocessing import read_image
from tonegap.declared.dataset import Dataset, dataset_ids, read_dataset
from tonegap.errors import BadData, StoreError
from tonegap.formats.job import ImageSpec
from tonegap.formats.record import DataId
from tonegap.numerics import cores
from tonegap.scores.evidence.missed_images import MissedOfTone
from tonegap.store.layout import DRAWN, INDEX

_THUMB = ImageSpec(64, "crop")
_QUALITY = 80


@dataclass(frozen=True, slots=True)
class ShownImages:
    """What a page may show of test images: pictures as base64 JPEG by id, or none and `why`.

    `licence` and `source` are said beside pictures; `named`: whether true and predicted classes may stand there, too.
    """

    pictures: Mapping[str, str]
    why: str = ""
    licence: str = ""
    source: str = ""

    @property
    def named(self) -> bool:
        """Whether the data set's licence lets its images, and so what they show, be passed on."""
        return bool(self.licence)


class Gallery:
    """Small copies of test images for the pages of one report; each picture is read once."""

    def __init__(self, root: Path, store: Path) -> None:
        """Takes the suite root that declares data sets and the store that drawn ones lie in."""
        self._root, self._store = root, store
        self._folder = lru_cache(maxsize=None)(self._find)
        self._picture = lru_cache(maxsize=None)(_picture)

    def shown(self, data: DataId, missed: Sequence[MissedOfTone]) -> ShownImages:
        """What a page may show of these images. Raises BadSuiteFolder for a wrong `dataset.toml`."""
        paths, why, dataset = self._folder(
            data.data_set, data.metadata_sha256, data.images_sha256, data.stand_in
        )
        licence = dataset.file.licence.strip() if dataset else ""
        source = " ".join(dataset.file.source.split()) if dataset else ""
        ids = [image.image_id for of in missed for image in of.images]
        found = {i: self._picture(paths[i]) for i in ids if i in paths}
        return ShownImages({i: p for i, p in found.items() if p}, why, licence, source)

    def _find(
        self, data_set: str, metadata_sha256: str, images_sha256: str, stand_in: bool
    ) -> tuple[Mapping[str, Path], str, Dataset | None]:
        """The files of a data set's images, or why there are none, and the data set if its images may be shown."""
        if data_set not in dataset_ids(self._root):
            return {}, "the data set is not declared here", None
        dataset = read_dataset(self._root, data_set)
        if not dataset.file.images_may_be_shown:
            return {}, "its declaration does not say that pages may show its images", None
        folders = () if stand_in else self._data_roots(dataset)
        why = "the images are not beside this report's results"
        for folder in folders:
            try:
                metadata = read_metadata(dataset, folder)
                located = locate_images(dataset, metadata, folder)
                found = images_digest(dataset, metadata, located, self._store / INDEX, cores())
            except (BadData, StoreError):
                why = "the images at hand cannot be read"
                continue
            if (metadata.sha256, found) == (metadata_sha256, images_sha256):
                return located.paths, "", dataset
            why = "the images at hand are of another version of the data set"
        return {}, why, dataset

    def _data_roots(self, dataset: Dataset) -> Sequence[Path]:
        """Where images lie: beside the declaration, or drawn in the store, by the code of today or of another day."""
        if dataset.file.drawn is None:
            root = own_root(dataset)
            return (root,) if root else ()
        drawn = self._store / DRAWN
        now = drawn_folder(dataset, drawn)
        there = {now, *drawn.glob(f"{dataset.id}-{'[0-9a-f]' * 16}")}
        whole = (folder for folder in there if (folder / COMPLETE).is_file())
        return sorted(whole, key=lambda folder: (folder != now, folder))


def _picture(path: Path) -> str:
    """A small JPEG of an image as base64; "" for one that cannot be read."""
    from PIL import Image  # not for a report without pictures

    try:
        pixels = read_image(path, _THUMB)
    except BadData:
        return ""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=_QUALITY)
    return base64.b64encode(content.getvalue()).decode()
