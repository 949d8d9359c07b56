"""A good bundle turned into a damaged, forged or swollen one, under a manifest and a crate that fit."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.files import sha256_bytes

# Runs the command line once for each line of JSON that it is given, and says what came of it and how many MiB the
# process took at most: not `ru_maxrss`, in which a child inherits its parent's.
_MEASURED = """
import contextlib, io, json, sys
from pathlib import Path
from tonegap.cli.main import main
for line in sys.stdin:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(json.loads(line))
        except SystemExit as e:
            code = e.code
    (peak,) = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    print(json.dumps([code, said.getvalue(), int(peak.split()[1]) >> 10]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """What a command came to: `peak` in MiB, of its process so far."""

    code: int
    said: str
    peak: int


def contents(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def fitted(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with digests in manifest and crate that fit them, as whoever forges a bundle would see to."""
    files = dict(files)
    manifest = json.loads(files.pop("bundle.json"))
    graph = json.loads(files.pop("ro-crate-metadata.json"))
    digests = {name: sha256_bytes(content) for name, content in files.items()}
    for node in graph["@graph"]:
        if "sha256" in node and node["@id"] in digests:
            node["sha256"] = digests[node["@id"]]
    crate = json.dumps(graph).encode()
    manifest["files"] = {**digests, "ro-crate-metadata.json": sha256_bytes(crate)}
    return {
        "bundle.json": json.dumps(manifest).encode(),
        **files,
        "ro-crate-metadata.json": crate,
    }


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def place(files: dict[str, bytes], start: str, end: str = "") -> str:
    """The one file whose name begins and ends so."""
    (found,) = [name for name in files if name.startswith(start) and name.endswith(end)]
    return found


def measured(*commands: Sequence[object]) -> list[Ended]:
    """What each command came to, one after the other in one process. A traceback ends it, and so the test."""
    lines = "".join(json.dumps([str(word) for word in words]) + "\n" for words in commands)
    ended = subprocess.run(
        [sys.executable, "-c", _MEASURED],
        input=lines,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    found = [Ended(*json.loads(line)) for line in ended.stdout.splitlines()]
    assert len(found) == len(commands), f"{commands[len(found)]}: {ended.stderr}"
    return found
