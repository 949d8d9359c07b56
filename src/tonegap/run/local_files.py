"""Puts files of the host into a stage's `/in/files`: links them where the disk allows it, copies them once where not.

The mistake it exists to prevent: gigabytes of weights copied for every stage that reads them.
"""

import os
import shutil
from pathlib import Path

from tonegap.declared.local_files import LocalFile
from tonegap.files import content_files, sync, sync_tree
from tonegap.store.layout import GIVEN
from tonegap.store.seals import write_seal
from tonegap.store.store import Store


def give(store: Store, file: LocalFile, target: Path) -> None:
    """Puts a given file or folder at `target`; what it links to comes as plain files."""
    target.parent.mkdir(exist_ok=True)
    if not file.is_folder:
        link(file.path.resolve(), target)
        return
    source = file.path.resolve()
    try:
        _link_tree(source, target)
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        _link_tree(_kept(store, source, file.sha256), target)


def _link_tree(source: Path, target: Path) -> None:
    """Hard links of a folder's content. Raises OSError where there can be none."""
    target.mkdir()
    for path in content_files(source):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(path.resolve(), place)


def _kept(store: Store, source: Path, sha256: str) -> Path:
    """The store's own copy of a folder that lies on another disk, made once."""
    unit = f"{GIVEN}/{sha256}"
    kept = store.folder / unit
    with store.lock(f"given-{sha256}"):
        store.discard_damaged(unit)
        if not kept.exists():
            with store.work_folder(GIVEN) as folder, store.writing():
                for path in content_files(source):
                    place = folder / "tree" / path.relative_to(source)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, place)
                kept.parent.mkdir(exist_ok=True)
                sync_tree(folder / "tree")
                write_seal(store.folder, unit, folder / "tree")
                (folder / "tree").rename(kept)
                sync(kept.parent)
    return kept


def link(source: str | Path, target: str | Path) -> None:
    """A hard link where the file system has them, else a copy."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise  # a copy would write through that link into its source
    except OSError:
        shutil.copyfile(source, target)
