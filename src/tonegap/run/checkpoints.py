"""Keeps the checkpoints of a resumable stage that did not end well for its next try: `checkpoints/KEY/` in the store.

Kept under the stage's whole key, so that a changed stage never sees another's. The mistakes it exists to prevent: hours
of fitting lost to a machine that was switched off, and a result made half by one method and half by another.
"""

import contextlib
import re
import stat
import time
from pathlib import Path

from tonegap.errors import BadOutput
from tonegap.plan.plan import PlannedStage
from tonegap.store.layout import CHECKPOINTS
from tonegap.store.seals import remove_seal, write_seal
from tonegap.store.store import Store
from tonegap.untrusted import is_plain_folder, remove_tree, walk, written_bytes

FOLDER = "checkpoints"  # below /out
KEY_FILE = "stage-key"  # in a work folder: whose checkpoints those in its `out/` are
_STALE_S = 30 * 24 * 3600
_KEY = re.compile(r"[0-9a-f]{64}")
_MIB = 1 << 20


def put_back(store: Store, stage: PlannedStage, work: Path, limit_mib: int) -> None:
    """Gives a resumable stage its `/out/checkpoints/`, with what an earlier try of the same key left.

    What holds a link or a special file, or is over the output limit, is thrown away.
    """
    if not stage.identity.plugin.file.resumable:
        return
    (work / KEY_FILE).write_text(stage.key, encoding="utf-8")
    unit, place = f"{CHECKPOINTS}/{stage.key}", work / "out" / FOLDER
    kept = store.folder / unit
    store.discard_damaged(unit)
    if kept.is_dir() and not _is_sound(kept, limit_mib):
        remove_tree(kept)
    remove_seal(store.folder, unit)
    if kept.is_dir():
        kept.rename(place)
    else:
        place.mkdir()


def _is_sound(folder: Path, limit_mib: int) -> bool:
    try:
        for _path, status in walk(folder):
            plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
            if not (plain or stat.S_ISDIR(status.st_mode)):
                return False
        return written_bytes(folder) <= limit_mib * _MIB
    except BadOutput:
        return False


def keep(store: Store, work: Path) -> None:
    """Moves what a stage that did not end well left into the store, for the next try.

    `work` is its work folder, also one that a dead process left behind; without a key in it nothing happens.
    """
    with contextlib.suppress(OSError):  # another process may be clearing the same work folder
        key = (work / KEY_FILE).read_text(encoding="utf-8")
        left = work / "out" / FOLDER
        if not (is_plain_folder(left.parent) and is_plain_folder(left)) or not any(left.iterdir()):
            return
        if _KEY.fullmatch(key) is None:
            return
        kept = store.folder / CHECKPOINTS / key
        kept.parent.mkdir(exist_ok=True)
        remove_tree(kept)
        left.rename(kept)
        write_seal(store.folder, f"{CHECKPOINTS}/{key}")


def drop(store: Store, key: str) -> None:
    """Forgets the checkpoints of a stage that is finished."""
    remove_tree(store.folder / CHECKPOINTS / key)
    remove_seal(store.folder, f"{CHECKPOINTS}/{key}")


def sweep(store: Store) -> None:
    """Takes over what dead processes left, and removes what is stale.

    Stale: checkpoints of stages that are finished, and those that nobody came back for in 30 days.
    """
    for work in store.dead():
        keep(store, work)
    folder = store.folder / CHECKPOINTS
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if store.has_stage(path.name) or time.time() - path.stat().st_mtime > _STALE_S:
                remove_tree(path)
