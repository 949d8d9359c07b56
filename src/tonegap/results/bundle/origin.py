"""A suite's run as the crate of its bundle names it: when, with which programs, under which terms."""

from collections.abc import Iterable
from pathlib import Path

from tonegap import __version__
from tonegap.declared.dataset import dataset_ids, read_dataset
from tonegap.declared.plugin import FOLDERS, PluginFile
from tonegap.declared.toml import read_toml
from tonegap.formats.record import Record
from tonegap.results.bundle.crate import Origin, Process, Software
from tonegap.store.read import SuiteRun


def origin_of(root: Path, run: SuiteRun) -> Origin:
    """What is known of a suite's run; folders that are gone are named without title and terms.

    Raises BadRoom for a folder that is there and wrong.
    """
    records = [cell.record for cell in run.cells if cell.record]
    holes = [c for c in run.cells if not c.record and c.id.not_applicable is None]
    named = sorted({cell.id.task.partition("/")[0] for cell in run.cells})
    known = set(dataset_ids(root))
    software = _software(root, records)
    return Origin(
        suite=run.matrix.suite,
        title=run.matrix.title,
        version=__version__,
        finished=max((r.circumstances.finished for r in records), default=""),
        software=software,
        stages=_stages(records, software),
        licences={d: read_dataset(root, d).file.licence.strip() for d in named if d in known},
        n_records=len(records),
        n_holes=len(holes),
    )


def _software(root: Path, records: Iterable[Record]) -> tuple[Software, ...]:
    """The plug-ins of all stages; one that ran in two environments is there twice."""
    used = sorted({(stage.plugin, stage.environment) for r in records for stage in r.stages})
    return tuple(Software(label, digest, _title(root, label)) for label, digest in used)


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
