"""Runs one stage: lock, `/in`, engine, checks, commit; everything a worker thread does.

Two processes on one store never make the same stage at once: the lock dies with its process.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tonegap.declared.suite import Limits
from tonegap.engines.base import Engine, RunResult, RunSpec, ToldOfGpus
from tonegap.engines.gpus import held_by_others, try_gpus
from tonegap.engines.slurm import Slurm
from tonegap.errors import BadData, BadOutput, LeakFound, StoreError, ToneGapError
from tonegap.files import write_atomic
from tonegap.formats.lineage import FILE as LINEAGE
from tonegap.formats.lineage import encode_lineage, read_parts
from tonegap.formats.record import Isolation
from tonegap.lines import counted
from tonegap.plan.plan import Plan, PlannedStage
from tonegap.run import checkpoints
from tonegap.run.cost import n_images
from tonegap.run.inputs import write_inputs
from tonegap.run.outputs import check_outputs, keep_declared, lineage_of
from tonegap.run.postprocess_inputs import check_same_epochs
from tonegap.run.progress import RunProgress
from tonegap.store.marks import StageMark
from tonegap.store.store import Store
from tonegap.synthetic.audit import audited
from tonegap.synthetic.manifest import read_synthetic
from tonegap.synthetic.quality.features import read_bank, read_features
from tonegap.untrusted import without_folders

_RETRY_LOCK_S = 0.1
_RETRY_GPU_S = 0.5


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where and how a plan is run: store, engine, limits, slots, display, the way to stop.

    Stages that can use several GPUs get `gpus_per_stage`, others one.
    With `keep` the folder of a stage that failed stays in the store. With `slurm` stages are jobs of that cluster, and
    `root` is the suite root.
    """

    store: Store
    engine: Engine
    limits: Limits
    jobs: int
    gpus: tuple[str, ...]
    progress: RunProgress
    cancelled: threading.Event = field(default_factory=threading.Event)
    keep: bool = False
    slurm: Slurm | None = None
    root: Path = Path()
    gpus_per_stage: int = 1

    @contextlib.contextmanager
    def stopping(self) -> Iterator[None]:
        """Whatever ends this block early ends its stages too, or their pool would finish all it was given."""
        try:
            yield
            self.check_going()
        except BaseException:
            self.cancelled.set()
            raise

    def check_going(self) -> None:
        """Raises KeyboardInterrupt where the run is being stopped, whoever asked for it."""
        if self.cancelled.is_set():
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class StageFailure:
    """Why a stage is not finished; `log` is its log below the store, empty where it left none."""

    cause: str
    text: str
    stage: PlannedStage
    log: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a stage ended, what was in force while it ran, what it says of its GPUs, and how many it had.

    `gpu_memory_mib`: the most of one of them that it says it had; None where it says nothing of it.
    """

    result: RunResult
    isolation: Isolation
    device: str = ""
    gpus: int = 0
    gpu_memory_mib: float | None = None


# `made` here and now; `found`: another process made it; `busy`: one is at it, ask again.
Outcome = StageFailure | Literal["made", "found", "busy"]


class StageRunner:
    """Runs stages for a workplace; its methods may be called from several threads."""

    def __init__(self, place: Workplace, plan: Plan | None = None) -> None:
        """`plan` has the stages and what they are called."""
        self._place = place
        self._stages: Mapping[str, PlannedStage] = plan.stages if plan else {}
        self._titles = stage_titles(plan) if plan else {}
        self._turn = threading.Lock()

    def run(self, stage: PlannedStage) -> Outcome:
        """Runs a stage unless another process has, or is at it. Raises StoreError for a full disk."""
        store, progress = self._place.store, self._place.progress
        if self._place.cancelled.is_set():
            return StageFailure("cancelled", "stopped before it started", stage)
        with store.try_lock(f"stage-{stage.key}") as mine:
            if store.has_stage(stage.key):
                progress.start(stage.key, self.title(stage))
                progress.finish(stage.key, "done by another run")
                return "found"
            if mine:
                progress.start(stage.key, self.title(stage))
                refused = self.refused(stage)
                if refused:
                    progress.finish(stage.key, f"{refused.cause}: {refused.text}")
                return refused or self._run_locked(stage)
        self._place.cancelled.wait(_RETRY_LOCK_S)
        return "busy"

    def title(self, stage: PlannedStage) -> str:
        """What a reader calls a stage of the plan."""
        return self._titles.get(stage.key) or stage_title(stage)

    def refused(self, stage: PlannedStage) -> StageFailure | None:
        """Why nobody may train on what a method made, or None; see `tonegap.synthetic.audit`."""
        if stage.stage != "train" or not stage.made:
            return None
        try:
            found = audited(self._place.store, stage.made[0], stage.view)
        except (BadOutput, BadData) as e:
            cause, text = "engine-error", self.words(e)
        else:
            if not found.refused:
                return None
            cause, text = "leak", found.text
        return StageFailure(cause, text, self._made_by(stage))

    def words(self, error: Exception | str) -> str:
        """What an error says, without the folders of this machine: it goes into reports and bundles."""
        return without_folders(_sentence(error), self._place.store.folder)

    def _made_by(self, stage: PlannedStage) -> PlannedStage:
        """The stage before one, whose fault it is."""
        return self._stages.get(stage.made[0], stage)

    def _run_locked(self, stage: PlannedStage) -> Outcome:
        def run(folder: Path) -> Ended:
            self.lay_out(stage, folder)
            said = ToldOfGpus()
            with self._gpus(stage) as gpus:
                result = self._place.engine.run(self._spec(folder, stage, gpus, said))
            isolation = self._place.engine.isolation(self._place.limits)
            return Ended(result, isolation, said.device, len(gpus), said.memory_mib)

        return self.conclude(stage, self._place.store.work_folder(stage.key[:16]), run)

    def lay_out(self, stage: PlannedStage, folder: Path) -> None:
        """Fills a work folder with what the stage is given, checkpoints of an earlier try included."""
        with self._place.store.writing():
            write_inputs(self._place.store, stage, self._place.limits.timeout_s, folder / "in")
            (folder / "out").mkdir()
            (folder / "tmp").mkdir()
            checkpoints.put_back(self._place.store, stage, folder, self._place.limits.output_mib)

    def conclude(
        self,
        stage: PlannedStage,
        work: contextlib.AbstractContextManager[Path],
        run: Callable[[Path], Ended],
    ) -> Outcome:
        """Runs a stage in a work folder, checks and commits what it left there, and tells how it went.

        `run` says how the stage ended: here and now, or as a job that has. Raises StoreError for a full disk.
        """
        log = ""
        try:
            with work as folder:
                result = self._settled(stage, folder, run(folder))
                if result.cause not in {"ok", "cancelled"} and _said_something(folder / "log.txt"):
                    log = self._place.store.keep_log(stage.key, folder / "log.txt")
                if self._place.keep and result.cause not in {"ok", "cancelled"}:
                    kept = self._place.store.keep_work(stage.key, folder)
                    self._place.progress.note(f"{self.title(stage)}: kept in {kept}")
        except StoreError as e:
            self._place.progress.finish(stage.key, str(e))
            raise  # the next stage would meet the same
        except (ToneGapError, OSError) as e:
            result = RunResult("engine-error", self.words(e), 0.0, None, None)
        if result.cause == "ok":
            self._place.progress.finish(stage.key, f"{result.seconds:.1f} s")
            return "made"
        done, words = result.cause != "cancelled", f"{result.cause}: {result.text}"
        self._place.progress.finish(stage.key, words, done=done)
        return StageFailure(result.cause, result.text, stage, log)

    def _settled(self, stage: PlannedStage, folder: Path, ended: Ended) -> RunResult:
        """How a stage ended, after what it left was committed if that is valid."""
        result, out = ended.result, folder / "out"
        if result.cause != "ok":
            checkpoints.keep(self._place.store, folder)
            return result
        checkpoints.drop(self._place.store, stage.key)
        try:
            self._check(stage, out)
        except LeakFound as e:
            return RunResult("leak", str(e), *_cost(result))
        except BadOutput as e:
            return RunResult("bad-output", str(e), *_cost(result))
        with self._place.store.writing():
            if _said_something(folder / "log.txt"):
                (folder / "log.txt").replace(out / "log.txt")
        self._place.store.commit_stage(out, _mark(stage, ended))
        self._place.store.drop_log(stage.key)
        return result

    def _check(self, stage: PlannedStage, out: Path) -> None:
        """Checks what a stage left, clears it of all else, and writes down what it descends from."""
        if stage.stage != "generate":
            check_outputs(stage, out)
            if stage.stage == "features":
                made = read_synthetic(self._place.store.stage_folder(stage.upstream[0]))
                read_features(out, len(stage.view.method_train.ids), len(made))
            elif stage.stage == "embed":
                read_bank(out, self._n_embedded(stage), stage.parameters.get("precision"))
            elif stage.stage == "postprocess":
                check_same_epochs(self._place.store, stage, out)
            keep_declared(stage, out)
            return
        fit = [self._place.store.stage_folder(key) / "model" for key in stage.upstream]
        parts = read_parts(fit[0]) if fit else {}
        check_outputs(stage, out, parts)
        keep_declared(stage, out)
        found = lineage_of(stage, out, parts)
        with self._place.store.writing():
            write_atomic(out / LINEAGE, encode_lineage(found))

    def _n_embedded(self, stage: PlannedStage) -> int:
        """How many images an embed stage was given."""
        made = [read_synthetic(self._place.store.stage_folder(key)) for key in stage.upstream]
        return len(made[0]) if made else len(stage.view.unlabelled.ids)

    def _spec(
        self, folder: Path, stage: PlannedStage, gpus: tuple[str, ...], said: ToldOfGpus
    ) -> RunSpec:
        progress = self._place.progress
        return RunSpec(
            plugin=stage.identity.plugin,
            stage=stage.stage,
            in_dir=folder / "in",
            out_dir=folder / "out",
            tmp_dir=folder / "tmp",
            log=folder / "log.txt",
            limits=self._place.limits,
            threads=stage.threads,
            cancelled=self._place.cancelled,
            gpus=gpus,
            on_progress=lambda done, total: progress.step(stage.key, done, total),
            on_device=said.take_device,
            on_gpu_memory=said.take_memory,
            numerics=stage.numerics,
        )

    @contextlib.contextmanager
    def _gpus(self, stage: PlannedStage) -> Iterator[tuple[str, ...]]:
        """GPUs of the workplace that no other stage of this machine uses, all that the stage is given; waits for them.

        In turn: where one waits for several, the next that wants one does not take it away. Says once that it waits for
        another run, and once that it goes on.
        """
        place, n = self._place, stage.n_gpus(self._place.gpus_per_stage)
        if not n:
            yield ()
            return
        others: tuple[str, ...] = ()
        with self._turn:
            while True:
                mine, held = try_gpus(place.gpus, n)
                # A run that is being stopped waits for nobody: its engine ends the stage at once.
                if mine or place.cancelled.wait(_RETRY_GPU_S):
                    break
                if not others and (others := held_by_others(place.gpus)):
                    place.progress.note(
                        f"{self.title(stage)}: waits for {counted(n, 'GPU')} of {', '.join(place.gpus)}; another run "
                        f"has {', '.join(others)}: wait for its stage's end, or stop this run and name other --gpus"
                    )
        if others and mine:
            place.progress.note(f"{self.title(stage)}: goes on with GPU {', '.join(mine)}")
        with held:
            yield mine or place.gpus[:n]


def _mark(stage: PlannedStage, ended: Ended) -> StageMark:
    gpu = {"gpu": ended.device} if ended.device and stage.device == "cuda" else {}
    return StageMark(
        key=stage.key,
        stage=stage.stage,
        plugin=stage.identity.plugin.label,
        ingredients=stage.ingredients,
        environment=stage.identity.environment.digest,
        versions={**stage.identity.environment.versions, **gpu},
        seconds=ended.result.seconds,
        cpu_seconds=ended.result.cpu_seconds,
        peak_memory_mib=ended.result.peak_memory_mib,
        isolation=ended.isolation,
        gpus=max(ended.gpus, 1),
        n_images=n_images(stage),
        gpu_memory_mib=ended.gpu_memory_mib if stage.device == "cuda" else None,
    )


def stage_title(stage: PlannedStage, entries: Sequence[str] = ()) -> str:
    """What a reader calls a stage, who needs it first: `none + erm, phantom/smoke seed 0: baselines/erm train`.

    One that several entries share says how many: `2 entries, phantom/smoke seed 0: methods/tone-shift generate`.
    """
    who = entries[0] if len(entries) == 1 else f"{len(entries)} entries"
    label = stage.identity.plugin.label
    seed = "" if stage.stage == "embed" else f" seed {stage.seed}"
    return f"{who + ', ' if entries else ''}{stage.view.task}{seed}: {label} {stage.stage}"


def stage_titles(plan: Plan) -> dict[str, str]:
    """The title of every stage of a plan, by its key."""
    users: dict[str, dict[str, None]] = {}
    for run in plan.runs:
        for key in run.stages:
            users.setdefault(key, {})[run.id.entry.label] = None
    for sheet in plan.sheets:
        if sheet.features is not None:
            users[sheet.features.key] = users.get(sheet.generate.key, {})
    return {
        key: stage_title(stage, tuple(users.get(key, ()))) for key, stage in plan.stages.items()
    }


def _cost(result: RunResult) -> tuple[float, float | None, float | None]:
    return result.seconds, result.cpu_seconds, result.peak_memory_mib


def _said_something(log: Path) -> bool:
    """Whether a stage left a log to keep; a stage without a sandbox may have put a link in its place."""
    return log.is_file() and not log.is_symlink() and log.stat().st_size > 0


def _sentence(error: Exception | str) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the store'}: {error.strerror}"
    return str(error)
