"""Runs what a plan lacks: stages on a pool of workers, then scores every run.

One failing stage fails the runs behind it and no others. The mistake it exists to prevent: a
failure that is only a line in a log.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tonegap import __version__
from tonegap.declared.plugin import Plugin
from tonegap.errors import BadOutput, BadPredictions, BadRequest, LeakFound, ToneGapError
from tonegap.formats.matrix import Failure
from tonegap.formats.record import encode_record
from tonegap.plan.plan import Plan, PlannedRun, PlannedStage
from tonegap.run import checkpoints
from tonegap.run.damage import mend
from tonegap.run.places import Place, open_place
from tonegap.run.sheets import make_sheets, missing_features, missing_sheets
from tonegap.run.stages import Outcome, StageFailure, StageRunner, Workplace, stage_title
from tonegap.store.store import Store
from tonegap.untrusted import without_folders


@dataclass(frozen=True, slots=True)
class RunTally:
    """What was done of a plan: runs cached, finished now and failed, stages run, what was damaged and made again."""

    n_cached: int
    n_finished: int
    n_stages: int
    failures: tuple[Failure, ...]
    mended: tuple[str, ...] = ()


def missing_runs(plan: Plan, store: Store) -> tuple[PlannedRun, ...]:
    """The runs that have no record yet and can have one."""
    done = store.finished_records()
    return tuple(run for run in plan.runs if run.id.key not in done and not run.id.not_applicable)


def missing_stages(
    runs: Sequence[PlannedRun], store: Store, again: Sequence[PlannedStage] = ()
) -> tuple[str, ...]:
    """Keys of the stages these runs still need, and of those to run `again`, each after those it needs itself."""
    needed = dict.fromkeys(key for run in runs for key in run.stages)
    needed |= dict.fromkeys(key for stage in again for key in (*stage.upstream, stage.key))
    return tuple(key for key in needed if not store.has_stage(key))


def run_plan(plan: Plan, place: Workplace) -> RunTally:
    """Runs every missing stage, scores every missing run, and returns what was done."""
    again = mend(plan, place.store)
    runs = missing_runs(plan, place.store)
    stages = missing_stages(runs, place.store, again)
    sheets = missing_sheets(plan, place.store)
    features = [stage.key for stage in missing_features(plan, place.store)]
    if stages or features:
        place.engine.open(place.store.folder, _plugins_of(plan, [*stages, *features]))
    checkpoints.sweep(place.store)
    place.store.sweep()
    n_applicable = sum(1 for run in plan.runs if not run.id.not_applicable)
    with place.progress:
        place.progress.expect(len(stages) + len(features))
        execution = _Run(plan, place, runs, [*stages, *(features if place.slurm else ())])
        execution.work()
        make_sheets(sheets, place, execution.failed)
    done = (n_applicable - len(runs), execution.n_finished, execution.n_stages)
    return RunTally(*done, tuple(execution.failures), tuple(dict.fromkeys(place.store.mended)))


def _plugins_of(plan: Plan, stages: Sequence[str]) -> list[Plugin]:
    """The plug-ins that have one of these stages, each once."""
    plugins = [plan.stages[key].identity.plugin for key in stages]
    return list({plugin.label: plugin for plugin in plugins}.values())


def make_stage(plan: Plan, key: str, place: Workplace) -> StageFailure | None:
    """Runs one stage of a plan unless it is there; why it is not, or None. Those before it have to be there.

    Raises BadRequest where one is not, and what the engine does where it cannot run stages.
    """
    stage = plan.stages[key]
    missing = [up for up in stage.upstream if not place.store.has_stage(up)]
    if missing:
        raise BadRequest(f"{stage_title(stage)}: stage {missing[0]} before it is not in the store")
    if not place.store.has_stage(key):
        place.engine.open(place.store.folder, [stage.identity.plugin])
    with place.progress, place.stopping():
        place.progress.expect(1)
        runner = StageRunner(place, plan)
        while (outcome := runner.run(stage)) == "busy":
            pass
    return outcome if isinstance(outcome, StageFailure) else None


class _Run:
    """The state of one run; only the main thread changes it."""

    def __init__(
        self, plan: Plan, place: Workplace, runs: Sequence[PlannedRun], stages: Sequence[str]
    ) -> None:
        self._plan = plan
        self._place = place
        self._runner = StageRunner(place, plan)
        self._runs = list(runs)
        self._waiting = dict.fromkeys(stages)
        self._running: set[str] = set()
        self._done = {key for run in runs for key in run.stages}.difference(stages)
        self.failed: dict[str, StageFailure] = {}
        self.failures: list[Failure] = []
        self.n_finished = 0
        self.n_stages = 0

    def work(self) -> None:
        """Raises KeyboardInterrupt where the run is stopped: its runs have no record then, and no failure."""
        with open_place(self._place, self._runner) as place, self._place.stopping():
            self._start_ready(place)
            self._settle_runs()
            while self._running:
                for key, outcome in place.poll():
                    self._running.discard(key)
                    self._take(key, outcome)
                self._place.check_going()
                self._start_ready(place)
                self._settle_runs()

    def _start_ready(self, place: Place) -> None:
        """Hands over every stage whose upstream is finished; drops those whose upstream failed."""
        unfinished, ready = {*self._waiting, *self._running}, []
        for key in list(self._waiting):
            stage = self._plan.stages[key]
            failed = next((self.failed[up] for up in stage.upstream if up in self.failed), None)
            if failed is not None:
                self.failed[key] = failed
                del self._waiting[key]
            elif not unfinished.intersection(stage.upstream):
                del self._waiting[key]
                self._running.add(key)
                ready.append(stage)
        place.submit(ready)

    def _take(self, key: str, outcome: Outcome) -> None:
        if isinstance(outcome, StageFailure):
            self.failed[key] = outcome
        elif outcome == "busy":
            self._waiting[key] = None  # behind all others: two runs share the work
        else:
            self._done.add(key)
            self.n_stages += outcome == "made" and self._plan.stages[key].stage != "features"

    def _settle_runs(self) -> None:
        """Scores the runs whose stages are all finished; writes down why others cannot be."""
        remaining = []
        for run in self._runs:
            failed = next((self.failed[key] for key in run.stages if key in self.failed), None)
            if failed is not None:
                self._fail(run, failed)
            elif self._done.issuperset(run.stages):
                self._score(run)
            else:
                remaining.append(run)
        self._runs = remaining

    def _score(self, run: PlannedRun) -> None:
        # Takes a while to import: not for a run that has nothing to do.
        from tonegap.run.scoring import Finish, score_run

        if self._place.store.record_path(run.id.key).exists():
            self.n_finished += 1  # by another run, meanwhile
            return
        finish = Finish(_now(), hardware(), {"tonegap": __version__})
        try:
            record = score_run(self._place.store, run, finish)
        except ToneGapError as e:
            stage = self._plan.stages[run.stages[-1]]
            cause = "bad-output" if isinstance(e, BadOutput | BadPredictions) else "engine-error"
            if isinstance(e, LeakFound):
                stages = [self._plan.stages[key] for key in run.stages]
                stage, cause = next(s for s in stages if s.stage == "generate"), "leak"
            text = without_folders(str(e), self._place.store.folder)
            self._fail(run, StageFailure(cause, text, stage))
            return
        self._place.store.write_record(run.id.key, encode_record(record))
        self.n_finished += 1

    def _fail(self, run: PlannedRun, failed: StageFailure) -> None:
        failure = Failure(
            key=run.id.key,
            stage=failed.stage.stage,
            plugin=failed.stage.identity.plugin.label,
            cause=failed.cause,
            text=failed.text,
            finished=_now(),
            log=failed.log,
        )
        self._place.store.write_failure(failure)
        self.failures.append(failure)


def hardware() -> dict[str, str]:
    """The processor model and kernel of this machine."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "kernel": platform.release(), "system": platform.system()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
