"""A run's stages as Slurm jobs: laid out here, run on nodes, checked and committed here.

`jobs/ARRAY/` in the store holds what was submitted together. Whoever finds a stage's file there waits for that job
instead of submitting it again: so a run that was killed loses nothing, and two runs share their jobs. A work folder
belongs to its array, not to a process, and is dead when `jobs/ARRAY/` is gone.
"""

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from tonegap.engines.base import RunResult
from tonegap.engines.job import ARRAY, BEGUN, ENDED
from tonegap.engines.slurm import AGAIN, HOLDS, OVER, ArrayTask, Need, Slurm
from tonegap.errors import BadRequest, EngineError, StoreError, ToneGapError
from tonegap.files import write_atomic
from tonegap.formats.record import Isolation
from tonegap.formats.stage_job import SCHEMA, EndedJob, JobArray, StageJob, read_job
from tonegap.lines import counted, one_line
from tonegap.plan.plan import PlannedStage
from tonegap.run import checkpoints
from tonegap.run.stages import Ended, Outcome, StageFailure, StageRunner, Workplace
from tonegap.store.layout import JOBS, WORK
from tonegap.texts import last_lines
from tonegap.untrusted import remove_tree

T = TypeVar("T")
States = Mapping[ArrayTask, tuple[str, str]]
_MOST_TRIES = 2  # again, after the first
_THREADS = 8
_DEAF_S = 600.0  # after so long without an answer of Slurm's it is said
_STAGE_NAME = 64 + len(".json")
_DAMAGED = (msgspec.DecodeError, UnicodeDecodeError)
_NOTHING = Isolation("", False, "", "", {})


@dataclass(slots=True)
class _Waiting:
    """A stage that is a job: its file, task, tries; since when nothing is known of it."""

    stage: PlannedStage
    file: Path
    task: ArrayTask
    job: StageJob
    gone_since: float | None = None


class Cluster:
    """The place of a run whose stages are jobs; see `tonegap.run.places`."""

    def __init__(self, place: Workplace, slurm: Slurm, runner: StageRunner) -> None:
        """Store and suite root have the same paths on the nodes."""
        self._place, self._slurm, self._runner = place, slurm, runner
        self._jobs = place.store.folder / JOBS
        self._waiting: dict[str, _Waiting] = {}
        self._ready: list[tuple[str, Outcome]] = []
        self._tries: dict[str, int] = {}
        self._pool = ThreadPoolExecutor(_THREADS)
        self._heard = time.monotonic()
        self._holds: set[str] = set()

    def __enter__(self) -> "Cluster":
        self._clear()
        return self

    def _clear(self) -> None:
        """Removes what is left of stages that are in the store: of a run that was killed just after committing them."""
        store = self._place.store
        for file in self._jobs.glob("*/" + "?" * 64 + ".json"):
            with store.try_lock(f"stage-{file.stem}") as mine, contextlib.suppress(ToneGapError):
                if mine and store.has_stage(file.stem):
                    self._remove(file, read_job(file))

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        if self._waiting:
            self._place.progress.note(
                f"{counted(len(self._waiting), 'stage')} still in Slurm: the same command takes them over, "
                "`tonegap stage cancel` ends them"
            )

    def submit(self, stages: Sequence[PlannedStage]) -> None:
        """Queues stages, one array for each kind of need; waits for the jobs of those that are queued already.

        Raises EngineError where Slurm takes none.
        """
        groups: dict[tuple[int, int], list[PlannedStage]] = {}
        site, limits = self._slurm.site, self._place.limits
        several = self._place.gpus_per_stage
        # One run at a time, so that what is laid out and not queued is known to be of one that was killed.
        with self._place.store.lock(JOBS) if stages else contextlib.nullcontext():
            for folder in self._jobs.iterdir() if stages else ():
                if not (folder / ARRAY).exists():
                    remove_tree(folder)
            for stage in stages:
                if not self._adopt(stage):
                    groups.setdefault((stage.threads, stage.n_gpus(several)), []).append(stage)
            for (threads, gpus), group in groups.items():
                need = Need(threads, gpus, limits.timeout_s, limits.memory_mib)
                for part in _parts(group, site.pack * site.array):
                    self._submit(part, need)

    def _adopt(self, stage: PlannedStage) -> bool:
        """Whether the stage is a job already, of a run that ended or of another one; then it is waited for."""
        for folder in self._jobs.iterdir():
            file = folder / f"{stage.key}.json"
            if not file.exists():
                continue
            try:
                job = read_job(file)
                work_of(self._place.store.folder, job)
                tasks = msgspec.json.decode((folder / ARRAY).read_bytes(), type=JobArray).tasks
                index = next(i for i, keys in enumerate(tasks) if stage.key in keys)
            except (OSError, BadRequest, *_DAMAGED, StopIteration) as e:
                if file.exists():  # else another run has concluded it at this moment
                    self._set_aside(file, e)
                continue
            self._waiting[stage.key] = _Waiting(stage, file, (folder.name, index), job)
            return True
        return False

    def _set_aside(self, file: Path, why: Exception) -> None:
        """Takes a file away that names no job, as a full disk or a hand leaves one; its stage is submitted anew."""
        text = str(why) if isinstance(why, BadRequest) else f"{file.parent / ARRAY}: damaged"
        self._place.progress.note(f"{text}; its stage is submitted again")
        file.unlink(missing_ok=True)
        if not _has_stage(file.parent):
            remove_tree(file.parent)

    def _submit(self, stages: Sequence[PlannedStage], need: Need) -> None:
        folder = self._jobs / secrets.token_hex(6)
        with self._place.store.writing():
            folder.mkdir()
        others, laid = bool(self._waiting), []
        found = self._pool.map(partial(self._laid_out, folder=folder), stages)
        for stage, one in zip(stages, found, strict=True):
            if isinstance(one, _Waiting):
                laid.append(one)
            else:
                self._ready.append((stage.key, one))
        if not laid:
            remove_tree(folder)
            return
        tasks = _parts(laid, self._slurm.site.pack)
        for i, task in enumerate(tasks):
            for one in task:
                one.task = (folder.name, i)
                self._waiting[one.stage.key] = one
        array = JobArray(tuple(tuple(one.stage.key for one in task) for task in tasks))
        with self._place.store.writing():
            write_atomic(folder / ARRAY, msgspec.json.encode(array))
        try:
            number = self._slurm.submit(folder.name, len(tasks), need, folder)
        except EngineError as e:
            for one in laid:
                self._forget(one)
                del self._waiting[one.stage.key]
                self._ready.append((one.stage.key, "busy"))
            if not others:
                raise
            # A site may bound how many jobs a user has: what is queued has to end first.
            self._place.progress.note(f"{counted(len(laid), 'stage')} held back: {e}")
            return
        self._place.progress.note(
            f"job {number}: {counted(len(laid), 'stage')} in {counted(len(tasks), 'task')}"
        )

    def _laid_out(self, stage: PlannedStage, folder: Path) -> _Waiting | Outcome:
        store, identity, limits = self._place.store, stage.identity, self._place.limits
        with store.try_lock(f"stage-{stage.key}") as mine:
            if store.has_stage(stage.key):
                return self._told(stage, "done by another run", "found")
            if not mine:
                return "busy"
            refused = self._runner.refused(stage)
            if refused:
                return self._told(stage, f"{refused.cause}: {refused.text}", refused)
            try:
                work = store.job_folder(stage.key[:16], folder.name)
                self._runner.lay_out(stage, work)
            except StoreError:
                raise
            except (ToneGapError, OSError) as e:
                text = self._runner.words(e)
                return self._told(
                    stage, f"engine-error: {text}", StageFailure("engine-error", text, stage)
                )
            job = StageJob(
                schema=SCHEMA,
                key=stage.key,
                root=str(self._place.root),
                engine=self._place.engine.name,
                plugin=identity.plugin.label,
                plugin_sha256=identity.folder_sha256,
                environment=identity.environment.digest,
                stage=stage.stage,
                work=str(work),
                timeout_s=limits.timeout_s,
                memory_mib=limits.memory_mib,
                output_mib=limits.output_mib,
                threads=stage.threads,
                device=stage.device,
                numerics=stage.numerics,
                tries=self._tries.get(stage.key, 0),
                gpus=stage.n_gpus(self._place.gpus_per_stage),
            )
            file = folder / f"{stage.key}.json"
            with store.writing():
                write_atomic(file, msgspec.json.encode(job))
            return _Waiting(stage, file, (folder.name, 0), job)

    def _told(self, stage: PlannedStage, words: str, outcome: Outcome) -> Outcome:
        self._place.progress.start(stage.key, self._runner.title(stage))
        self._place.progress.finish(stage.key, words)
        return outcome

    def poll(self) -> list[tuple[str, Outcome]]:
        """Waits until some stages have ended: one look at the queue and one listing for each array, every `poll_s`."""
        while all(outcome == "busy" for _, outcome in self._ready):
            again = bool(self._ready)
            self._place.cancelled.wait(self._slurm.site.poll_s)
            self._place.check_going()
            # The queue first: what it says has ended has left its file before.
            states = self._slurm.poll()
            self._listen(states)
            waiting = list(self._waiting.values())
            names = {file: _names(file) for file in {one.file.parent for one in waiting}}
            ended = [(one, self._ended(one, names[one.file.parent], states)) for one in waiting]
            over = [(one, how) for one, how in ended if how is not None]
            self._ready += self._pool.map(self._conclude, over)
            if again:
                break
        ready, self._ready = self._ready, []
        for key, _outcome in ready:
            self._waiting.pop(key, None)
        return ready

    def _listen(self, states: States | None) -> None:
        now = time.monotonic()
        if states is not None:
            self._heard = now
            tasks = {one.task for one in self._waiting.values()}
            reasons = {why for task, (_, why) in states.items() if task in tasks and why in HOLDS}
            for reason in sorted(reasons - self._holds):
                self._place.progress.note(
                    f"Slurm holds jobs ({reason}); change slurm.toml or the suite's limits, `tonegap stage cancel`, "
                    "and run again"
                )
            self._holds |= reasons
        elif now - self._heard > _DEAF_S:
            self._heard = now
            self._place.progress.note("Slurm does not answer; what its jobs leave is still taken")

    def _ended(self, one: _Waiting, names: frozenset[str], states: States | None) -> Ended | None:
        """How a stage ended, None while it has not or nobody knows yet."""
        state = None if states is None else states.get(one.task, ("", ""))[0]
        damaged = False
        if one.file.with_suffix(ENDED).name in names:
            try:
                left = msgspec.json.decode(one.file.with_suffix(ENDED).read_bytes(), type=EndedJob)
            except FileNotFoundError:
                return None  # another run concludes it at this moment
            except _DAMAGED:
                left, damaged = None, True  # as if it had not begun, once its job is over
            if left and left.cause != "cancelled":
                how = (left.seconds, left.cpu_seconds, left.peak_memory_mib)
                result = RunResult(left.cause, self._runner.words(left.text), *how)
                told = left.device, one.job.gpus, left.gpu_memory_mib
                return Ended(result, left.isolation, *told)
        if one.file.name not in names:  # another run has concluded it, or `tonegap stage cancel`
            if state == "CANCELLED":
                return Ended(self._lost(one, state, begun=True), _NOTHING)
            return Ended(RunResult("cancelled", "", 0.0, None, None), _NOTHING)
        if state is None or (state and state not in OVER):
            one.gone_since = None
            return None
        now = time.monotonic()
        one.gone_since = one.gone_since or now
        if now - one.gone_since < self._slurm.site.gone_s:
            return None
        begun = one.file.with_suffix(BEGUN).name in names and not damaged
        return Ended(self._lost(one, state, begun=begun), _NOTHING)

    def _lost(self, one: _Waiting, state: str, *, begun: bool) -> RunResult:
        """What became of a stage whose job is over and says nothing; "cancelled": it is to be submitted again."""
        again = state in AGAIN or not state or (not begun and state != "CANCELLED")
        if again and one.job.tries < _MOST_TRIES:
            self._tries[one.stage.key] = one.job.tries + 1
            title = self._runner.title(one.stage)
            self._place.progress.note(
                f"{title}: its job {_WHY.get(state, _SILENT)}; submitted again"
            )
            return RunResult("cancelled", "", 0.0, None, None)
        unsaid = state in {"", "FAILED", "COMPLETED"}
        said = last_lines(one.file.parent / f"{one.task[1]}.out", 1) if unsaid else []
        more = f"; its output ends: {said[0]}" if said else ""
        often = f", {one.job.tries + 1} times" if again else ""
        cause = {"TIMEOUT": "timeout", "OUT_OF_MEMORY": "oom"}.get(state, "killed")
        text = f"its Slurm job {_WHY.get(state, _SILENT)}{often}{more}"
        return RunResult(cause, self._runner.words(text), 0.0, None, None)  # type: ignore[arg-type]

    def _conclude(self, over: tuple[_Waiting, Ended]) -> tuple[str, Outcome]:
        one, ended = over
        return one.stage.key, self._outcome(one, ended)

    def _outcome(self, one: _Waiting, ended: Ended) -> Outcome:
        store, stage = self._place.store, one.stage
        with store.try_lock(f"stage-{stage.key}") as mine:
            if not mine:
                return "busy"  # another run is at it, or concludes it at this moment
            if store.has_stage(stage.key):
                outcome = self._told(stage, "done by another run", "found")
                self._forget(one)
                return outcome
            if ended.result.cause == "cancelled":
                with self._folder(one) as work:
                    checkpoints.keep(store, work)
                return "busy"
            self._place.progress.start(stage.key, self._runner.title(stage))
            return self._runner.conclude(stage, self._folder(one), lambda _: ended)

    @contextlib.contextmanager
    def _folder(self, one: _Waiting) -> Iterator[Path]:
        """The work folder of a stage, gone afterwards, with all that was submitted when nothing of it is left."""
        try:
            yield self._work(one.job)
        finally:
            self._forget(one)

    def _work(self, job: StageJob) -> Path:
        return work_of(self._place.store.folder, job)

    def _forget(self, one: _Waiting) -> None:
        self._remove(one.file, one.job)

    def _remove(self, file: Path, job: StageJob) -> None:
        """Removes a stage's work folder and files, and its array's folder when nothing else is in it."""
        remove_tree(self._work(job))
        for suffix in (BEGUN, ENDED, ".json"):
            file.with_suffix(suffix).unlink(missing_ok=True)
        if not _has_stage(file.parent):
            remove_tree(file.parent)


_SILENT = "left the queue without a word"
_WHY = {
    "COMPLETED": "was ended by a signal",
    "CANCELLED": "was cancelled (scancel)",
    "TIMEOUT": "was ended at Slurm's time limit",
    "OUT_OF_MEMORY": "was ended for its memory by Slurm",
    "FAILED": "was killed or could not start",
    "PREEMPTED": "was preempted",
    "NODE_FAIL": "lost its node",
    "BOOT_FAIL": "lost its node",
}


def work_of(store: Path, job: StageJob) -> Path:
    """The work folder of a job, in this store. Raises BadRequest where it names none of its stage's."""
    name = Path(job.work).name
    if not re.fullmatch(rf"{job.key[:16]}\.\w+", name):
        raise BadRequest(
            f"{JOBS}/…/{job.key}.json: {one_line(job.work)} is no work folder of its stage"
        )
    return store / WORK / name


def _parts(whole: Sequence[T], n: int) -> list[Sequence[T]]:
    return [whole[i : i + n] for i in range(0, len(whole), n)]


def _names(folder: Path) -> frozenset[str]:
    with contextlib.suppress(OSError):
        return frozenset(os.listdir(folder))  # noqa: PTH208 - thousands of names, no Paths
    return frozenset()


def _has_stage(folder: Path) -> bool:
    """Whether a stage's file is left in an array's folder; stops at the first, as each stage of thousands asks."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        return any(
            len(entry.name) == _STAGE_NAME and entry.name.endswith(".json") for entry in entries
        )
    return False


def cancel_jobs(store: Path, slurm: Slurm) -> int:
    """Ends every job of a store and removes what they were given; how many arrays those were.

    Raises EngineError where Slurm does not answer.
    """
    arrays = sorted((store / JOBS).glob("*"))
    slurm.cancel(path.name for path in arrays)
    wanted = {path.name for path in arrays}
    while any(
        name in wanted and s not in OVER for (name, _), (s, _) in (slurm.poll() or {}).items()
    ):
        time.sleep(min(slurm.site.poll_s, 1.0))
    for path in arrays:
        for file in path.glob("?" * 64 + ".json"):
            with contextlib.suppress(ToneGapError):
                remove_tree(work_of(store, read_job(file)))
        remove_tree(path)
    return len(arrays)
