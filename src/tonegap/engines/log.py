"""Copies the output of a stage into its log as it comes: bounded, with its progress lines picked out.

The mistake it exists to prevent: a stage that talks without end filling the disk, or stopping
because nobody listens.
"""

import contextlib
import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tonegap.engines.base import RunSpec

LOG_LIMIT = 8 << 20
CHUNK = 1 << 16
_TAIL = 1 << 13
_MOST_STEPS = 100  # progress lines of one chunk that are told: a flood of them must cost nothing
_WORD = b"tonegap-progress "
_DEVICE = re.compile(rb"^tonegap-device ([ -~]{1,1000})\n", re.MULTILINE)
_GPU_MEMORY = re.compile(rb"^tonegap-gpu-memory (\d{1,9})[ \r]*\n", re.MULTILINE)
_PROGRESS = re.compile(rb"^tonegap-progress (\d{1,9}) (\d{1,9})[ \r]*\n", re.MULTILINE)


class LogPump:
    """Copies output into `spec.log` in a thread of its own, until there is no more."""

    def __init__(self, pieces: Iterable[Sequence[bytes | None]], spec: RunSpec) -> None:
        """Starts at once. A piece holds what came on each channel (standard output, error)."""
        self._pieces = pieces
        self._spec = spec
        self._tail = b""
        self._room = LOG_LIMIT
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Waits until the log is written; a process that keeps the pipe open cannot hold it up."""
        self._thread.join(timeout=seconds)

    def last_line(self) -> str:
        """The last line with content, at most 300 characters, made printable."""
        lines = self._tail.decode("utf-8", "replace").split("\n")
        text = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return "".join(c if c.isprintable() else "?" for c in text[-300:])

    def _copy(self) -> None:
        with _opened(self._spec.log) as log:
            for text in _whole_lines(self._pieces):
                self._take(text, log)
            if self._room <= 0:
                _write(log, b"\n[log cut: 8 MiB kept; the last lines follow]\n" + self._tail)

    def _take(self, text: bytes, log: BinaryIO) -> None:
        if _WORD in text:
            for done, total in _PROGRESS.findall(text)[-_MOST_STEPS:]:
                self._spec.on_progress(int(done), int(total))
            text = _PROGRESS.sub(b"", text)
        for told in _DEVICE.findall(text)[-1:]:  # the last names all GPUs that were told before
            self._spec.on_device(told.decode("ascii").strip())
        for told in _GPU_MEMORY.findall(text):
            self._spec.on_gpu_memory(float(told))
        self._tail = (self._tail + text)[-_TAIL:]
        if self._room > 0:
            _write(log, text[: self._room])
            self._room -= len(text)


def _whole_lines(pieces: Iterable[Sequence[bytes | None]]) -> Iterator[bytes]:
    """The same text, cut at line ends of its channel: so no progress line is cut in two."""
    rests: dict[int, bytes] = {}
    for piece in pieces:
        for channel, chunk in enumerate(piece):
            lines, newline, rest = (rests.get(channel, b"") + (chunk or b"")).rpartition(b"\n")
            yield lines + newline
            if len(rest) > CHUNK:
                yield rest
                rest = b""
            rests[channel] = rest
    yield from rests.values()


# On a full disk the log ends early; a pipe that nobody reads would stop the stage instead.


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb", buffering=0)
    except OSError:
        return Path(os.devnull).open("wb", buffering=0)


def _write(log: BinaryIO, text: bytes) -> None:
    with contextlib.suppress(OSError):
        log.write(text)
