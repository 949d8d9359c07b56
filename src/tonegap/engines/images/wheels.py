"""The wheels of a lock, fetched on the host and checked by hash: builds have no network.

The mistake it exists to prevent: a build that takes whatever an index offers that day.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tonegap.errors import EngineError
from tonegap.files import digest_of, sha256_file

_GLIBC = range(5, 36)  # manylinux_2_5 (the first) to what Debian 12 and Ubuntu 22.04 have
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def wheelhouse(locks: Sequence[Path], python: str, machine: str, cache: Path) -> dict[str, Path]:
    """The wheels of the locks for a Python ("3.11") and a machine ("amd64"), by file name.

    Kept in the cache by the locks' content. Raises EngineError with the installer's own words for a
    wheel that cannot be had, or is not the one that was locked.
    """
    key = digest_of([python, machine, [sha256_file(path) for path in locks]])
    folder = cache / "wheels" / key[:24]
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
        try:
            for lock in locks:
                _download(lock, python, machine, aside)
            aside.replace(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return {path.name: path for path in sorted(folder.glob("*.whl"))}


def _download(lock: Path, python: str, machine: str, folder: Path) -> None:
    abi = f"cp{python.replace('.', '')}"
    word = _MACHINES.get(machine, machine)
    argv = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)),
        *("--python-version", python, "--implementation", "cp", "--dest", str(folder)),
        *(word for tag in (abi, "abi3", "none") for word in ("--abi", tag)),
        *(part for minor in _GLIBC for part in ("--platform", f"manylinux_2_{minor}_{word}")),
        *("--platform", f"manylinux2014_{word}", "--platform", f"manylinux2010_{word}"),
        *("--platform", f"manylinux1_{word}", "--platform", f"linux_{word}"),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(line.strip() for line in done.stderr.splitlines() if "ERROR" in line)
        raise EngineError(f"{lock}: its wheels cannot be fetched: {said or done.stderr.strip()}")
