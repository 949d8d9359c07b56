"""A store that cannot be written: what only looks works all the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SHELL = """\
set -e
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
shift
exec "$@"
"""


def unshared(store: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The command line where `store` is mounted read-only, for root too."""
    argv = ["unshare", "-rm", "sh", "-c", _SHELL, "sh", store, sys.executable, "-m", "tonegap"]
    return subprocess.run([*map(str, argv + list(words))], capture_output=True, text=True)


def no_namespaces() -> bool:
    return (
        shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"]).returncode > 0
    )


@pytest.fixture
def store(rooms, tmp_path, tonegap):
    rooms.clinic(tmp_path / "download")
    rooms.suite(tasks=["clinic/two"], seeds=[0])
    where = ("--suite-root", rooms.root, "--root", tmp_path / "download")
    assert tonegap("run", "tiny", *where) == 0, tonegap.err
    return rooms.root / "runs"


def content(folder: Path) -> dict[str, int]:
    return {str(p): p.lstat().st_mtime_ns for p in sorted(folder.rglob("*"))}


@pytest.mark.skipif(no_namespaces(), reason="nothing can be mounted read-only here")
def test_plan_and_report_need_no_writable_store(store, rooms, tmp_path):
    before = content(store)
    where = ("--suite-root", rooms.root)
    data = (*where, "--root", tmp_path / "download")
    assert (unshared(store, "run", "tiny", *data).returncode, os.access(store, os.W_OK)) == (
        2,
        True,
    )
    done = unshared(store, "plan", "tiny", *data)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "tiny: 1 run, 1 cached\nnothing to run\n"
    # What was never indexed is looked at in a folder that is gone afterwards.
    shutil.rmtree(store / "index")
    before = {p: t for p, t in before.items() if "/index/" not in f"{p}/" and p != str(store)}
    done = unshared(store, "plan", "tiny", *data)
    assert (done.returncode, done.stdout) == (0, "tiny: 1 run, 1 cached\nnothing to run\n")
    done = unshared(store, "report", "tiny", "--out", tmp_path / "out", *where)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/index.html").is_file()
    after = content(store)
    assert {path: after[path] for path in before} == before
