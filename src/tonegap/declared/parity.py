"""`parity/NAME.toml`: how far a baseline agrees with published code, and by whom that can be repeated."""

from pathlib import Path
from typing import Literal

import msgspec

from tonegap.declared.toml import read_toml

FOLDER = "parity"


class Compared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was computed by both on the same tensors."""

    what: str
    largest_difference: float  # over all draws
    verdict: Literal["equal", "differs"]
    why: str = ""  # where it differs


class ParityCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a baseline beside published code, at one commit of it."""

    state: Literal["compared", "not compared"]
    upstream: str  # address; empty where none was at hand
    commit: str
    differences: tuple[str, ...]  # known beside what was compared
    compared: tuple[Compared, ...] = ()


def read_parity(root: Path, name: str) -> ParityCertificate | None:
    """The certificate of a baseline of a suite root; None if it has none. Raises BadSuiteFolder for a wrong file."""
    path = root / FOLDER / f"{name}.toml"
    return read_toml(path, ParityCertificate) if path.is_file() else None
