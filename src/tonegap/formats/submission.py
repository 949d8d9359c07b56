"""Holds a submission as it lies in the store: `submissions/ID/`, laid out as a store of its own.

    submission.json    written last: what it is, its runs, and the SHA-256 of every other file
    card.toml          of predictions; a bundle has bundle.json instead
    suites/SUITE.json, records/KEY.json, stages/KK/KEY/predictions.*

The ID is the digest of all that, so nothing in it can be changed and stay what it was.
"""

from typing import Literal

import msgspec

from tonegap.files import digest_of
from tonegap.formats.matrix import RunId

SCHEMA = "tonegap/submission@1"
FILE = "submission.json"
_LENGTH = 8

Kind = Literal["bundle", "predictions"]


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`submission.json`. `files` maps paths to SHA-256; `title` and the links are the submitter's own words."""

    schema: str
    kind: Kind
    title: str
    suite: str
    runs: tuple[RunId, ...] = msgspec.field(name="cells")
    files: dict[str, str]
    authors: str = ""
    paper: str = ""
    code: str = ""
    about: str = ""

    @property
    def id(self) -> str:
        """The name it has here."""
        return digest_of(msgspec.to_builtins(self))[:_LENGTH]

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks that it answers."""
        return frozenset(run.task for run in self.runs)


class Refused(msgspec.Struct, frozen=True):
    """Why a submission does not enter: one sentence for each thing that is wrong."""

    problems: tuple[str, ...]
