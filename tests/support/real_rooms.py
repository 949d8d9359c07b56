"""The real rooms as people use them: the command line on one suite root, and what it leaves in a store."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from images_root import PROJECT

from tonegap.declared.plugin import FOLDERS

TIME_LIMIT_S = 1800
ROOMS = ("benchmarks", "docker", "reports", *FOLDERS.values())
# The whole line is asked about, not how well it learns.
_FEW = (
    "baselines.epochs=2",
    "methods/skin-diff.inversion_steps=4",
    "methods/skin-diff.lora_steps=4",
    "methods/skin-diff.ratio=0.02",
    "methods/cgddi-semantic.inversion_steps=2",
    "methods/cgddi-semantic.lora_steps=2",
    "methods/cgddi-semantic.ratio=0.02",
)
SMALL = tuple(word for setting in _FEW for word in ("--set", setting))


class Program:
    """`tonegap` as people run it, on one suite root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *words: object) -> subprocess.CompletedProcess[str]:
        """A finished command."""
        program = shutil.which("tonegap", path=str(Path(sys.executable).parent))
        assert program is not None
        return subprocess.run(
            [program, *(str(word) for word in words), "--suite-root", str(self.root)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def done(self, *words: object) -> str:
        """What a command that must succeed said on standard error, where its account is."""
        finished = self(*words)
        assert finished.returncode == 0, finished.stderr
        return finished.stderr


def copied_rooms(root: Path) -> Program:
    """The command line on a copy of the rooms in a folder."""
    left_out = shutil.ignore_patterns("__pycache__", "*.lock.json", "archives")
    for room in ROOMS:
        shutil.copytree(PROJECT / room, root / room, ignore=left_out)
    shutil.copy(PROJECT / "pyproject.toml", root)
    return Program(root)


def marks(store: Path) -> list[dict]:
    """What the engine wrote down of each finished stage."""
    return [json.loads(path.read_text()) for path in (store / "stages").glob("*/*/stage.json")]


def predictions(store: Path) -> dict[str, tuple[str, object]]:
    """Digests of predictions and synthetic set by the record's name, which is its key."""
    found = {}
    for path in (store / "records").glob("*.json"):
        record = json.loads(path.read_text())
        made = record["synthetic"] and record["synthetic"]["sha256"]
        found[path.stem] = (record["predictions_sha256"], made)
    return found
