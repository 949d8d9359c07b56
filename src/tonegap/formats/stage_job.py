"""A stage as a job of a cluster: what it is given, and what it leaves for whoever submitted it.

Plain JSON on a file system that both see: no pickles, and nothing of it depends on who submitted it or still lives.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tonegap.errors import BadRequest
from tonegap.formats.record import Isolation
from tonegap.numerics import Numerics

SCHEMA = "tonegap/stage-job@1"
# How a stage ended.
Cause = Literal[
    "ok",
    "method-error",
    "bad-output",
    "leak",
    "timeout",
    "oom",
    "killed",
    "cancelled",
    "engine-error",
]
StageKey = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
PluginLabel = Annotated[str, msgspec.Meta(pattern=r"\A[a-z]+/[^/]+\Z")]


class StageJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`jobs/ARRAY/KEY.json`: one stage to run in its work folder, `in/` laid out already.

    `plugin` is its label below the suite root `root`; digests are those the stage was planned with, so that a plug-in
    that was changed while the job waited, or a node with other libraries, is refused. Seconds and MiB. `tries`: how
    often it was submitted before. `gpus`: how many a stage on a GPU is given.
    """

    schema: str
    key: StageKey
    root: str
    engine: str
    plugin: PluginLabel
    plugin_sha256: str
    environment: str
    stage: str
    work: str
    timeout_s: int
    memory_mib: int
    output_mib: int
    threads: int
    device: str
    numerics: Numerics
    tries: int = 0
    gpus: int = 1


class EndedJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`jobs/ARRAY/KEY.ended`: how the stage ended, on which node, and what was in force there."""

    cause: Cause
    text: str
    seconds: float
    cpu_seconds: float | None
    peak_memory_mib: float | None
    isolation: Isolation
    device: str
    node: str
    gpu_memory_mib: float | None = None


class JobArray(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`jobs/ARRAY/array.json`, written last: the keys of the stages that each task runs in turn."""

    tasks: tuple[tuple[StageKey, ...], ...]


def read_job(path: Path) -> StageJob:
    """The stage of a file. Raises BadRequest for anything else."""
    try:
        job = msgspec.json.decode(path.read_bytes(), type=StageJob)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as e:
        raise BadRequest(f"{path}: no stage to run: {e}") from None
    if job.schema != SCHEMA:
        raise BadRequest(f"{path}: found schema {job.schema!r}, wanted {SCHEMA!r}")
    return job
