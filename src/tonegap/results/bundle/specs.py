"""What a bundle's records say of their plug-ins, against the files of these plug-ins in the same bundle.

The mistake it exists to prevent: "all as they were" of a control whose record says that it is none, beside its own
file that says that it is one.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tonegap.declared.plugin import FOLDERS, PLUGIN_ID
from tonegap.declared.toml import read_toml
from tonegap.formats.matrix import CellId
from tonegap.formats.record import Record


class _Said(msgspec.Struct):
    """The keys of a plug-in's file that decide a mark; others may be those of another version."""

    control: bool = False
    needs: tuple[str, ...] = ()


def spec_problems(store: Path, cell: CellId, record: Record) -> Iterator[str]:
    """What matrix and plug-ins of a bundle have against a record; nothing of a plug-in whose file is not in it.

    `store`: the bundle, extracted. Raises BadRoom for a file that is no plug-in's.
    """
    if cell.control != record.control:
        yield "the matrix and the record differ about whether it is a control"
    entry = record.entry
    found = {
        f"{FOLDERS[kind]}/{name}": _said(store / "specs", kind, name)
        for kind, name in (("method", entry.method), ("baseline", entry.baseline))
    }
    said = {label: file for label, file in found.items() if file is not None}
    controls = [label for label, file in said.items() if file.control]
    if controls and not record.control:
        yield f"says that it is no control, and the file of {controls[0]} that came along says that it is one"
    if record.control and not controls and len(said) == len(found):
        yield f"says that it is a control, and neither {' nor '.join(said)} is one by the files that came along"
    baseline = said.get(f"{FOLDERS['baseline']}/{entry.baseline}")
    if baseline and record.tone_at_test != ("tone_at_test" in baseline.needs):
        yield (
            f"says otherwise than the file of baselines/{entry.baseline} that came along whether it is told the tone "
            "of test images"
        )


def _said(specs: Path, kind: str, name: str) -> _Said | None:
    path = specs / FOLDERS[kind] / name / f"{kind}.toml"
    if not PLUGIN_ID.fullmatch(name) or not path.is_file():
        return None
    return read_toml(path, _Said)
