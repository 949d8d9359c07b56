"""A plug-in's modules as its program finds them: by their bare names, from the folder of the program."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[2]


@contextmanager
def importable(folder: Path | str) -> Iterator[None]:
    """The modules of a plug-in's folder can be imported; `folder` may be named from the project's.

    They are forgotten afterwards: another plug-in may have a module of the same name.
    """
    folder = PROJECT / folder
    before = sys.path
    sys.path = [str(folder), *before]
    try:
        yield
    finally:
        sys.path = before
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder):
                del sys.modules[name]
