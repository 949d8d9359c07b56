"""torch without its compiler, until somebody compiles: two seconds of a processor less in every stage.

Optimisers and the diffusers library import `torch._dynamo` (with sympy, triton, pandas and scikit-learn behind it) for
marks that say nothing to code that runs as it is written. Here that name is a module of these marks alone. Whoever asks
for more gets the real one.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_NAME = "torch._dynamo"


def without_compiler() -> None:
    """From now on `torch._dynamo` is imported when it is used for more than its marks; nothing where it is there."""
    if _NAME not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """Within this block these packages cannot be imported: a library then does without what it has no need of.

    Those that are imported already stay as they are.
    """
    now = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(now))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in now:
            del sys.modules[name]


class _Marks(ModuleType):
    """What eager code asks of torch._dynamo; any other name is the real module's."""

    @staticmethod
    def disable(fn: Any = None, *_args: Any, **_options: Any) -> Any:
        """The function as it is, as a decorator with or without options."""
        return (lambda given: given) if fn is None else fn

    @staticmethod
    def allow_in_graph(fn: Any) -> Any:
        """The function or class as it is."""
        return fn

    @staticmethod
    def graph_break(*_args: Any, **_options: Any) -> None:
        """Nothing: there is no graph."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(), name)


class _Finder(MetaPathFinder, Loader):
    """Gives the marks for `torch._dynamo`, and for a module within it the real one."""

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        if name == _NAME:
            return ModuleSpec(name, self, is_package=True)
        if not name.startswith(f"{_NAME}."):
            return None
        _real()
        module = importlib.import_module(name)
        # importlib goes by the spec of a module that turns up meanwhile, and would load it a second time.
        spec = module.__spec__ = ModuleSpec(name, _Loaded(module))
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Marks(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: the marks are there."""


class _Loaded(Loader):
    """A module that was loaded on the way."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, _spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def _real() -> ModuleType:
    """The real torch._dynamo, which is there from now on."""
    if isinstance(sys.modules.get(_NAME), _Marks):
        sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, _Finder)]
        del sys.modules[_NAME]
    return importlib.import_module(_NAME)
