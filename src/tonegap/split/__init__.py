"""Published split rules, validation hold-outs and pins; as `tonegap.split(task, metadata)` the partition itself."""

import inspect
import sys
from types import ModuleType
from typing import Any


class _CallableFolder(ModuleType):
    # A folder that can be called: package and function have one name, and `help` shows the function's arguments.

    @property
    def __signature__(self) -> inspect.Signature:
        from tonegap.split.frame import split

        return inspect.signature(split)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        from tonegap.split.frame import split

        return f"split{self.__signature__}\n\n{split.__doc__}"

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The partition of a task; see `tonegap.split.frame.split`."""
        from tonegap.split.frame import split

        return split(*args, **options)


sys.modules[__name__].__class__ = _CallableFolder
