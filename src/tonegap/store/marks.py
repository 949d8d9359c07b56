"""Reads the mark of a finished stage, and the first truth that a store keeps to hold later ones against.

The mistake it exists to prevent: a mark or a first truth that was damaged, read as if it were not.
"""

import re
from pathlib import Path

import msgspec

from tonegap.errors import StoreError
from tonegap.files import sha256_bytes
from tonegap.formats.record import Isolation
from tonegap.store.layout import TRUTHS, first_truth_unit, stage_unit
from tonegap.store.seals import read_sealed, sealed_sha256

_SHA256 = re.compile(rb"([0-9a-f]{64})\s*")
_REMOVE = "remove it, and the next run keeps its own truth as the first"


class StageMark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`stage.json`: what a finished stage was made from and what it cost; `gpus` it had if its device is one.

    `n_images`: how many training images it was given; 0: not told. `gpu_memory_mib`: what it said it had of one GPU at
    its peak.
    """

    key: str
    stage: str
    plugin: str
    ingredients: dict[str, str]
    environment: str
    versions: dict[str, str]
    seconds: float
    cpu_seconds: float | None
    peak_memory_mib: float | None
    isolation: Isolation
    gpus: int = 1
    n_images: int = 0
    gpu_memory_mib: float | None = None


def read_mark(store: Path, key: str) -> StageMark | None:
    """The mark of a finished stage; None if there is none. Raises StoreError where it is damaged."""
    unit, name = stage_unit(key), "stage.json"
    content = read_sealed(store, unit, name)
    try:
        return None if content is None else msgspec.json.decode(content, type=StageMark)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        where = store / unit
        raise StoreError(f"{where / name}: damaged ({e}); remove {where} and run again") from None


def first_truth(store: Path, place: str) -> str | None:
    """The digest of the first truth that a store kept of a task at a seed; None if it kept none.

    One that is damaged is found again among the truths that are there, by its seal. Raises StoreError where it is not.
    """
    unit = first_truth_unit(place)
    try:
        content = read_sealed(store, unit, cure=_REMOVE)
        if content is None:
            return None
        if found := _SHA256.fullmatch(content):
            return found[1].decode()
        # A store of an earlier version left such a file without a seal.
        raise StoreError(f"{store / unit}: is no SHA-256; {_REMOVE}")
    except StoreError:
        wanted = sealed_sha256(store, unit)
        for path in (store / TRUTHS).glob("*.csv"):
            if sha256_bytes(f"{path.stem}\n".encode()) == wanted:
                return path.stem
        raise
