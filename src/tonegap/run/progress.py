"""Shows the progress of a run: a live display on a terminal, plain lines elsewhere, JSON lines for programs."""

import json
import sys
import threading
from typing import Self, TextIO

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from tonegap.lines import one_line


class RunProgress:
    """What the runner tells while it works; may be called from several threads. This one says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        return None

    def note(self, text: str) -> None:
        """Says one line."""

    def expect(self, n_stages: int) -> None:
        """Tells how many stages there are to run."""

    def start(self, key: str, title: str) -> None:
        """A stage starts."""

    def step(self, key: str, done: int, total: int) -> None:
        """A stage tells how far it is."""

    def finish(self, key: str, outcome: str, *, done: bool = True) -> None:
        """A stage ended; `outcome` is a short text; not `done`: it was stopped, and is still to run."""


class PlainProgress(RunProgress):
    """One line per event, for logs and CI: notes, and each stage when it ends."""

    def __init__(self, stream: TextIO) -> None:
        """Writes to `stream`."""
        self._stream = stream
        self._lock = threading.Lock()
        self._titles: dict[str, str] = {}
        self._n_stages = 0
        self._done = 0

    def note(self, text: str) -> None:
        """Says one line."""
        with self._lock:
            self._write(text)

    def expect(self, n_stages: int) -> None:
        """Tells how many stages there are to run."""
        self._n_stages = n_stages

    def start(self, key: str, title: str) -> None:
        """A stage starts; the line comes when it ends."""
        self._titles[key] = title

    def finish(self, key: str, outcome: str, *, done: bool = True) -> None:
        """One line: count, outcome, title."""
        width = len(str(self._n_stages))
        with self._lock:
            self._done += done
            count = f"[{self._done:>{width}}/{self._n_stages}]"
            self._write(f"{count} {self._titles[key]}: {outcome}")

    def _write(self, text: str) -> None:
        self._stream.write(one_line(text) + "\n")
        self._stream.flush()


class JsonProgress(RunProgress):
    """One JSON object per event: `event`, and what belongs to it."""

    def __init__(self, stream: TextIO) -> None:
        """Writes to `stream`."""
        self._stream = stream
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        """`{"event": "note", "text"}`."""
        self._tell("note", text=text)

    def expect(self, n_stages: int) -> None:
        """`{"event": "expect", "stages"}`."""
        self._tell("expect", stages=n_stages)

    def start(self, key: str, title: str) -> None:
        """`{"event": "start", "key", "title"}`."""
        self._tell("start", key=key, title=title)

    def step(self, key: str, done: int, total: int) -> None:
        """`{"event": "step", "key", "done", "total"}`."""
        self._tell("step", key=key, done=done, total=total)

    def finish(self, key: str, outcome: str, *, done: bool = True) -> None:  # noqa: ARG002 - a stage that ended is told either way
        """`{"event": "finish", "key", "outcome"}`; the outcome is a time or why there is no result."""
        self._tell("finish", key=key, outcome=outcome)

    def _tell(self, event: str, **said: str | int) -> None:
        with self._lock:
            self._stream.write(json.dumps({"event": event, **said}) + "\n")
            self._stream.flush()


class _Count(ProgressColumn):
    """`3/12`; nothing before a stage has said how much there is."""

    def render(self, task: Task) -> Text:
        """The cell."""
        return Text("" if task.total is None else f"{int(task.completed)}/{int(task.total)}")


class LiveProgress(RunProgress):
    """Bars that move: one for the run, one for each stage at work; the name gives way where the terminal is narrow."""

    def __init__(self, console: Console) -> None:
        """Draws on `console`."""
        self._bars = Progress(
            TextColumn(
                "{task.description}",
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(bar_width=24 if console.width >= 90 else 8),
            _Count(table_column=Column(no_wrap=True, justify="right")),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            # Left, as measured over all that was done, not over the last seconds alone.
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            expand=True,
            speed_estimate_period=24 * 3600,
        )
        self._run: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._titles: dict[str, str] = {}

    @property
    def shown(self) -> RenderableType:
        """What is on the terminal now."""
        return self._bars.get_renderable()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_raised: object) -> None:
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

    def finish(self, key: str, outcome: str, *, done: bool = True) -> None:
        """Closes a stage's bar and says how it ended."""
        self._bars.remove_task(self._tasks.pop(key))
        if done and self._run is not None:
            self._bars.advance(self._run)
        self.note(f"{self._titles[key]}: {outcome}")


def open_progress(kind: str = "auto") -> RunProgress:
    """Bars (`rich`), lines (`plain`) or JSON on standard error; `auto`: bars where that is a terminal, else lines."""
    console = Console(stderr=True)
    if kind == "json":
        return JsonProgress(sys.stderr)
    if kind == "rich" or (kind == "auto" and console.is_terminal):
        return LiveProgress(console)
    return PlainProgress(sys.stderr)
