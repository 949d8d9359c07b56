"""The `local` engine for tests of many plug-ins: those that load torch are run by this process.

Loading torch and diffusers takes a process longer than a tiny network takes to train. The files and
the command line are those of the contract; that a process of its own gives the same is tested on one
plug-in of each kind.
"""

import runpy
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout

from programs import importable

from tonegap.declared.plugin import Plugin
from tonegap.engines.base import RunResult, RunSpec
from tonegap.engines.local import LocalEngine

# A parameter of one of these names is a network.
_NETWORKS = {"backbone", "network", "pipeline"}


def loads_torch(plugin: Plugin) -> bool:
    """Whether a plug-in works with a network."""
    return not _NETWORKS.isdisjoint(plugin.file.parameters)


class StagesHere(LocalEngine):
    """Runs stages that load torch in this process, others as the local engine does."""

    def run(self, spec: RunSpec) -> RunResult:
        if not loads_torch(spec.plugin):
            return super().run(spec)
        return self.run_here(spec)

    @staticmethod
    def run_here(spec: RunSpec) -> RunResult:
        """How a stage ended that this process ran."""
        with (
            spec.log.open("w", encoding="utf-8") as log,
            redirect_stdout(log),
            redirect_stderr(log),
        ):
            code = _run_program(spec)
        if code == 0:
            return RunResult("ok", "", 0.0, None, None)
        return RunResult("method-error", spec.log.read_text("utf-8"), 0.0, None, None)


def _run_program(spec: RunSpec) -> int:
    """The exit code of a plug-in's program; what it raises is raised here."""
    folder = spec.plugin.folder
    program = folder / spec.plugin.file.command[1]
    argv = [str(program), spec.stage, "--in", str(spec.in_dir), "--out", str(spec.out_dir)]
    with chdir(folder), _started_as(argv), importable(folder):
        try:
            runpy.run_path(str(program), run_name="__main__")
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


@contextmanager
def _started_as(argv: list[str]) -> Iterator[None]:
    """The interpreter as it finds itself when started with this command line."""
    before, sys.argv = sys.argv, argv
    try:
        yield
    finally:
        sys.argv = before
