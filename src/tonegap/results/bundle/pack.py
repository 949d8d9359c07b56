"""Gathers the files of a store and a suite root that make up the bundle of a suite that ran, and describes them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tonegap import __version__
from tonegap.declared.dataset import dataset_ids, dataset_place, read_dataset
from tonegap.declared.plugin import FOLDERS, PluginFile, plugin_place
from tonegap.declared.suite import SUITES
from tonegap.declared.task import task_place
from tonegap.declared.toml import read_toml
from tonegap.errors import BadRequest, StoreError
from tonegap.files import is_there, sha256_bytes
from tonegap.formats.matrix import completeness
from tonegap.formats.record import Record
from tonegap.results.answers import kept_truths
from tonegap.results.bundle.archive import (
    MANIFEST,
    SCHEMA,
    Content,
    Manifest,
    digests,
    write_archive,
)
from tonegap.results.bundle.crate import CRATE, Origin, Process, Software, crate
from tonegap.store.layout import (
    SPECS,
    failure_unit,
    record_unit,
    stage_unit,
    suite_unit,
    truth_unit,
)
from tonegap.store.read import SuiteRun, read_suites
from tonegap.store.seals import AGAIN, damage

_OF_STAGE = (
    "predictions.parquet",
    "predictions.csv",
    "synthetic.csv",
    "lineage.json",
    "stage.json",
)
_NOT_BUNDLED = frozenset({"images", "model", "bank.npy"})
_SPECS = (
    "pyproject.toml",
    "reports/leaderboard.toml",
    "docker/images.lock.json",
    "benchmarks/exposure.toml",
)


def pack_suite(
    root: Path, store: Path, suite: str, out: Path, *, allow_incomplete: bool = False
) -> Manifest:
    """Writes the bundle of a suite that ran in a store.

    Raises BadRequest if the suite never ran here, nothing of it finished, or records are missing and that is not
    allowed; StoreError naming what is damaged.
    """
    (suite_run,) = read_suites(store, [suite])
    if not any(run.record for run in suite_run.runs):
        raise BadRequest(f"{store}: no run of suite {suite!r} has a record; nothing to bundle")
    found = completeness(suite_run.runs)
    if found.missing and not allow_incomplete:
        raise BadRequest(
            f"{suite}: {found.words}; the same `tonegap run` again makes them, --allow-incomplete bundles what is there"
        )
    _check_stages(store, suite_run)
    sources: dict[str, Content] = {
        p.relative_to(store).as_posix(): p for p in _results(store, suite_run)
    }
    sources |= {f"{SPECS}/{p.relative_to(root).as_posix()}": p for p in _specs(root, suite_run)}
    files = digests(sources)
    sources[CRATE] = described = crate(_origin(root, suite_run), files, MANIFEST)
    files[CRATE] = sha256_bytes(described)
    manifest = Manifest(SCHEMA, suite, suite_run.matrix.title, f"tonegap {__version__}", files)
    write_archive(out, manifest, sources)
    return manifest


def _check_stages(store: Path, suite_run: SuiteRun) -> None:
    """Raises StoreError unless what a bundle takes of each stage, and every truth, is what was written."""
    for key in sorted({s.key for run in suite_run.runs if run.record for s in run.record.stages}):
        said = damage(store, stage_unit(key), deep=True, without=_NOT_BUNDLED)
        if said and is_there(store / stage_unit(key)):
            raise StoreError(f"{store}: {said}; {AGAIN}")
    truth_of = kept_truths(store)
    for record in (run.record for run in suite_run.runs if run.record and run.record.truth_sha256):
        if truth_of(record) is None:
            raise StoreError(f"{store}: {truth_unit(record.truth_sha256)} is missing; {AGAIN}")


def _results(store: Path, suite_run: SuiteRun) -> Iterator[Path]:
    found = {store / suite_unit(suite_run.matrix.suite): None}
    for run in suite_run.runs:
        unit = record_unit if run.record else failure_unit
        found[store / unit(run.id.key)] = None
        if run.record is None:
            continue
        found[store / truth_unit(run.record.truth_sha256)] = None
        for stage in run.record.stages:
            folder = store / stage_unit(stage.key)
            found.update({folder / name: None for name in _OF_STAGE})
    return (path for path in found if path.is_file())


def _specs(root: Path, suite_run: SuiteRun) -> Iterator[Path]:
    """The suite's folders: its file, tasks, data sets and plug-ins as they are now."""
    runs = [run.id for run in suite_run.runs]
    names = [SUITES / f"{suite_run.matrix.suite}.toml", *map(Path, _SPECS)]
    names += [dataset_place(run.task.partition("/")[0]) for run in runs]
    names += [task_place(run.task) for run in runs]
    named = {pair for run in runs for pair in run.entry.plugins.items()}
    names += [plugin_place(*pair) for pair in named]
    banks = (run.record.bank for run in suite_run.runs if run.record)
    names += [plugin_place("extractor", bank.extractor) for bank in banks if bank]
    return (root / name for name in dict.fromkeys(names) if (root / name).is_file())


def _origin(root: Path, suite_run: SuiteRun) -> Origin:
    """What is known of a suite's run; folders that are gone are named without title and terms.

    Raises BadSuiteFolder for a folder that is there and wrong.
    """
    records = [run.record for run in suite_run.runs if run.record]
    holes = [c for c in suite_run.runs if not c.record and c.id.not_applicable is None]
    named = sorted({run.id.task.partition("/")[0] for run in suite_run.runs})
    known = set(dataset_ids(root))
    # A plug-in that ran in two environments is there twice.
    used = sorted({(stage.plugin, stage.environment) for r in records for stage in r.stages})
    software = tuple(Software(label, digest, _title(root, label)) for label, digest in used)
    return Origin(
        suite=suite_run.matrix.suite,
        title=suite_run.matrix.title,
        version=__version__,
        finished=max((r.circumstances.finished for r in records), default=""),
        software=software,
        stages=_stages(records, software),
        licences={d: read_dataset(root, d).file.licence.strip() for d in named if d in known},
        n_records=len(records),
        n_holes=len(holes),
    )


def _stages(records: Iterable[Record], software: Iterable[Software]) -> tuple[Process, ...]:
    """Every stage once, with the time of the first run that it led to."""
    programs = {(one.label, one.environment): one for one in software}
    found: dict[str, Process] = {}
    for record in sorted(records, key=lambda r: r.circumstances.finished):
        for stage in record.stages:
            program = programs[stage.plugin, stage.environment]
            process = Process(stage.key, stage.stage, program, record.circumstances.finished)
            found.setdefault(stage.key, process)
    return tuple(found[key] for key in sorted(found))


def _title(root: Path, label: str) -> str:
    folder, _, _name = label.partition("/")
    for kind, place in FOLDERS.items():
        path = root / label / f"{kind}.toml"
        if place == folder and path.is_file():
            return read_toml(path, PluginFile).title
    return ""
