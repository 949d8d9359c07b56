"""Audits a synthetic set inside a run, after the `generate` stage and before anybody trains on it.

Kept under the stage's key and all that it was compared with, so that a synthetic set that was made for one split is
looked at again when another split comes.
"""

from collections.abc import Collection
from pathlib import Path

import msgspec

from tonegap.caches import kept_or_made
from tonegap.closure import code_digest
from tonegap.files import digest_of
from tonegap.formats.lineage import SyntheticLineage, read_lineage
from tonegap.split.view import TaskView
from tonegap.store.layout import AUDITS
from tonegap.store.seals import read_sealed
from tonegap.store.store import Store
from tonegap.synthetic.findings import SCHEMA, Audit, LeakFinding, descent, is_unknown
from tonegap.synthetic.held_out_copies import showing
from tonegap.synthetic.manifest import read_synthetic
from tonegap.synthetic.withheld import held_out


def audited(store: Store, key: str, view: TaskView) -> Audit:
    """The audit of a finished generate stage, made now unless it is kept.

    Raises BadOutput where what the stage left is damaged.
    """
    made = store.stage_folder(key)
    name = _name(made, key, view)
    unit = f"{AUDITS}/{name}.json"
    with store.lock(f"audit-{name}"):
        return kept_or_made(
            lambda: msgspec.json.decode(read_sealed(store.folder, unit) or b"", type=Audit),
            lambda: _audit(made, view),
            lambda found: store.keep(unit, msgspec.json.encode(found, order="sorted")),
        )


def _name(made: Path, key: str, view: TaskView) -> str:
    """Names all that is compared, the content of the set included: a stage that ran again may leave another."""
    compared = [
        code_digest("tonegap.synthetic.audit"),
        key,
        read_lineage(made).sha256,
        view.validation.image_digest,
        view.test.image_digest,
        {image_id: copy.image_id for image_id, copy in view.copies.items()},
        [view.methods_see_duplicates, view.methods_see_groups],
    ]
    return digest_of(compared)


def _audit(made: Path, view: TaskView) -> Audit:
    lineage = read_lineage(made)
    ancestors = {name: lineage.ancestors(row) for row, name in enumerate(lineage.image_ids)}
    found = [
        finding
        for image_id, ids in ancestors.items()
        if (finding := descent(image_id, ids, view.held_out, view.copies))
    ]
    held = held_out(view.validation, view.test)
    shown, n_explained = showing(_files(made, lineage), _sources(lineage, view), held)
    refused = [f for f in (*found, *shown) if not _is_allowed(f, ancestors[f.image_id], view)]
    allowed = {f.image_id for f in (*found, *shown)}.difference(f.image_id for f in refused)
    named = {i for ids in ancestors.values() for i in ids if i in view.method_ids}
    return Audit(
        schema=SCHEMA,
        n=len(lineage.image_ids),
        n_sources=len(named),
        n_unknown=sum(1 for sources in lineage.sources if is_unknown(sources)),
        n_allowed=len(allowed),
        n_explained=n_explained,
        refused=tuple(refused),
    )


def _is_allowed(finding: LeakFinding, ancestors: Collection[str], view: TaskView) -> bool:
    """Whether the task shows methods a copy of that held-out image, and this image was made from it."""
    seen = view.method_ids.intersection(ancestors)
    return any(view.copies[i].image_id == finding.held_out for i in seen if i in view.copies)


def _files(made: Path, lineage: SyntheticLineage) -> dict[str, tuple[Path, str]]:
    files = {row.image_id: made / "images" / row.file for row in read_synthetic(made)}
    return {
        image_id: (files[image_id], sha256)
        for image_id, sha256 in zip(lineage.image_ids, lineage.sha256, strict=True)
    }


def _sources(lineage: SyntheticLineage, view: TaskView) -> dict[str, list[Path]]:
    """Files of the training images that each synthetic one names as its sources."""
    paths = dict(zip(view.method_train.ids, view.method_train.paths, strict=True))
    return {
        image_id: [paths[source] for source in sources if source in paths]
        for image_id, sources in zip(lineage.image_ids, lineage.sources, strict=True)
    }
