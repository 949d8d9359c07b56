"""The wheels of a lock: fetched on the host, checked by hash, installed as the files of a layer.

The mistake it exists to prevent: an image that takes whatever an index offers that day.
"""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.records import InvalidRecordEntry
from installer.sources import WheelFile

from tonegap.errors import EngineError
from tonegap.files import sha256_file
from tonegap.untrusted import DAMAGE, reason

LARGE = 40 << 20  # bytes of a wheel that has a layer of its own
_GLIBC = range(5, 37)  # manylinux_2_5 (the first) to what Debian 12 has
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_HASHES = re.compile(
    r"^ {4}(?P<what>\S+)(?: from (?P<where>\S+))?.*:\n(?P<wanted>(?: +Expected .*\n)+) +Got +(?P<found>\w+)",
    re.MULTILINE,
)
# Parts of a wheel that go where all else in it goes.
_PLAIN = re.compile(r"^[^/]+\.data/(?:purelib|platlib|data)/")
_TOLD = re.compile(r"\s*(?:Downloading|Processing)\s+(?:\S*/)?([^/\s]+\.whl)( \([\d.]+ \w?B\))?")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on disk: its package, version, size in bytes, hex SHA-256."""

    path: Path
    name: str
    version: str
    size: int
    sha256: str


def fetch_wheels(
    lock: Path, python: str, machine: str, folder: Path, say: Callable[[str], None]
) -> list[Wheel]:
    """The wheels of a lock for a Python ("3.11") and a machine ("amd64"), by name, fetched into a folder.

    Raises EngineError with the installer's own words for a wheel that cannot be had, and naming one that
    is not what was locked, with both hashes.
    """
    abi = f"cp{python.replace('.', '')}"
    word = _MACHINES.get(machine, machine)
    argv = [
        *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check"),
        *("--progress-bar", "off", "--no-input"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)),
        *("--python-version", python, "--implementation", "cp", "--dest", str(folder)),
        *(word for tag in (abi, "abi3", "none") for word in ("--abi", tag)),
        *(part for minor in _GLIBC for part in ("--platform", f"manylinux_2_{minor}_{word}")),
        *("--platform", f"manylinux2014_{word}", "--platform", f"manylinux2010_{word}"),
        *("--platform", f"manylinux1_{word}", "--platform", f"linux_{word}"),
    ]
    env = {
        **os.environ,
        "PIP_CONSTRAINT": os.devnull,
    }  # the lock says all, whatever a machine wants
    complaints, text = [], ""
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=env
    ) as running:
        for line in running.stdout or ():
            text += line
            if told := _TOLD.match(line):
                say(f"fetching {told[1]}{told[2] or ''}")
            elif "ERROR" in line:
                complaints.append(line.strip())
    if running.returncode:
        said = _other_hashes(text) or " ".join(complaints)
        said = said or f"pip ended with code {running.returncode}"
        raise EngineError(f"{lock}: its wheels cannot be fetched: {said}")
    return [_wheel(path) for path in sorted(folder.glob("*.whl"))]


def in_layers(wheels: Sequence[Wheel]) -> list[list[Wheel]]:
    """Wheels by the layer that they share: each large one has its own, the largest lowest; then the rest."""
    large = sorted((one for one in wheels if one.size > LARGE), key=lambda one: -one.size)
    small = [one for one in wheels if one.size <= LARGE]
    return [*([one] for one in large), *([small] if small else [])]


def check_apart(wheels: Sequence[Wheel]) -> None:
    """Raises EngineError where two wheels have another file under one path: one would hide the other's in silence."""
    owners: dict[str, tuple[Wheel, int]] = {}
    for wheel in wheels:
        # A damaged one is told where it is put in place.
        with contextlib.suppress(*DAMAGE), ZipFile(wheel.path) as archive:
            for member in archive.infolist():
                path = _PLAIN.sub("", member.filename)
                owner, crc = owners.setdefault(path, (wheel, member.CRC))
                if crc != member.CRC:
                    raise EngineError(
                        f"{owner.path.name} and {wheel.path.name}: both have the file {path!r}, each another one; "
                        "take one of them out of the lock"
                    )


def install_wheel(wheel: Wheel, folder: Path) -> None:
    """Installs a wheel's files into a folder, as `pip install --target` would. Raises EngineError for a bad one."""
    places = {
        "purelib": str(folder),
        "platlib": str(folder),
        "data": str(folder),
        "scripts": str(folder / "bin"),
        "headers": str(folder / "include"),
    }
    target = SchemeDictionaryDestination(
        places, interpreter="/usr/bin/python3", script_kind="posix", overwrite_existing=True
    )
    try:
        with WheelFile.open(wheel.path) as source:
            install(source, target, {"INSTALLER": b"tonegap\n"})
    except (InstallerError, InvalidRecordEntry, AssertionError, *DAMAGE) as e:
        raise EngineError(
            f"{wheel.path.name}: a wheel that cannot be installed: {reason(e)}"
        ) from None


def _other_hashes(said: str) -> str:
    """The wheels that pip refuses for their hash: which, found, wanted; "" for none."""
    found = []
    for one in _HASHES.finditer(said):
        wanted = [line.split()[-1] for line in one["wanted"].splitlines()]
        more = f" or one of {len(wanted) - 1} more" if len(wanted) > 1 else ""
        name = (one["where"] or one["what"]).split("#")[0].rsplit("/", 1)[-1]
        found.append(f"{name}: found SHA-256 {one['found']}, wanted {wanted[0]}{more} as locked")
    return "; ".join(found)


def plain_name(package: str) -> str:
    """A package's name as indices compare it (PEP 503): lower case, one hyphen between its words."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _wheel(path: Path) -> Wheel:
    name, version = path.name.split("-")[:2]
    return Wheel(path, name.replace("_", "-"), version, path.stat().st_size, sha256_file(path))
