"""Published split rules, validation hold-outs and pins; as `tonegap.split(task, metadata)` the partition itself."""

import sys
from types import ModuleType
from typing import Any


class _CallableFolder(ModuleType):
    """A folder that can be called: package and function have one name."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The partition of a task; see `tonegap.split.frame.split`."""
        from tonegap.split.frame import split

        return split(*args, **options)


sys.modules[__name__].__class__ = _CallableFolder
