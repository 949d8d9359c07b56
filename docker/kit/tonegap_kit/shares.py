"""A stage's images made by several processes, one for each GPU that it was given, and put together as one set.

Every process plans all images and makes every n-th batch of them, so that a batch holds the images that it would hold
with one GPU. What a process leaves lies below `shares/` until all have ended.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from tonegap_kit.errors import StageError

PLACES, TABLE = "places.json", "synthetic.csv"
_FOLDER, _NOTES = "shares", "notes.json"
_PROGRESS, _DEVICE = "tonegap-progress ", "tonegap-device "
_POLL_S = 0.2
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
            process = subprocess.Popen(argv, env=variables, stderr=subprocess.PIPE, text=True)
            started.append(process)
            readers.append(Thread(target=relay.copy, args=(k, process)))
            readers[-1].start()
        code = _end_of(started)
    finally:
        for process in started:
            process.kill()
        for reader in readers:
            reader.join()
    if code == 0:
        put_together(out, places)
    return code


def _end_of(started: Sequence[subprocess.Popen[str]]) -> int:
    """0 once all have ended well, else the code of the first that did not; 1 with a word for one that was killed."""
    waiting = list(started)
    while waiting:
        for process in list(waiting):
            try:
                code = process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                continue
            waiting.remove(process)
            if code < 0:
                _to_log(f"error: the process of one of the GPUs was ended by signal {-code}\n")
            if code:
                return max(code, 1)
    return 0


class _Relay:
    """Passes on what the processes say, their progress and devices as one."""

    def __init__(self, n: int) -> None:
        self._done, self._devices, self._lock = [0] * n, [""] * n, Lock()

    def copy(self, k: int, process: subprocess.Popen[str]) -> None:
        """Passes on all that process k says, until it has ended."""
        with process:
            for line in process.stderr or ():
                with self._lock:
                    self._pass_on(k, line)

    def _pass_on(self, k: int, line: str) -> None:
        if line.startswith(_PROGRESS):
            done, total = line.removeprefix(_PROGRESS).split()
            self._done[k] = int(done)
            line = f"{_PROGRESS}{sum(self._done)} {total}\n"
        elif line.startswith(_DEVICE):
            self._devices[k] = line.removeprefix(_DEVICE).strip()
            line = f"{_DEVICE}{'; '.join(filter(None, self._devices))}\n"
        _to_log(line)


def put_together(out: Path, places: Sequence[Path]) -> None:
    """The images of all processes in one folder and their rows in the order of one process; the table comes last.

    `places` are the processes' folders below `shares/`, which goes. Raises StageError where they are not one set.
    """
    rows: dict[int, list[str]] = {}
    header: list[str] = []
    (out / "images").mkdir(exist_ok=True)
    for place in places:
        with (place / TABLE).open(encoding="utf-8", newline="") as f:
            header, *own = csv.reader(f)
        at = json.loads((place / PLACES).read_text())
        if len(at) != len(own) or rows.keys() & set(at):
            raise StageError(
                f"{place.name}: {len(own)} images for {len(at)} places; this method cannot be spread over GPUs"
            )
        rows.update(zip(at, own, strict=True))
        for image in (place / "images").iterdir():
            image.rename(out / "images" / image.name)
    if sorted(rows) != list(range(len(rows))):
        raise StageError(f"{len(rows)} images, of which some have no place; wanted one for each")
    for place in places:  # notes are of the whole plan, which every process makes
        if (notes := place / _NOTES).exists():
            notes.replace(out / _NOTES)
    shutil.rmtree(out / _FOLDER)
    aside = out / "synthetic.partial"
    with aside.open("w", encoding="utf-8", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([header, *(rows[k] for k in range(len(rows)))])
    aside.replace(out / TABLE)


def _to_log(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()
