"""The real images that a set made elsewhere is compared with.

Metadata alone will do: then only names are followed.
"""

from pathlib import Path

from tonegap.data.drawn import ensure_drawn
from tonegap.data.image_names import image_names
from tonegap.data.index import index_images
from tonegap.data.metadata import read_metadata
from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task
from tonegap.split.partition import partition
from tonegap.split.view import PartitionImages
from tonegap.store.layout import AUDITS, DRAWN, INDEX
from tonegap.store.store import Store
from tonegap.synthetic.external_audit import HELD_OUT, RealImages
from tonegap.synthetic.source_names import KnownImages
from tonegap.synthetic.withheld import HeldOut


def read_truth(
    task: Task, seed: int, dataset: Dataset, data_root: Path | None, store: Store
) -> RealImages:
    """The truth of one task and seed. Raises ToneGapError where metadata or split are not as they must be."""
    root = data_root or ensure_drawn(dataset, store.folder / DRAWN, workers=1)
    metadata = read_metadata(dataset, root)
    index = index_images(dataset, metadata, root, store.folder / INDEX, workers=1)
    made = partition(task, metadata, seed)
    parts = dict(zip(made.ids, made.parts, strict=True))
    tones = dict(zip(made.ids, made.tones, strict=True))
    held = [i for part in HELD_OUT for i in made.members(part) if i in index.sha256]
    # Images that the task leaves unused may be ancestors too.
    others = tuple(i for i in made.ids if parts[i] not in HELD_OUT and i in index.sha256)
    return RealImages(
        parts=parts,
        labels=dict(zip(metadata.ids, metadata.columns[dataset.file.label_column], strict=True)),
        train=PartitionImages(
            ids=others,
            labels=("",) * len(others),
            tones=tuple(tones[i] for i in others),
            sha256=tuple(index.sha256[i] for i in others),
            paths=tuple(index.paths[i] for i in others),
        ),
        held=HeldOut(
            ids=tuple(held),
            parts=tuple(parts[i] for i in held),
            sha256=tuple(index.sha256[i] for i in held),
            paths=tuple(index.paths[i] for i in held),
        ),
        groups=index.groups,
        cache_dir=store.folder / AUDITS,
        images=KnownImages(metadata.ids, image_names(dataset, metadata)),
        metadata=metadata,
    )
