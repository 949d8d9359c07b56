"""What a bundle says of its entries against the plug-ins of this suite root and the seeds that its store declares.

The mistake it exists to prevent: a control that ranks because somebody's file says that it is none, and one lucky seed
beside means over several.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.declared.plugin import Plugin, fill_parameters, plugin_ids, read_plugin
from tonegap.errors import ToneGapError
from tonegap.formats.job import Parameter
from tonegap.formats.matrix import Cell, CellId
from tonegap.formats.record import Record
from tonegap.formats.truth import decode_truth
from tonegap.plan.entries import image_spec
from tonegap.run.outputs import find_predictions
from tonegap.scores.predictions import read_predictions
from tonegap.store.layout import stage_unit, truth_unit
from tonegap.store.read import SuiteRun

_ALIKE = 1e-3  # probabilities that differ by less everywhere are one training run's
_SHOWN = 3
_KINDS = ("method", "baseline")


def contradictions(root: Path, cell: CellId, record: Record) -> Iterator[str]:
    """What a record says otherwise than the plug-ins here; nothing of a plug-in that is not here."""
    plugins = _plugins(root, record)
    if cell.control != record.control:
        yield "the matrix and the record differ about whether it is a control"
    known = [plugin for plugin in plugins if plugin is not None]
    controls = [plugin.label for plugin in known if plugin.file.control]
    if controls and not record.control:
        yield f"says that it is no control, and {controls[0]} is one here"
    if record.control and not controls and len(known) == len(plugins):
        yield f"says that it is a control, and neither {' nor '.join(p.label for p in known)} is one here"
    method, baseline = plugins
    if baseline and record.tone_at_test != ("tone_at_test" in baseline.file.needs):
        yield f"says otherwise than {baseline.label} here whether it is told the tone of test images"
    for plugin, values in (
        (method, record.method_parameters),
        (baseline, record.baseline_parameters),
    ):
        if plugin is not None:
            yield from _parameter_problems(plugin, values)
    wanted = [
        (stage, plugin.label) for plugin in known for stage in plugin.file.stages
    ]  # in order: the method's, then the baseline's
    found = [(s.stage, s.plugin) for s in record.stages if s.plugin in {p.label for p in known}]
    if wanted != found:
        yield f"has the stages {_listed(found)}, and here they are {_listed(wanted)}"


def _plugins(root: Path, record: Record) -> tuple[Plugin | None, Plugin | None]:
    names = (record.entry.method, record.entry.baseline)
    method, baseline = (
        read_plugin(root, kind, name) if name in plugin_ids(root, kind) else None
        for kind, name in zip(_KINDS, names, strict=True)
    )
    return method, baseline


def _parameter_problems(plugin: Plugin, values: dict[str, Parameter]) -> Iterator[str]:
    missing = sorted(plugin.file.parameters.keys() - values.keys())
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        yield f"does not say {', '.join(missing[:_SHOWN])}{more}, which {plugin.label} has here"
    try:
        image_spec(plugin, fill_parameters(plugin, dict(values), "parameters"), "parameters")
    except ToneGapError as e:
        yield str(e)


def _listed(stages: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{stage} of {plugin}" for stage, plugin in stages) or "none"


def not_here(root: Path, records: Sequence[Record]) -> list[str]:
    """The plug-ins of records that this suite root lacks: what they do, and whether one is a control, is a claim."""
    there = {kind: set(plugin_ids(root, kind)) for kind in _KINDS}
    named = [(f"methods/{r.entry.method}", r.entry.method in there["method"]) for r in records]
    named += [
        (f"baselines/{r.entry.baseline}", r.entry.baseline in there["baseline"]) for r in records
    ]
    return sorted({label for label, here in named if not here})


def seed_remarks(cells: Sequence[CellId], own: Sequence[Cell]) -> Iterator[str]:
    """How the seeds of each entry differ from those that this store's own entries have, one sentence each.

    The usual seeds are those of most entries that are no controls; of equally many sets the larger.
    """
    seeds: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        seeds.setdefault((cell.task, cell.entry.label), []).append(cell.seed)
    for (task, label), found in seeds.items():
        declared = {cell.id.seed for cell in own if cell.id.task == task}
        usual = _usual_seeds([cell.id for cell in own if cell.id.task == task])
        odd, missing = sorted({*found} - declared), sorted(usual - {*found})
        if odd:
            yield f"{label}, {task}: seed {', '.join(map(str, odd))} is declared by no suite here"
        if missing:
            yield (
                f"{label}, {task}: seed {', '.join(map(str, missing))}, which the entries here have, is not in it"
            )


def _usual_seeds(cells: Sequence[CellId]) -> frozenset[int]:
    of_entry: dict[object, set[int]] = {}
    ranked = [cell for cell in cells if not cell.control] or list(cells)
    for cell in ranked:
        of_entry.setdefault(cell.entry, set()).add(cell.seed)
    counted = Counter(frozenset(seeds) for seeds in of_entry.values())
    return max(counted, key=lambda s: (counted[s], len(s), sorted(s)), default=frozenset())


def repeated_runs(folder: Path, run: SuiteRun) -> Iterator[str]:
    """Entries whose predictions are the same at two seeds: one training run under two names.

    `folder` is laid out as a store. Controls are left out: what never learns may well say the same twice.
    Raises ToneGapError where a truth or predictions are damaged.
    """
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for cell in run.cells:
        if cell.record and not cell.record.control:
            record = cell.record
            groups.setdefault((record.task, record.entry.label, record.truth_sha256), []).append(
                record
            )
    for (task, label, _truth), records in groups.items():
        said = [(record.seed, _last_epoch(folder, record)) for record in records]
        for (seed, p), (other, q) in combinations(said if len(said) > 1 else [], 2):
            if p.shape == q.shape and np.abs(p - q).max(initial=0.0) < _ALIKE:
                yield f"{label}, {task}: seeds {seed} and {other} have the same predictions: one training run"


def _last_epoch(folder: Path, record: Record) -> FloatArray:
    """Probabilities [n, k] of the last epoch, in the order of the truth."""
    sha256, key = record.truth_sha256, record.stages[-1].key
    path = folder / truth_unit(sha256)
    truth = decode_truth(path.read_bytes(), sha256, truth_unit(sha256))
    stage = folder / stage_unit(key)
    p: FloatArray = (
        read_predictions(find_predictions(stage), record.classes, truth.ids).p[-1].copy()
    )
    return p
