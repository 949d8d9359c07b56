"""Finds what speaks against ranking an external result beside this store's own, a sentence each.

It is held against what the store knows of its tasks (a record and a truth for each seed), against the plug-ins of the
suite root, and its seeds against each other. The mistakes it exists to prevent: numbers that answer another question,
or were scored against another truth, ranked beside ours; a control that ranks because somebody's file says that it is
none; one lucky seed beside means over several.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
from scipy.stats import rankdata

from tonegap.arrays import BoolArray, FloatArray
from tonegap.declared.dataset import dataset_ids, read_dataset
from tonegap.declared.exposure import own_exposure, read_exposure
from tonegap.declared.plugin import FOLDERS, Plugin, fill_parameters, plugin_ids, read_plugin
from tonegap.declared.suite import SUITES
from tonegap.declared.task import read_task, task_ids
from tonegap.declared.toml import read_toml
from tonegap.errors import BadRequest, StoreError, ToneGapError
from tonegap.formats.job import Parameter
from tonegap.formats.matrix import RunId, RunOutcome
from tonegap.formats.record import Record
from tonegap.formats.truth import TaskTruth
from tonegap.lines import first_few
from tonegap.plan.entries import image_spec
from tonegap.results.answers import kept_truths
from tonegap.results.bundle.declared_claims import (
    DataClaims,
    PluginClaims,
    claim_problems,
    data_problems,
)
from tonegap.results.bundle.exposure import exposure_problems, half_problems
from tonegap.results.questions import question_of
from tonegap.results.truths import Said, said_of
from tonegap.run.outputs import find_predictions
from tonegap.scores.predictions import read_predictions
from tonegap.store.layout import stage_unit, truth_unit
from tonegap.store.read import SuiteRun, read_suites

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")  # of a method, baseline or backbone
_ALIKE = 1e-3  # probabilities of one training run differ by less
_SURE, _FEW, _SOME = 0.99, 10, 256
_ORDER = 0.995  # correlation of ranks; two trainings of one recipe stay far below
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class KnownRecords:
    """The records of a store that name a truth, one for each task, seed, question and truth; and all of its runs."""

    store: Path
    records: tuple[Record, ...]
    runs: tuple[RunOutcome, ...]

    def of_task(self, task: str) -> tuple[Record, ...]:
        """Those of one task, full ones before those on a part of its images. Raises BadRequest if there is none."""
        found = [record for record in self.records if record.task == task]
        if not found:
            there = ", ".join(sorted({record.task for record in self.records})) or "none"
            raise BadRequest(
                f"{self.store}: {task} never ran in this store, so nothing here can confirm its truth (there are: "
                f"{there}); run a suite with it first, one control is enough"
            )
        return tuple(
            sorted(found, key=lambda r: r.data.subset is not None or bool(r.data.exclusions))
        )

    def truth(self, record: Record) -> TaskTruth:
        """The truth that a record was scored against. Raises StoreError where it is damaged or gone."""
        truth = kept_truths(self.store)(record)
        if truth is None:
            raise StoreError(f"{self.store / truth_unit(record.truth_sha256)}: gone; run again")
        return truth


def read_known(store: Path) -> KnownRecords:
    """What the suites that ran in a store know. Raises BadRequest if none ran."""
    runs = tuple(run for suite_run in read_suites(store) for run in suite_run.runs)
    found = {
        (r.task, r.seed, question_of(r), r.truth_sha256): r
        for run in runs
        if (r := run.record) and (store / truth_unit(r.truth_sha256)).is_file()
    }
    return KnownRecords(store, tuple(found.values()), runs)


def own_truths(store: Path) -> dict[str, Said]:
    """Label and tone of each image by task, as the suites that ran in a store were scored; none where none ran."""
    try:
        known = read_known(store)
    except BadRequest:
        return {}
    truths: dict[str, dict[str, TaskTruth]] = {}
    hidden: dict[str, set[str]] = {}
    for record in known.records:
        of_task = truths.setdefault(record.task, {})
        hidden.setdefault(record.task, set()).update(record.not_scored)
        if record.truth_sha256 not in of_task:
            of_task[record.truth_sha256] = known.truth(record)
    return {task: said_of(of.values(), hidden[task])[0] for task, of in sorted(truths.items())}


def _differences(record: Record, known: KnownRecords) -> Iterator[str]:
    """What makes an external record answer another question, or use other data, than this store's own."""
    ours = [r for r in known.of_task(record.task) if question_of(r) == question_of(record)]
    if not ours:
        asked, here = question_of(record), question_of(known.of_task(record.task)[0])
        names = [n for n in here.__slots__ if getattr(asked, n) != getattr(here, n)]
        listed = ", ".join(f"{n} is {getattr(asked, n)}, here {getattr(here, n)}" for n in names)
        yield f"answers another question: {listed}"
        return
    same_seed = [r for r in ours if r.seed == record.seed]
    candidates = same_seed or ours
    if record.truth_sha256 not in {r.truth_sha256 for r in candidates}:
        yield (
            f"scored against the truth {record.truth_sha256[:12]}…, and this store has "
            f"{candidates[0].truth_sha256[:12]}…: labels, tones or images of the test set differ"
        )
    theirs = (record.data, record.partitions, record.leaks)
    if same_seed and all((r.data, r.partitions, r.leaks) != theirs for r in same_seed):
        yield "ran on other images, metadata, partitions or near-duplicates than this store's own results of that seed"


def unlike_here(
    folder: Path, suite_run: SuiteRun, root: Path, known: KnownRecords | None
) -> Iterator[str]:
    """The runs of an extracted bundle that cannot be set beside those here, each with the reason.

    `known` None: a leaderboard of bundles alone, held against the plug-ins of the suite root and no store.
    """
    for run in suite_run.runs:
        if run.record is None:
            continue
        where = f"{run.id.entry.label}, {run.id.task}, seed {run.id.seed}"
        found = list(_unfit_names(run.id))
        if not found:  # a name that is none is not looked up
            found += _contradictions(root, run.id, run.record)
            try:
                found += _differences(run.record, known) if known else ()
            except BadRequest as e:
                found.append(str(e))
        yield from (f"{where}: {problem}" for problem in found)
    yield from _missing_seeds(root, suite_run)
    yield from repeated_runs(folder, suite_run)


class _SuiteSeeds(msgspec.Struct):
    """The key of a suite's file that says which seeds each of its entries has."""

    seeds: tuple[int, ...] = ()


def _missing_seeds(root: Path, suite_run: SuiteRun) -> Iterator[str]:
    """Entries that a bundle declares without a seed that the suite of that name has here."""
    path = root / SUITES / f"{suite_run.matrix.suite}.toml"
    if not NAME.fullmatch(suite_run.matrix.suite) or not path.is_file():
        return
    wanted = set(read_toml(path, _SuiteSeeds).seeds)
    declared: dict[tuple[str, str], set[int]] = {}
    for run in suite_run.matrix.runs:
        declared.setdefault((run.entry.label, run.task), set()).add(run.seed)
    for (label, task), seeds in declared.items():
        if missing := sorted(wanted - seeds):
            named = ", ".join(map(str, missing))
            suite = suite_run.matrix.suite
            yield f"{label}, {task}: the suite {suite} has seed {named} here, and the bundle declares none"


def _unfit_names(run: RunId) -> Iterator[str]:
    """What in a run is no name for a row."""
    entry = run.entry
    for name in (*entry.plugins.values(), entry.backbone):
        if name and not NAME.fullmatch(name):
            yield f"{name[:_LONGEST]!r} is no name of a method, baseline, backbone or post-processor"
    if len(entry.variant) > _LONGEST or not entry.variant.isprintable():
        yield f"the variant {entry.variant[:_LONGEST]!r} is no short line"
    if not 0 <= run.seed < 2**32:
        yield f"{run.seed} is no seed"


def _contradictions(root: Path, run: RunId, record: Record) -> Iterator[str]:
    """What a record says otherwise than the plug-ins here; nothing of a plug-in that is not here."""
    named = record.plugins.items()
    there = [read_plugin(root, kind, one) for kind, one in named if one in plugin_ids(root, kind)]
    known = [plugin for plugin in there if plugin.kind in record.entry.plugins]
    labels = (f"{FOLDERS[kind]}/{one}" for kind, one in record.entry.plugins.items())
    claims: dict[str, PluginClaims | None] = dict.fromkeys(labels)
    claims |= {
        p.label: PluginClaims(p.file.control, tuple(p.file.needs), on=p.file.on) for p in known
    }
    yield from claim_problems(run, record, claims, here=True)
    own = {
        one.label: own_exposure(one.label, one.file.exposure, holds_weights=one.holds_weights)
        for one in there
    }
    yield from exposure_problems(record, own, read_exposure(root), here=True)
    if record.data.tested and record.task in task_ids(root):
        yield from half_problems(record, read_task(root, record.task).file.split, here=True)
    name = record.task.partition("/")[0]
    if name in dataset_ids(root):
        drawn = read_dataset(root, name).file.drawn
        yield from data_problems(record, DataClaims(None if drawn is None else {}), here=True)
    for plugin in there:
        yield from _parameter_problems(plugin, record.plugin_parameters[plugin.kind])
    wanted = [
        (stage, plugin.label) for plugin in known for stage in plugin.file.stages
    ]  # in order: the method's, the baseline's, the post-processor's
    found = [(s.stage, s.plugin) for s in record.stages if s.plugin in {p.label for p in known}]
    if wanted != found:
        said, here = (
            ", ".join(f"{stage} of {plugin}" for stage, plugin in stages) or "none"
            for stages in (found, wanted)
        )
        yield f"has the stages {said}, and here they are {here}"


def _parameter_problems(plugin: Plugin, values: dict[str, Parameter]) -> Iterator[str]:
    missing = sorted(plugin.file.parameters.keys() - values.keys())
    if missing:
        yield f"does not say {first_few(missing)}, which {plugin.label} has here"
    try:
        image_spec(plugin, fill_parameters(plugin, dict(values), "parameters"), "parameters")
    except ToneGapError as e:
        yield str(e)


def not_here(root: Path, records: Sequence[Record]) -> list[str]:
    """The plug-ins of records that this suite root lacks: what they do, and whether one is a control, is a claim."""
    there = {kind: set(plugin_ids(root, kind)) for kind in FOLDERS}
    named = {pair for record in records for pair in record.plugins.items()}
    return sorted(f"{FOLDERS[kind]}/{one}" for kind, one in named if one not in there[kind])


def seed_remarks(runs: Sequence[RunId], own: Sequence[RunOutcome]) -> Iterator[str]:
    """How the seeds of each entry differ from those that this store's own entries have, one sentence each.

    The usual seeds are those of most entries that are no controls; of equally many sets the larger.
    """
    seeds: dict[tuple[str, str], list[int]] = {}
    for run in runs:
        seeds.setdefault((run.task, run.entry.label), []).append(run.seed)
    for (task, label), found in seeds.items():
        declared = {run.id.seed for run in own if run.id.task == task}
        usual = _usual_seeds([run.id for run in own if run.id.task == task])
        odd, missing = sorted({*found} - declared), sorted(usual - {*found})
        if odd:
            yield f"{label}, {task}: seed {', '.join(map(str, odd))} is in no suite of this store"
        if missing:
            yield (
                f"{label}, {task}: seed {', '.join(map(str, missing))}, which the entries here have, is not in it"
            )


def _usual_seeds(runs: Sequence[RunId]) -> frozenset[int]:
    of_entry: dict[object, set[int]] = {}
    for run in [run for run in runs if not run.control] or list(runs):
        of_entry.setdefault(run.entry, set()).add(run.seed)
    counted = Counter(frozenset(seeds) for seeds in of_entry.values())
    return max(counted, key=lambda s: (counted[s], len(s), sorted(s)), default=frozenset())


def repeated_runs(folder: Path, suite_run: SuiteRun) -> Iterator[str]:
    """Entries whose predictions are alike at two seeds: one training run under two names.

    `folder` is laid out as a store. Controls are left out: what never learns may well say the same twice.
    Raises ToneGapError where a truth or predictions are damaged.
    """
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for run in suite_run.runs:
        if run.record and not run.record.control:
            record = run.record
            groups.setdefault((record.task, record.entry.label, record.truth_sha256), []).append(
                record
            )
    for (task, label, _truth), records in groups.items():
        said = [(r.seed, fingerprint(folder, r)) for r in (records if len(records) > 1 else ())]
        for (seed, p), (other, q) in combinations(said, 2):
            if are_alike(p, q):
                yield f"{label}, {task}: seeds {seed} and {other} have the same predictions: one training run"


def fingerprint(folder: Path, record: Record) -> FloatArray | None:
    """Probabilities [epochs, n, k] of some epochs, the last among them, and of some images; None without a truth.

    Equal for equal predictions. Raises ToneGapError where a truth or predictions are damaged.
    """
    truth = kept_truths(folder)(record)
    if truth is None:
        return None
    path = find_predictions(folder / stage_unit(record.stages[-1].key))
    p = read_predictions(path, record.classes, truth.ids).p
    epochs = sorted({len(p) // 2, (3 * len(p)) // 4, len(p) - 1})
    some: FloatArray = p[epochs, :: -(-p.shape[1] // _SOME)].copy()
    return some


def are_alike(p: FloatArray | None, q: FloatArray | None) -> bool:
    """Whether two fingerprints are one training run's: in most epochs most images alike, or all in one order.

    Images that either is sure of do not count: two good classifiers agree about these. Of fewer than ten others all
    images must be alike. The order is that by each class's probability, which sharpened answers keep.
    """
    if p is None or q is None or p.shape != q.shape:
        return False
    near = np.abs(p - q).max(axis=2) < _ALIKE
    unsure = np.minimum(p.max(axis=2), q.max(axis=2)) < _SURE
    few = unsure.sum(axis=1) < _FEW
    share = (near & unsure).sum(axis=1) / np.maximum(unsure.sum(axis=1), 1)
    same_order = [_in_one_order(*epoch) for epoch in zip(p, q, unsure, strict=True)]
    return bool(np.where(few, near.all(axis=1), (share > 0.5) | same_order).mean() > 0.5)


def _in_one_order(p: FloatArray, q: FloatArray, chosen: BoolArray) -> bool:
    """Whether images [n, k] are ranked alike by the probability of each class, by Spearman's correlation."""
    if chosen.sum() < _FEW:
        return False
    ranks = [rankdata(x[chosen], axis=0) for x in (p, q)]
    centred = [r - r.mean(axis=0) for r in ranks]
    size = np.sqrt((centred[0] ** 2).sum(axis=0) * (centred[1] ** 2).sum(axis=0))
    able = size > 0
    return bool(
        able.any() and ((centred[0] * centred[1]).sum(axis=0)[able] / size[able]).min() > _ORDER
    )


def renamed(opened: Sequence[tuple[Path, Path, Sequence[Record]]]) -> Iterator[tuple[Path, str]]:
    """Bundles (file, folder, records) with a training run that another, or their own control, has under another name.

    Each once, with the reason. Of two entries the one of the later bundle is taken for the copy, of an entry and a
    control the entry. A method that made no image leaves what its baseline alone gives, so that is no copy.
    """
    trained: dict[tuple[str, int, str], list[tuple[Path, Record, FloatArray | None]]] = {}
    for path, folder, records in opened:
        for record in records:
            where = (record.task, record.seed, record.truth_sha256)
            trained.setdefault(where, []).append((path, record, fingerprint(folder, record)))
    told: set[Path] = set()
    for (task, seed, _), found in trained.items():
        for (path, one, p), (other_path, other, q) in combinations(found, 2):
            if _who(one) == _who(other) or (one.control and other.control):
                continue
            empty = any(r.synthetic is not None and r.synthetic.n == 0 for r in (one, other))
            if empty or (path == other_path and not (one.control or other.control)):
                continue
            if are_alike(p, q):
                copy, of = ((path, one), (other_path, other)) if other.control else (
                    (other_path, other), (path, one)
                )  # fmt: skip
                if copy[0] not in told:
                    told.add(copy[0])
                    yield (
                        copy[0],
                        f"{task}, seed {seed}: what it calls {copy[1].entry.label} has the predictions of "
                        f"{of[1].entry.label} in {of[0].name}",
                    )


def _who(record: Record) -> tuple[str, str, str]:
    return record.entry.method, record.entry.baseline, record.entry.backbone
