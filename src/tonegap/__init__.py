"""tonegap measures how much worse skin-lesion classifiers are on some skin tones, and what closes it.

In Python: `score`, `compare`, `load`, `across`, `split`, `power`, `audit_table`, `audit_paper`, `pack` and
`metrics`, each imported when it is first used; see docs/python.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonegap import metrics as metrics
    from tonegap.api import (
        Scores,
        across,
        audit_paper,
        audit_table,
        compare,
        load,
        pack,
        power,
        score,
    )
    from tonegap.split.frame import split as split  # the folder of that name can be called

__version__ = "0.1.0"
__all__ = [
    "Scores",
    "across",
    "audit_paper",
    "audit_table",
    "compare",
    "load",
    "metrics",
    "pack",
    "power",
    "score",
    "split",
]

_HOME = {name: "tonegap.api" for name in __all__ if name not in ("metrics", "split")}


def __getattr__(name: str) -> object:
    """A part of the API, imported now. Raises AttributeError for what is none."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in __all__:
        return import_module(f"tonegap.{name}")
    raise AttributeError(f"module 'tonegap' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    """What there is, loaded or not."""
    return [*__all__, "__version__"]
