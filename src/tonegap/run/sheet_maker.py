"""Makes the quality sheet of a synthetic set and its pictures.

The mistake it exists to prevent: a set that nobody looked at.
"""

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tonegap.data.decode import read_bytes, upright_size
from tonegap.data.preprocessing import read_image
from tonegap.files import readable_json, sha256_bytes, sha256_file, write_atomic
from tonegap.formats.job import ImageSpec, Parameter
from tonegap.formats.quality_sheet import (
    SCHEMA,
    ExtractorId,
    FeatureScores,
    Looks,
    SetId,
    Sheet,
    SheetPicture,
    ToneTable,
)
from tonegap.run.decoded_arrays import ensure_mask_pack, ensure_pack
from tonegap.split.view import PartitionImages, TaskView
from tonegap.store.layout import sheet_unit
from tonegap.store.seals import write_seal
from tonegap.store.store import Store
from tonegap.synthetic.manifest import SyntheticRow, image_contents, read_synthetic
from tonegap.synthetic.quality.features import read_features
from tonegap.synthetic.quality.fidelity import tone_table
from tonegap.synthetic.quality.looks import MOST, looks_of
from tonegap.synthetic.quality.measure import Listed, measure, radiomic_distances
from tonegap.synthetic.quality.pictures import (
    ContactCell,
    ShownPair,
    Thumb,
    contact_sheet,
    pair_sheet,
    shown_images,
)
from tonegap.synthetic.quality.radiomics import radiomic_features
from tonegap.synthetic.quality.skin import SIZE_PX, measured_skin

if TYPE_CHECKING:
    from tonegap.plan.plan import PlannedStage

SHEET, CONTACT, NEAREST = "quality.json", "contact.jpg", "nearest.jpg"
NO_EXTRACTOR = "no feature extractor was named ([quality] in the suite's file)"
_MEASURED = ImageSpec(SIZE_PX, "crop")
_SHARP_PX = 256
_REASON = 200  # characters that are shown of a method's reason
_SMALL_PX, _LARGE_PX = 64, 96  # sides of what a contact sheet shows, for six tones and for three


@dataclass(frozen=True, slots=True)
class SyntheticSet:
    """A synthetic set in a folder (`synthetic.csv`, `images/`), and the task it was made for.

    `from_text`: by a method that works from text, without anything fitted to the task's images.
    """

    id: SetId
    folder: Path
    rows: tuple[SyntheticRow, ...]
    view: TaskView
    from_text: bool = False

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
            from_text=self.from_text,
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
    plugin = generate.identity.plugin
    made = synthetic_set(
        store.stage_folder(generate.key),
        generate.view,
        plugin=plugin.label,
        parameters=generate.parameters,
        seed=generate.seed,
        key=generate.key,
    )
    return replace(made, from_text=plugin.file.made_from == "text" and not generate.upstream)


def synthetic_set(
    folder: Path,
    view: TaskView,
    *,
    plugin: str,
    parameters: dict[str, Parameter],
    seed: int,
    key: str,
) -> SyntheticSet:
    """The set in a folder, for a task at a seed; `key` names its content. Raises BadOutput for a wrong manifest."""
    rows = read_synthetic(folder)
    asked = [row.tone or "unknown" for row in rows]  # counted light to dark, unknown last
    set_id = SetId(
        plugin=plugin,
        parameters=parameters,
        task=view.task,
        seed=seed,
        stage=key,
        sha256=sha256_file(folder / "synthetic.csv"),
        n=len(rows),
        n_by_tone={t: asked.count(t) for t in (*view.axis_tones, "unknown") if t in asked},
        n_real=len(view.method_train.ids),
        data=view.data,
    )
    return SyntheticSet(set_id, folder, rows, view)


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
    return notes.exists() and json.loads(notes.read_bytes()).get("random") is True


class SheetMaker:
    """Makes sheets; the tones of real images are measured once for each set of them."""

    def __init__(self, store: Store) -> None:
        """Takes the store that sheets are kept in."""
        self._store = store
        self._real: dict[object, tuple[ToneTable, Looks, NDArray[np.float64]]] = {}
        self._lock = threading.Lock()

    def make(self, made: SyntheticSet, found: MeasuredFeatures, key: str) -> Path:
        """Writes the sheet and returns its folder; `quality.json` comes last, whole or not at all."""
        folder = sheet_folder(self._store.folder, key)
        pictures = self._pictures(made, found)
        side_px = _side_px(made.paths)
        train = made.view.method_train
        real_tones, real_looks, real_radiomic = self._real_images(train, side_px)
        images = self._images(made.paths, made.contents)
        sheet = Sheet(
            schema=SCHEMA,
            key=key,
            set=made.id,
            tones=tone_table(made.listed.tones, [measured_skin(image) for image in images]),
            real_tones=real_tones,
            looks=self._looks(made.paths, made.contents, side_px),
            real_looks=real_looks,
            sharpness_px=side_px,
            skipped=_skipped(made.folder / "notes.json"),
            extractor=found.extractor,
            measured=found.measured,
            no_features=found.reason,
            pictures=tuple(
                SheetPicture(name, sha256_bytes(content), caption)
                for name, (content, caption) in pictures.items()
            ),
            radiomic=radiomic_distances(
                real_radiomic,
                radiomic_features(images),
                listed(train),
                made.listed,
                made.view.axis_tones,
            ),
        )
        with self._store.writing():
            for name, (content, _caption) in pictures.items():
                write_atomic(folder / name, content)
            write_atomic(folder / SHEET, readable_json(sheet))
            write_seal(self._store.folder, sheet_unit(key))
        return folder

    def _real_images(
        self, rows: PartitionImages, side_px: int
    ) -> tuple[ToneTable, Looks, NDArray[np.float64]]:
        with self._lock:
            key = (rows.labelled_digest, rows.groups, side_px)
            if key not in self._real:
                images = self._images(rows.paths, rows.sha256)
                masks: Iterable[NDArray[np.uint8] | None] = [None] * len(rows.ids)
                if rows.masks:
                    pack = ensure_mask_pack(
                        self._store, rows.masks, rows.mask_sha256, _MEASURED, rows.paths
                    )
                    masks = np.load(pack, mmap_mode="r")
                skins = [measured_skin(*both) for both in zip(images, masks, strict=True)]
                looks = self._looks(rows.paths, rows.sha256, side_px)
                radiomic = radiomic_features(images)
                self._real[key] = (tone_table(rows.tones, skins, rows.groups), looks, radiomic)
            return self._real[key]

    def _looks(self, paths: Sequence[Path], contents: Sequence[str], side_px: int) -> Looks:
        few = np.linspace(0, len(paths) - 1, min(MOST, len(paths))).astype(np.int64)
        small = self._images(paths, contents)
        sharp = self._images(paths, contents, ImageSpec(side_px, "crop"))
        return looks_of((small[i] for i in few), (sharp[i] for i in few))

    def _images(
        self, paths: Sequence[Path], contents: Sequence[str], spec: ImageSpec = _MEASURED
    ) -> NDArray[np.uint8]:
        if not paths:
            return np.empty((0, spec.size_px, spec.size_px, 3), np.uint8)
        images: NDArray[np.uint8] = np.load(
            ensure_pack(self._store, paths, contents, spec), mmap_mode="r"
        )
        return images

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


def _side_px(paths: Sequence[Path]) -> int:
    """The side at which sharpness is compared: that of the first synthetic image, at most 256 px."""
    return SIZE_PX if not paths else min(*upright_size(read_bytes(paths[0])), _SHARP_PX)


def _skipped(notes: Path) -> dict[str, int]:
    """What a method's notes say that it passed over, by reason; nothing where they say it in another form."""
    found = json.loads(notes.read_bytes()).get("skipped") if notes.exists() else None
    pairs = found.items() if isinstance(found, dict) else ()
    return {why[:_REASON]: n for why, n in pairs if isinstance(n, int) and not isinstance(n, bool)}


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
