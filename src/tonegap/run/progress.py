"""How a run shows itself: a live display on a terminal, plain lines elsewhere."""

import sys
import threading
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from tonegap.lines import one_line


class RunProgress(Protocol):
    """What the runner tells while it works; may be called from several threads."""

    def __enter__(self) -> "RunProgress": ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def note(self, text: str) -> None:
        """Says one line."""

    def expect(self, n_stages: int) -> None:
        """Tells how many stages there are to run."""

    def start(self, key: str, title: str) -> None:
        """A stage starts."""

    def step(self, key: str, done: int, total: int) -> None:
        """A stage tells how far it is."""

    def finish(self, key: str, outcome: str) -> None:
        """A stage ended; `outcome` is a short text."""


class PlainProgress:
    """One line per event, for logs and CI."""

    def __init__(self, stream: TextIO) -> None:
        """Writes to `stream`."""
        self._stream = stream
        self._lock = threading.Lock()
        self._titles: dict[str, str] = {}
        self._n_stages = 0
        self._done = 0

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def note(self, text: str) -> None:
        """Says one line."""
        with self._lock:
            self._stream.write(one_line(text) + "\n")
            self._stream.flush()

    def expect(self, n_stages: int) -> None:
        """Tells how many stages there are to run."""
        self._n_stages = n_stages

    def start(self, key: str, title: str) -> None:
        """A stage starts; the line comes when it ends."""
        self._titles[key] = title

    def step(self, key: str, done: int, total: int) -> None:
        """Says nothing: a log wants results."""

    def finish(self, key: str, outcome: str) -> None:
        """One line: count, outcome, title."""
        width = len(str(self._n_stages))
        with self._lock:
            self._done += 1
            count = f"[{self._done:>{width}}/{self._n_stages}]"
            self._stream.write(one_line(f"{count} {self._titles[key]}: {outcome}") + "\n")
            self._stream.flush()


class LiveProgress:
    """Bars that move: one for the run, one for each stage at work."""

    def __init__(self, console: Console) -> None:
        """Draws on `console`."""
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._run: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._titles: dict[str, str] = {}

    def __enter__(self) -> "LiveProgress":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Prints one line above the bars."""
        self._bars.console.print(one_line(text), highlight=False, markup=False)

    def expect(self, n_stages: int) -> None:
        """Opens the run's own bar."""
        self._run = self._bars.add_task("stages", total=n_stages)

    def start(self, key: str, title: str) -> None:
        """Opens a stage's bar."""
        self._titles[key] = title
        self._tasks[key] = self._bars.add_task(f"  {title}", total=None)

    def step(self, key: str, done: int, total: int) -> None:
        """Moves a stage's bar."""
        if key in self._tasks:
            self._bars.update(self._tasks[key], completed=done, total=total)

    def finish(self, key: str, outcome: str) -> None:
        """Closes a stage's bar and says how it ended."""
        self._bars.remove_task(self._tasks.pop(key))
        if self._run is not None:
            self._bars.advance(self._run)
        self.note(f"{self._titles[key]}: {outcome}")


def open_progress() -> RunProgress:
    """Bars where standard error is a terminal, plain lines elsewhere."""
    console = Console(stderr=True)
    return LiveProgress(console) if console.is_terminal else PlainProgress(sys.stderr)
