"""The quality sheets of a store: which set, what was found, which pictures.

The mistake it exists to prevent: a set without a sheet that looks like a set without faults.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from tonegap.errors import StoreError, file_errors
from tonegap.files import is_there, sha256_bytes
from tonegap.formats.matrix import RunId
from tonegap.formats.quality_sheet import SCHEMA, Sheet, decode_sheet
from tonegap.run.sheet_maker import SHEET, sheet_folder
from tonegap.store.layout import sheet_unit
from tonegap.store.read import SuiteRun
from tonegap.store.seals import read_sealed


@dataclass(frozen=True, slots=True)
class SetSheet:
    """One synthetic set of a suite and its sheet; without one, only that there is none.

    `variants` are those of the entries that train on it.
    """

    method: str
    variants: tuple[str, ...]
    task: str
    seed: int
    key: str
    sheet: Sheet | None
    pictures: dict[str, bytes]

    @property
    def label(self) -> str:
        """The method as people read it, with its variants."""
        named = [variant for variant in self.variants if variant]
        return f"{self.method} ({', '.join(named)})" if named else self.method


def read_set_sheets(store: Path, suites: Sequence[SuiteRun]) -> tuple[SetSheet, ...]:
    """The sheets that these suites declare, each once, by task, method and seed.

    Raises StoreError for a sheet or picture that is damaged.
    """
    found: dict[str, SetSheet] = {}
    for suite in suites:
        users: dict[str, list[RunId]] = {}  # which runs use the set of a generate stage, by its key
        for run in suite.runs:
            for stage in run.record.stages if run.record else ():
                users.setdefault(stage.key, []).append(run.id)
        for made_by, key in suite.matrix.sheets.items():
            own = users.get(made_by, [])
            variants = tuple(sorted({user.entry.variant for user in own}))
            if is_there(
                sheet_folder(store, key) / SHEET
            ):  # a link to nowhere is damage, no absence
                found[key] = replace(read_sheet(store, key), variants=variants)
            elif (
                own
            ):  # else the set was never made, which the report's list of what is missing says
                one = own[0]
                found[key] = SetSheet(one.entry.method, variants, one.task, one.seed, key, None, {})
    return tuple(
        sorted(found.values(), key=lambda s: (s.task, s.method, s.variants, s.seed, s.key))
    )


def read_sheet(store: Path, key: str) -> SetSheet:
    """The sheet of that key with its pictures. Raises StoreError where it is absent or damaged."""
    folder = sheet_folder(store, key)
    path = folder / SHEET
    try:
        content = read_sealed(store, sheet_unit(key), SHEET)
        if content is None:
            raise StoreError(f"{path}: is missing; run again")
        sheet = decode_sheet(content)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as e:
        raise StoreError(f"{path}: damaged ({e}); remove it and run again") from None
    if sheet.schema != SCHEMA:
        raise StoreError(
            f"{path}: found schema {sheet.schema!r}, wanted {SCHEMA!r}; remove it and run again"
        )
    pictures = {
        picture.file: _picture(folder / picture.file, picture.sha256) for picture in sheet.pictures
    }
    method = sheet.set.plugin.rpartition("/")[2]
    return SetSheet(method, (), sheet.set.task, sheet.set.seed, key, sheet, pictures)


def _picture(path: Path, sha256: str) -> bytes:
    with file_errors(StoreError, f"{path}: cannot be read", "; remove its folder and run again"):
        content = path.read_bytes()
    if sha256_bytes(content) != sha256:
        raise StoreError(
            f"{path}: is not the picture its sheet names; remove its folder and run again"
        )
    return content
