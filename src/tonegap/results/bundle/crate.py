"""A bundle as an RO-Crate 1.2: every file with its kind and digest, and the run that made them.

The crate names no author: nobody told the suite one. The mistake it exists to prevent: an archive that only
the program which wrote it can read.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import msgspec

from tonegap.errors import BadRequest
from tonegap.store.layout import AUDITS, FAILURES, RECORDS, SPECS, STAGES, SUITES, TRUTHS

CRATE = "ro-crate-metadata.json"
_CONTEXT = "https://w3id.org/ro/crate/1.2/context"
_CONFORMS = "https://w3id.org/ro/crate/1.2"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"  # Process Run Crate: each stage is an action
_COMPLETED = {"@id": "http://schema.org/CompletedActionStatus"}
_ROOT, _RUN = "./", "#run"
_KINDS = {
    ".json": ("application/json", "JSON"),
    ".csv": ("text/csv", "CSV"),
    ".parquet": ("application/vnd.apache.parquet", "Parquet"),
    ".toml": ("application/toml", "TOML"),
    ".md": ("text/markdown", "Markdown"),
}
_UNKNOWN_KIND = ("application/octet-stream", "bytes")
# What a file of a folder is, in a sentence.
_ABOUT = {
    RECORDS: "What one entry, task and seed measured, and on what evidence",
    FAILURES: "Why an entry has no result for a task and seed",
    SUITES: "The declared matrix: every run that should have a record",
    TRUTHS: "Class, tone and near-duplicate group of validation and test images, by id",
    STAGES: "What a stage left",
    AUDITS: "What an audit of a synthetic set found",
    SPECS: "A folder of the suite as it was when the bundle was made",
}
Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Software:
    """A plug-in that took part: `methods/NAME`, its environment's digest, title and what it is about."""

    label: str
    environment: str
    title: str = ""

    @property
    def id(self) -> str:
        """Its name in the crate: a plug-in that ran in two environments is two programs."""
        return f"#{self.label}@{self.environment[:12]}"


@dataclass(frozen=True, slots=True)
class Process:
    """A stage that ran: its key, name (`train`), program, and when the first run it led to was finished."""

    key: str
    stage: str
    software: Software
    finished: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the files of a bundle come from.

    `finished`: when the last record was (ISO 8601, "" if unknown). `licences`: data set -> terms of its
    labels. `n_holes`: declared runs without a record.
    """

    suite: str
    title: str
    version: str
    finished: str
    software: tuple[Software, ...]
    stages: tuple[Process, ...]
    licences: Mapping[str, str]
    n_records: int
    n_holes: int


class _Node(msgspec.Struct):
    """Of a node of a crate what is compared here."""

    id: str = msgspec.field(name="@id")
    type: str | list[str] = msgspec.field(name="@type")
    sha256: str = ""


class _Crate(msgspec.Struct):
    """A crate's nodes."""

    graph: list[_Node] = msgspec.field(name="@graph")


def crate(origin: Origin, digests: Mapping[str, str], manifest: str) -> bytes:
    """`ro-crate-metadata.json` of the files with those digests, and of the manifest, which has this one's.

    The same bundle gives the same bytes.
    """
    names = sorted(digests)
    holes = f", {origin.n_holes} declared runs without one" if origin.n_holes else ""
    about = (
        f"Results of the suite {origin.suite} of tonegap: {origin.n_records} records{holes}, with the "
        "predictions and the truth that every number in them follows from. `tonegap verify` computes them "
        "again. It holds no image. Authors: not known to the program that wrote this."
    )
    licences = [
        {
            "@id": f"#licence-{data_set}",
            "@type": "CreativeWork",
            "name": f"Terms of the data set {data_set}, whose ids and labels are in here",
            "description": text,
        }
        for data_set, text in sorted(origin.licences.items())
    ]
    root: Node = {
        "@id": _ROOT,
        "@type": "Dataset",
        "name": origin.title,
        "description": about,
        **({"datePublished": origin.finished} if origin.finished else {}),
        **({"license": _named(node["@id"] for node in licences)} if licences else {}),
        "hasPart": _named(quote(name) for name in (manifest, *names)),
        "conformsTo": {"@id": _PROFILE},
        "mentions": _named([_RUN, *(f"#stage-{one.key}" for one in origin.stages)]),
    }
    run: Node = {
        "@id": _RUN,
        "@type": "CreateAction",
        "name": f"tonegap run {origin.suite}",
        **({"endTime": origin.finished} if origin.finished else {}),
        "actionStatus": _COMPLETED,
        "instrument": _named(["#tonegap", *(one.id for one in origin.software)]),
        "object": _named(quote(n) for n in names if n.startswith((f"{SPECS}/", f"{SUITES}/"))),
        "result": _named(quote(n) for n in names if n.startswith(f"{RECORDS}/")),
    }
    graph = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": {"@id": _ROOT},
            "conformsTo": {"@id": _CONFORMS},
        },
        root,
        run,
        *_stages(origin, names),
        {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        *licences,
        *_programs(origin),
        {**_file(manifest, ""), "description": "The SHA-256 of every other file of the bundle"},
        *(_file(name, digests[name]) for name in names),
    ]
    text = json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False)
    return (text + "\n").encode()


def _named(ids: Iterable[str]) -> list[Node]:
    return [{"@id": one} for one in ids]


def crate_problems(content: bytes, digests: Mapping[str, str], manifest: str) -> list[str]:
    """What a crate has against the files it should describe, one sentence each.

    Raises BadRequest if it is none. `digests` may include the crate's own, which it cannot name.
    """
    try:
        graph = msgspec.json.decode(content, type=_Crate).graph
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadRequest(f"{CRATE}: not an RO-Crate ({e}); make the bundle again") from None
    said = {node.id: node.sha256 for node in graph if node.type == "File"}
    wanted = {quote(name): sha256 for name, sha256 in digests.items() if name != CRATE}
    wanted[quote(manifest)] = ""
    found = [f"{CRATE}: does not describe {name}" for name in sorted(wanted.keys() - said.keys())]
    found += [
        f"{CRATE}: describes {name}, which is not there"
        for name in sorted(said.keys() - wanted.keys())
    ]
    found += [
        f"{CRATE}: {name} has another sha256 there than in {manifest}"
        for name in sorted(wanted.keys() & said.keys())
        if wanted[name] != said[name]
    ]
    return found


def _stages(origin: Origin, names: Iterable[str]) -> Iterator[Node]:
    """An action for each stage; its results are the files of it that the bundle has, if any."""
    left: dict[str, list[str]] = {}
    for name in names:
        if name.startswith(f"{STAGES}/"):
            left.setdefault(name.split("/")[-2], []).append(name)
    for one in origin.stages:
        yield {
            "@id": f"#stage-{one.key}",
            "@type": "CreateAction",
            "name": f"{one.stage} of {one.software.label}",
            "endTime": one.finished,
            "actionStatus": _COMPLETED,
            "instrument": {"@id": one.software.id},
            "result": _named(quote(name) for name in left.get(one.key, ())),
        }


def _programs(origin: Origin) -> Iterator[Node]:
    yield {
        "@id": "#tonegap",
        "@type": "SoftwareApplication",
        "name": "tonegap",
        "softwareVersion": origin.version,
        "license": {"@id": "https://spdx.org/licenses/Apache-2.0"},
    }
    for one in origin.software:
        yield {
            "@id": one.id,
            "@type": "SoftwareApplication",
            "name": one.title or one.label,
            "identifier": one.label,
            "softwareVersion": f"environment {one.environment}",
        }


def _file(name: str, sha256: str) -> Node:
    path = PurePosixPath(name)
    kind, word = _KINDS.get(path.suffix, _UNKNOWN_KIND)
    about = _ABOUT.get(path.parts[0])
    return {
        "@id": quote(name),
        "@type": "File",
        "name": name,
        **({"description": f"{about} ({word})"} if about else {}),
        "encodingFormat": kind,
        **({"sha256": sha256} if sha256 else {}),
    }
