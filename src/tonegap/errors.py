"""Every way a request can be wrong, one class per border.

The text of each is one sentence for the person at the terminal: where, what was found, what was
wanted, what to do. The command line prints it without a traceback and exits with code 2.
"""

import contextlib
from collections.abc import Iterator


class ToneGapError(Exception):
    """Base of all of them: the request was wrong; nothing was lost."""


class BadSuiteFolder(ToneGapError):
    """A folder or file of the suite root (data set, task, plug-in, suite) is not as it must be."""


class BadData(ToneGapError):
    """A user's data set (its folder, metadata or images) is not what a task needs."""


class BadSplit(ToneGapError):
    """A partition cannot be made, or is not the pinned one."""


class BadPredictions(ToneGapError):
    """A predictions or truth file does not have exactly the rows and columns it must have."""


class BadOutput(ToneGapError):
    """A stage ended well but what it left under /out breaks the contract."""


class LeakFound(BadOutput):
    """A synthetic set descends from a test or validation image, or shows one."""


class BadRequest(ToneGapError):
    """The command line asks for something that cannot be done."""


class StoreError(ToneGapError):
    """The store of runs cannot be read or written (no space, no permission, damaged)."""


class EngineError(ToneGapError):
    """The engine itself cannot do what was asked of it (not the fault of a method)."""


@contextlib.contextmanager
def file_errors(kind: type[ToneGapError], said: str, cure: str = "") -> Iterator[None]:
    """Turns what the system says of a file into an error of this kind: `SAID: No space left on deviceCURE`."""
    try:
        yield
    except OSError as e:
        raise kind(f"{said}: {e.strerror}{cure}") from None
