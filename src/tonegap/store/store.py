"""The store of results, `runs/`: folders named by content keys, written aside and renamed when complete.

Where what lies in it is said in `tonegap.store.layout`. The mistake it exists to prevent: something partial, damaged,
or made twice at once, taken for a result.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TextIO

import msgspec

from tonegap.errors import BadOutput, StoreError, file_errors
from tonegap.files import (
    clear_abandoned,
    digest_of,
    is_there,
    readable_json,
    sha256_bytes,
    sync,
    sync_tree,
    take_lock,
    write_atomic,
)
from tonegap.formats.matrix import Failure, Matrix
from tonegap.store import seals
from tonegap.store.layout import (
    AUDITS,
    FAILURES,
    FIRST_TRUTHS,
    JOBS,
    KEPT,
    LAST,
    LOCKS,
    MARKER,
    PACKS,
    RECORDS,
    REPEATS,
    SEALS,
    STAGES,
    SUITES,
    TRUTHS,
    WORK,
    failure_unit,
    first_truth_unit,
    record_unit,
    stage_unit,
    suite_unit,
    truth_unit,
)
from tonegap.store.marks import StageMark, first_truth, read_mark
from tonegap.untrusted import remove_tree

SCHEMA = b'{"schema":"tonegap/store@1"}\n'
_JOB = ".job"  # in a work folder: the array that it was laid out for
_FOLDERS = (STAGES, PACKS, RECORDS, FAILURES, SUITES, LAST, TRUTHS, LOCKS, WORK, JOBS)
# Where single files are written.
_RESULTS = (RECORDS, FAILURES, SUITES, LAST, TRUTHS, FIRST_TRUTHS, REPEATS, AUDITS)


class Store:
    """One store; several processes may use it at once. `mended`: what was damaged and taken away, one clause each."""

    def __init__(self, folder: Path, *, deep: bool = False, read_only: bool = False) -> None:
        """Opens or makes the store; every look at it goes by content if `deep`. Raises StoreError.

        `read_only`: makes nothing, needs no permission to write.
        """
        self.folder = folder.absolute()
        self.mended: list[str] = []
        self._deep = deep
        self._looked_at: set[str] = set()
        self._open(read_only)

    def _open(self, read_only: bool) -> None:
        marker = self.folder / MARKER
        said = f"{self.folder}: cannot keep results there"
        with file_errors(StoreError, said, "; pass --store DIR"):
            for name in () if read_only else _FOLDERS:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            if marker.exists() and marker.read_bytes() != SCHEMA:
                raise StoreError(
                    f"{marker}: found another layout than {SCHEMA.decode().strip()}; "
                    "use another --store or remove that folder"
                )
            if read_only:
                return
            if not marker.exists():
                write_atomic(marker, SCHEMA)
            if not os.access(self.folder / WORK, os.W_OK):
                raise PermissionError(errno.EACCES, "no permission to write")

    def stage_folder(self, key: str) -> Path:
        """Where the finished stage of that key lies, or would."""
        return self.folder / stage_unit(key)

    def damage(self, unit: str, without: Collection[str] = ()) -> str | None:
        """What is no longer as it was written in a file or folder of the store, one clause; None: nothing known.

        `without`: entries of the folder that are not looked at.
        """
        deep = self._deep and unit not in self._looked_at
        found = seals.damage(self.folder, unit, deep=deep, without=without)
        if found is None and not without:
            self._looked_at.add(unit)
        return found

    def discard(self, unit: str, why: str) -> None:
        """Takes away a file or folder of the store that is damaged, so that it is made again; notes why."""
        with self.writing():
            seals.remove_unit(self.folder, unit)
        self.mended.append(why)

    def discard_damaged(self, unit: str) -> None:
        """Takes away a file or folder of the store if it is there and damaged, as `discard` does."""
        if is_there(self.folder / unit) and (said := self.damage(unit)):
            self.discard(unit, said)

    def keep(self, unit: str, content: bytes) -> Path:
        """Writes a file of the store and seals it; returns its path. Raises StoreError."""
        path = self.folder / unit
        with self.lock(SEALS), self.writing():
            if path.is_symlink() or path.is_dir():
                seals.remove_unit(self.folder, unit)
            write_atomic(path, content)
            seals.write_seal(self.folder, unit)
        return path

    def has_stage(self, key: str) -> bool:
        """Whether that stage is finished."""
        return (self.stage_folder(key) / "stage.json").exists()

    def check_stage(self, key: str, without: Collection[str] = ()) -> None:
        """Raises StoreError if a finished stage is not what it was when it was checked."""
        said = self.damage(stage_unit(key), without)
        if said:
            raise StoreError(f"{said}; run the same command again, which makes it again")

    def read_mark(self, key: str) -> StageMark:
        """The mark of a finished stage. Raises StoreError where it is damaged."""
        mark = read_mark(self.folder, key)
        if mark is None:
            raise StoreError(f"{self.stage_folder(key)}: no stage.json; run again")
        return mark

    def commit_stage(self, out: Path, mark: StageMark) -> None:
        """Turns a finished stage's output folder into the result of its key, all or nothing."""
        unit, target = stage_unit(mark.key), self.stage_folder(mark.key)
        with self.writing():
            write_atomic(out / "stage.json", readable_json(mark))
            target.parent.mkdir(exist_ok=True)
            try:
                sync_tree(out)
                seals.write_seal(self.folder, unit, out)
            except PermissionError as e:
                raise BadOutput(f"{Path(str(e.filename)).name}: cannot be read") from None
            try:
                out.rename(target)
            except OSError as e:
                if e.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                    raise
                # What lies there without a mark was cut off by a crash of the machine, or is no stage.
                if target.is_symlink() or not target.is_dir():
                    target.unlink()
                remove_tree(target)
                out.rename(target)
            sync(target.parent)
        self.keep(self._last(mark.plugin, mark.stage, mark.ingredients), readable_json(mark))

    def last_mark(self, plugin: str, stage: str, ingredients: dict[str, str]) -> StageMark | None:
        """Mark of the newest finished stage for the same question, None if there is none."""
        return self._mark_at(self._last(plugin, stage, ingredients))

    def last_marks(self) -> tuple[StageMark, ...]:
        """The newest finished stage's mark of every question, newest first."""
        paths = sorted((self.folder / LAST).glob("*.json"), key=lambda p: -p.stat().st_mtime_ns)
        return tuple(filter(None, (self._mark_at(f"{LAST}/{path.name}") for path in paths)))

    def _mark_at(self, unit: str) -> StageMark | None:
        try:
            content = seals.read_sealed(self.folder, unit)
            return None if content is None else msgspec.json.decode(content, type=StageMark)
        except (StoreError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _last(self, plugin: str, stage: str, ingredients: dict[str, str]) -> str:
        same = ("task", "seed", "upstream.plugin", "parameters.backbone")
        slot = digest_of([plugin, stage, *(ingredients.get(name, "") for name in same)])
        return f"{LAST}/{slot}.json"

    def finished_records(self) -> frozenset[str]:
        """Keys of all records, from one listing."""
        try:
            names = os.listdir(self.folder / RECORDS)  # noqa: PTH208 - 10,000 names, no Paths
        except FileNotFoundError:
            return frozenset()  # of a store that is only read, and is not there
        return frozenset(
            name.removesuffix(".json")
            for name in names
            if name.endswith(".json") and not name.startswith(".")
        )

    def record_path(self, key: str) -> Path:
        """Where the record of that key lies, or would."""
        return self.folder / record_unit(key)

    def write_record(self, key: str, content: bytes) -> None:
        """Keeps a record and forgets an earlier failure of the same run."""
        self.keep(record_unit(key), content)
        if self.failure_path(key).exists():
            with self.writing():
                seals.remove_unit(self.folder, failure_unit(key))

    def truth_path(self, sha256: str) -> Path:
        """Where the truth of that digest lies, or would."""
        return self.folder / truth_unit(sha256)

    def keep_truth(self, content: bytes) -> str:
        """Keeps a truth once, again where it or its seal is damaged; returns its digest."""
        sha256 = sha256_bytes(content)
        path, unit = self.truth_path(sha256), truth_unit(sha256)
        sealed = seals.sealed_sha256(self.folder, unit)
        if not path.is_file() or path.read_bytes() != content or sealed not in {None, sha256}:
            self.keep(unit, content)
        return sha256

    def remember_truth(self, place: str, sha256: str) -> None:
        """Keeps the digest of the first truth of a task at a seed; later ones are held against it."""
        if first_truth(self.folder, place) is None:
            self.keep(first_truth_unit(place), f"{sha256}\n".encode())

    def failure_path(self, key: str) -> Path:
        """Where the failure of the run with that record key lies, or would."""
        return self.folder / failure_unit(key)

    def write_failure(self, failure: Failure) -> None:
        """Keeps why a run has no record."""
        self.keep(failure_unit(failure.key), readable_json(failure))

    def keep_log(self, key: str, log: Path) -> str:
        """Keeps the log of a failed stage; returns its path below the store."""
        kept = self._log_path(key)
        with self.writing():
            shutil.copyfile(log, kept)
        return kept.relative_to(self.folder).as_posix()

    def keep_work(self, key: str, folder: Path) -> Path:
        """Moves the folder of a failed stage to where no sweep removes it; returns its place."""
        kept = self.folder / KEPT / key[:16]
        with self.writing():
            kept.parent.mkdir(exist_ok=True)
            if kept.exists():
                remove_tree(kept)
            folder.rename(kept)
        return kept

    def drop_log(self, key: str) -> None:
        """Forgets the log of an earlier failure of a stage that is finished now."""
        with self.writing():
            self._log_path(key).unlink(missing_ok=True)

    def _log_path(self, key: str) -> Path:
        return self.folder / FAILURES / f"{key}.log"

    def write_matrix(self, matrix: Matrix) -> Path:
        """Keeps a suite's declared matrix and returns its file."""
        return self.keep(suite_unit(matrix.suite), readable_json(matrix))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turns what the system says of a write that failed into a StoreError."""
        try:
            yield
        except OSError as e:
            raise StoreError(
                f"{e.filename or self.folder}: cannot be written: {e.strerror}; make room or pass "
                "another --store; what is finished is kept"
            ) from None

    @contextlib.contextmanager
    def try_lock(self, name: str) -> Iterator[bool]:
        """Whether this process is the one at `name` now; held until the block ends or the process dies."""
        with self._lock_file(name) as f:
            yield take_lock(f, wait=False)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Waits until this process is the one at `name`."""
        with self._lock_file(name) as f:
            take_lock(f, wait=True)
            yield

    def _lock_file(self, name: str) -> TextIO:
        with self.writing():
            return (self.folder / LOCKS / name).open("w")

    @contextlib.contextmanager
    def work_folder(self, prefix: str) -> Iterator[Path]:
        """A folder of this block's own, gone afterwards; locked, so that a sweep leaves it alone."""
        # Made and locked in one go as a sweep sees it: a folder without a lock is a dead one.
        with self.lock(WORK), self.writing():
            folder = Path(tempfile.mkdtemp(prefix=f"{prefix}.", dir=self.folder / WORK))
            lock = (folder / ".lock").open("w")
            take_lock(lock, wait=True)
        try:
            yield folder
        finally:
            remove_tree(folder)
            lock.close()

    def job_folder(self, prefix: str, array: str) -> Path:
        """A folder for a job, in place of a process: kept until `jobs/ARRAY/` is gone, see `is_dead`."""
        with self.lock(WORK), self.writing():
            folder = Path(tempfile.mkdtemp(prefix=f"{prefix}.", dir=self.folder / WORK))
            (folder / _JOB).write_text(array, encoding="ascii")
        return folder

    def sweep(self) -> int:
        """Removes what crashed processes left in `work/`, and half-written files; returns how many folders of work."""
        seal_folders = (Path(path) for path, _, _ in os.walk(self.folder / SEALS))
        for folder in (*(self.folder / name for name in _RESULTS), self.folder, *seal_folders):
            clear_abandoned(folder)
        dead = self.dead()
        for folder in dead:
            remove_tree(folder)
        return len(dead)

    def dead(self) -> list[Path]:
        """The folders in `work/` that crashed processes left."""
        with self.lock(WORK):
            return [path for path in (self.folder / WORK).iterdir() if is_dead(path)]


def is_dead(folder: Path) -> bool:
    """Whether no process holds the lock of a work folder; one of a job: whether nothing of its array is left."""
    with contextlib.suppress(OSError):
        return not (folder.parents[1] / JOBS / (folder / _JOB).read_text("ascii")).is_dir()
    try:
        with (folder / ".lock").open() as f:
            return take_lock(f, wait=False)
    except NotADirectoryError:
        return False  # no folder of ours
    except FileNotFoundError:
        return folder.is_dir()
