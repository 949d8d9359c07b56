"""A whole run in one process: drawing, packs, every stage, scores and sheets. `whole_run.py ROOT SUITE STORE`.

An emulated processor lasts as long as one process: what a process starts runs on the real one again. All of it is
done in the main thread: nothing then depends on how an emulator does threads.
"""

import concurrent.futures
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tonegap.numerics import settle

settle()  # as the command line does, before numpy is imported


class InTurn(concurrent.futures.Executor):
    """Does what it is given at once, in the caller's thread."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """What was done."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as problem:  # noqa: BLE001 - the caller's, as from a thread
            future.set_exception(problem)
        return future


concurrent.futures.ThreadPoolExecutor = InTurn  # type: ignore[assignment,misc] # before it is imported by name

from stages_here import StagesHere  # noqa: E402

from tonegap.declared.suite import read_suite  # noqa: E402
from tonegap.engines.base import RunResult, RunSpec  # noqa: E402
from tonegap.plan.prepare import Request, prepare  # noqa: E402
from tonegap.run.progress import open_progress  # noqa: E402
from tonegap.run.runner import run_plan  # noqa: E402
from tonegap.run.stages import Workplace  # noqa: E402
from tonegap.store.store import Store  # noqa: E402


class AllHere(StagesHere):
    """Every stage in this process, none in one of its own."""

    def run(self, spec: RunSpec) -> RunResult:
        return self.run_here(spec)


def main(root: Path, suite: str, store: Path) -> int:
    """How many cells failed."""
    request = Request(
        root=root,
        suite=read_suite(root, suite),
        store=Store(store),
        engine=AllHere(root / "docker" / "kit"),
        roots={},
        device="cpu",
        jobs=1,
        allow_missing=False,
    )
    plan = prepare(request)
    place = Workplace(
        request.store, request.engine, request.suite.file.limits, 1, (), open_progress()
    )
    failures = run_plan(plan, place).failures
    for failure in failures:
        sys.stderr.write(f"{failure.plugin} {failure.stage}: {failure.text}\n")
    return len(failures)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
