"""A synthetic set as a quality sheet with its pictures: measures tones, draws, writes.

The mistake it exists to prevent: a set that nobody looked at.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tonegap.data.decode import read_image
from tonegap.files import sha256_bytes, sha256_file, write_atomic
from tonegap.formats.job import ImageSpec
from tonegap.formats.quality_sheet import (
    SCHEMA,
    ExtractorId,
    FeatureScores,
    SetId,
    Sheet,
    SheetPicture,
    encode_sheet,
)
from tonegap.run.packs import ensure_pack
from tonegap.split.view import PartitionImages, TaskView
from tonegap.store.layout import sheet_unit
from tonegap.store.seals import write_seal
from tonegap.store.store import Store
from tonegap.synthetic.manifest import SyntheticRow, image_contents, read_synthetic
from tonegap.synthetic.quality.features import read_features
from tonegap.synthetic.quality.fidelity import tone_table
from tonegap.synthetic.quality.measure import Listed, measure
from tonegap.synthetic.quality.pictures import (
    ContactCell,
    ShownPair,
    Thumb,
    contact_sheet,
    pair_sheet,
)
from tonegap.synthetic.quality.show import shown_images
from tonegap.synthetic.quality.skin import SIZE_PX, measured_types

if TYPE_CHECKING:
    from tonegap.plan.plan import PlannedStage

SHEET, CONTACT, NEAREST = "quality.json", "contact.jpg", "nearest.jpg"
NO_EXTRACTOR = "no feature extractor was named ([quality] in the suite's file)"
_MEASURED = ImageSpec(SIZE_PX, "crop")
_SMALL_PX, _LARGE_PX = 64, 96  # sides of what a contact sheet shows, for six tones and for three


@dataclass(frozen=True, slots=True)
class SyntheticSet:
    """A synthetic set in a folder (`synthetic.csv`, `images/`), and the task it was made for."""

    id: SetId
    folder: Path
    rows: tuple[SyntheticRow, ...]
    view: TaskView

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files of its images."""
        return tuple(self.folder / "images" / row.file for row in self.rows)

    @property
    def contents(self) -> tuple[str, ...]:
        """What names the content of each image."""
        return tuple(image_contents(self.folder, self.id.stage, self.rows))

    @property
    def listed(self) -> Listed:
        """What is known of its images."""
        return Listed(
            ids=tuple(row.image_id for row in self.rows),
            labels=tuple(row.label for row in self.rows),
            tones=tuple(row.tone for row in self.rows),
            sources=tuple(row.sources for row in self.rows),
        )


@dataclass(frozen=True, slots=True)
class MeasuredFeatures:
    """What the features of a set say, or why there are none."""

    extractor: ExtractorId | None = None
    measured: FeatureScores | None = None
    reason: str | None = NO_EXTRACTOR


def sheet_folder(store: Path, key: str) -> Path:
    """Where the sheet of that key lies in a store, or would."""
    return store / sheet_unit(key)


def listed(rows: PartitionImages) -> Listed:
    """What is known of real images."""
    return Listed(rows.ids, rows.labels, rows.tones)


def stage_set(store: Store, generate: "PlannedStage") -> SyntheticSet:
    """What a finished generate stage left. Raises BadOutput."""
    folder, view = store.stage_folder(generate.key), generate.view
    rows = read_synthetic(folder)
    return SyntheticSet(
        id=SetId(
            plugin=generate.identity.plugin.label,
            parameters=generate.parameters,
            task=view.task,
            seed=generate.seed,
            stage=generate.key,
            sha256=sha256_file(folder / "synthetic.csv"),
            n=len(rows),
            n_by_tone=n_by_tone(rows, view.axis_tones),
            n_real=len(view.method_train.ids),
            data=view.data,
        ),
        folder=folder,
        rows=rows,
        view=view,
    )


def n_by_tone(rows: Sequence[SyntheticRow], tones: Sequence[str]) -> dict[str, int]:
    """Counts by tone asked for, light to dark, unknown last."""
    asked = [row.tone or "unknown" for row in rows]
    return {tone: asked.count(tone) for tone in (*tones, "unknown") if tone in asked}


def measured_by(stage: "PlannedStage", folder: Path, made: SyntheticSet) -> MeasuredFeatures:
    """The numbers of a set from the features in a folder. Raises BadOutput for wrong ones."""
    real = listed(made.view.method_train)
    features = read_features(folder, len(real.ids), len(made.rows))
    extractor = ExtractorId(
        plugin=stage.identity.plugin.label,
        parameters=stage.parameters,
        environment=stage.identity.environment.digest,
        random=_is_random(folder / "notes.json"),
    )
    numbers = measure(features, real, made.listed, made.view.axis_tones)
    return MeasuredFeatures(extractor, numbers, None)


def _is_random(notes: Path) -> bool:
    """Whether the extractor's notes say that its weights are random ones."""
    if not notes.exists():
        return False
    return json.loads(notes.read_bytes()).get("random") is True


class SheetMaker:
    """Makes sheets; the tones of real images are measured once for each set of them."""

    def __init__(self, store: Store) -> None:
        """Takes the store that sheets are kept in."""
        self._store = store
        self._real: dict[str, tuple[str | None, ...]] = {}
        self._lock = threading.Lock()

    def make(self, made: SyntheticSet, found: MeasuredFeatures, key: str) -> Path:
        """Writes the sheet and returns its folder; `quality.json` comes last, whole or not at all."""
        folder = sheet_folder(self._store.folder, key)
        pictures = self._pictures(made, found)
        sheet = Sheet(
            schema=SCHEMA,
            key=key,
            set=made.id,
            tones=tone_table(made.listed.tones, self._types(made.paths, made.contents)),
            real_tones=tone_table(
                made.view.method_train.tones, self._real_types(made.view.method_train)
            ),
            extractor=found.extractor,
            measured=found.measured,
            no_features=found.reason,
            pictures=tuple(
                SheetPicture(name, sha256_bytes(content), caption)
                for name, (content, caption) in pictures.items()
            ),
        )
        with self._store.writing():
            for name, (content, _caption) in pictures.items():
                write_atomic(folder / name, content)
            write_atomic(folder / SHEET, encode_sheet(sheet))
            write_seal(self._store.folder, sheet_unit(key))
        return folder

    def _real_types(self, rows: PartitionImages) -> tuple[str | None, ...]:
        with self._lock:
            if rows.labelled_digest not in self._real:
                self._real[rows.labelled_digest] = self._types(rows.paths, rows.sha256)
            return self._real[rows.labelled_digest]

    def _types(self, paths: Sequence[Path], contents: Sequence[str]) -> tuple[str | None, ...]:
        if not paths:
            return ()
        images = np.load(ensure_pack(self._store, paths, contents, _MEASURED), mmap_mode="r")
        return measured_types(images)

    def _pictures(
        self, made: SyntheticSet, found: MeasuredFeatures
    ) -> dict[str, tuple[bytes, str]]:
        """Contents and captions of the pictures by file; none of an empty set."""
        if not made.rows:
            return {}
        pictures = {CONTACT: _contact(made)}
        if found.measured:
            pictures[NEAREST] = _nearest(made, found.measured)
        return pictures


def _contact(made: SyntheticSet) -> tuple[bytes, str]:
    view, real = made.view, made.view.method_train
    shown = shown_images(listed(real), made.listed, view.classes, view.axis_tones)
    side_px = _LARGE_PX if len(shown.tones) <= 3 else _SMALL_PX
    cells = {
        place: ContactCell(
            tuple(_thumb(made.paths[i], side_px) for i in ours),
            tuple(_thumb(real.paths[i], side_px) for i in theirs),
        )
        for place, (ours, theirs) in shown.rows.items()
    }
    return contact_sheet(shown.labels, shown.tones, cells, side_px), shown.caption


def _nearest(made: SyntheticSet, measured: FeatureScores) -> tuple[bytes, str]:
    real = made.view.method_train
    ours = dict(zip((row.image_id for row in made.rows), made.paths, strict=True))
    theirs = dict(zip(real.ids, real.paths, strict=True))
    pairs = [
        ShownPair(
            _thumb(ours[pair.synthetic], _LARGE_PX),
            _thumb(theirs[pair.real], _LARGE_PX),
            f"distance {pair.distance:.3g}" + ("\nmade from it" if pair.is_source else ""),
        )
        for pair in measured.memory.nearest
    ]
    caption = "The synthetic images nearest to a training image, each with that image below it."
    return pair_sheet(pairs, _LARGE_PX), caption


def _thumb(path: Path, side_px: int) -> Thumb:
    return read_image(path, ImageSpec(side_px, "crop"))
