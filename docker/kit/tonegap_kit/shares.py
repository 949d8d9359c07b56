"""A stage's images made by several processes, one for each GPU that it was given, and put together as one set.

Every process plans all images and makes every n-th batch of them, so that a batch holds the images that it would hold
with one GPU. What a process leaves lies below `shares/` until all have ended.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from tonegap_kit.errors import StageError

PLACES, TABLE = "places.json", "synthetic.csv"
_FOLDER, _NOTES = "shares", "notes.json"
_PROGRESS = re.compile(rb"tonegap-progress (\d{1,9}) (\d{1,9})[ \r]*\n")  # as the engine reads it
_DEVICE = b"tonegap-device "
_POLL_S, _LAST_WORDS_S = 0.2, 1.0
_LONGEST = 1 << 16  # bytes of a line that are passed on together
_LONGEST_FIELD = 1 << 24  # of a table, as in the engine: sources may be all training images
_SHELL_SIGNAL = 128
_One = TypeVar("_One")


class BatchShare:
    """The batches of a stage's images that one of `n` processes makes; all of them where it is the only one."""

    def __init__(self, number: int = 0, n: int = 1) -> None:
        self.n, self._number, self._batches, self._asked = n, number, 0, 0
        self.places: list[int] = []

    def take(self, asked: Sequence[_One], batch: int) -> list[_One]:
        """Those of the next images asked for that this process makes, in their order; `batch` go together.

        Called once for all that are sampled in one go. `places` says which of all asked for so far were taken.
        """
        batches = range(0, len(asked), batch)
        own = [at for i, at in enumerate(batches, self._batches) if i % self.n == self._number]
        rows = [row for at in own for row in range(at, min(at + batch, len(asked)))]
        self.places += [self._asked + row for row in rows]
        self._batches += len(batches)
        self._asked += len(asked)
        return [asked[row] for row in rows]


def visible_devices() -> list[str]:
    """The GPUs that this process may use, as CUDA's variable names them; none where it does not say."""
    return [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]


def spread(command: Sequence[str], out: Path, devices: Sequence[str]) -> int:
    """Runs the command once for each device and puts together what the processes leave; the code to end with.

    The first that fails ends the others. Raises StageError where what they leave is not one set.
    """
    places = [out / _FOLDER / str(k) for k in range(len(devices))]
    relay, started, readers = _Relay(len(devices)), [], []
    try:
        for k, (device, place) in enumerate(zip(devices, places, strict=True)):
            place.mkdir(parents=True)
            argv = [*command, "--out", str(place), "--share", f"{k}/{len(devices)}"]
            variables = os.environ | {"CUDA_VISIBLE_DEVICES": device}
            process = subprocess.Popen(argv, env=variables, stderr=subprocess.PIPE)
            started.append(process)
            # Daemons: what a process leaves running may hold its end of the pipe for ever.
            readers.append(Thread(target=relay.copy, args=(k, process), daemon=True))
            readers[-1].start()
        failed, code = _end_of(started)
    finally:
        for process in started:
            process.kill()
            process.wait()
        deadline = time.monotonic() + _LAST_WORDS_S
        for reader in readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        relay.end()
    if code == 0:
        put_together(out, places)
    elif words := relay.last_words(failed):
        _to_log(words)  # once more, after all that the others had to say
    return code


def _end_of(started: Sequence[subprocess.Popen[bytes]]) -> tuple[int, int]:
    """The first that did not end well and its code, as a shell tells it; 0 once all have."""
    waiting = list(started)
    while waiting:
        for process in list(waiting):
            try:
                code = process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                continue
            waiting.remove(process)
            if code < 0:
                _to_log(b"error: the process of one of the GPUs was ended by signal %d\n" % -code)
            if code:
                return started.index(process), code if code > 0 else _SHELL_SIGNAL - code
    return 0, 0


class _Relay:
    """Passes on what the processes say, their progress and devices as one."""

    def __init__(self, n: int) -> None:
        self._done, self._devices, self._lock = [0] * n, [b""] * n, Lock()
        self._words, self._over = [b""] * n, False

    def copy(self, k: int, process: subprocess.Popen[bytes]) -> None:
        """Passes on all that process k says, until nobody can say more."""
        while process.stderr and (line := process.stderr.readline(_LONGEST)):
            with self._lock:
                if self._over:
                    return
                self._pass_on(k, line)

    def end(self) -> None:
        """Passes on nothing more."""
        with self._lock:
            self._over = True

    def last_words(self, k: int) -> bytes:
        """The last line of process k with content that is no progress."""
        return self._words[k]

    def _pass_on(self, k: int, line: bytes) -> None:
        if told := _PROGRESS.fullmatch(line):
            self._done[k] = int(told[1])
            line = b"tonegap-progress %d %d\n" % (sum(self._done), int(told[2]))
        elif line.startswith(_DEVICE):
            self._devices[k] = line.removeprefix(_DEVICE).strip()
            line = _DEVICE + b"; ".join(filter(None, self._devices)) + b"\n"
        elif line.strip():
            self._words[k] = line.rstrip() + b"\n"
        _to_log(line)


def put_together(out: Path, places: Sequence[Path]) -> None:
    """The images of all processes in one folder and their rows in the order of one process; the table comes last.

    `places` are the processes' folders below `shares/`, which goes. Raises StageError where they are not one set.
    """
    rows: dict[int, list[str]] = {}
    header: list[str] = []
    (out / "images").mkdir(exist_ok=True)
    ids: set[str] = set()
    for place in places:
        if absent := [name for name in (TABLE, PLACES) if not (place / name).is_file()]:
            raise StageError(f"the process of GPU {place.name} ended well and left no {absent[0]}")
        header, *own = _read_table(place / TABLE)
        at = json.loads((place / PLACES).read_text())
        if twice := ids & (new := {row[0] for row in own}):
            raise StageError(f"synthetic image {min(twice)!r}: made by two of the processes")
        ids |= new
        if len(at) != len(own) or rows.keys() & set(at):
            raise StageError(
                f"{place.name}: {len(own)} images for {len(at)} places; this method cannot be spread over GPUs"
            )
        rows.update(zip(at, own, strict=True))
        for image in (place / "images").iterdir():
            image.rename(out / "images" / image.name)
    if sorted(rows) != list(range(len(rows))):
        raise StageError(f"{len(rows)} images, of which some have no place; wanted one for each")
    notes = {(place / _NOTES).read_bytes() for place in places if (place / _NOTES).exists()}
    if len(notes) > 1:  # they are of the whole plan, which every process makes
        raise StageError(
            "notes.json: the processes left different ones, wanted notes of all images from each"
        )
    for one in notes:
        (out / _NOTES).write_bytes(one)
    shutil.rmtree(out / _FOLDER)
    aside = out / "synthetic.partial"
    with aside.open("w", encoding="utf-8", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([header, *(rows[k] for k in range(len(rows)))])
    aside.replace(out / TABLE)


def _read_table(path: Path) -> list[list[str]]:
    before = csv.field_size_limit(_LONGEST_FIELD)  # of the whole process
    try:
        with path.open(encoding="utf-8", newline="") as f:
            return list(csv.reader(f))
    finally:
        csv.field_size_limit(before)


def _to_log(line: bytes) -> None:
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()
