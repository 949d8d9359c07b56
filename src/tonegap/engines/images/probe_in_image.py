"""Run inside an image (its text is handed to that image's Python): prints what is there, as JSON.

Arguments: names of modules that must import, then `--`, then names of packages to tell the version of.
"""

import importlib
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path


def main() -> None:
    """Prints `{"versions": {"python": …, "machine": …, NAME: VERSION…}, "debian": {NAME: VERSION…}}`.

    Fails where a module does not import.
    """
    split = sys.argv.index("--")
    for module in sys.argv[1:split]:
        importlib.import_module(module)
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in sys.argv[split + 1 :]:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    sys.stdout.write(json.dumps({"versions": versions, "debian": debian_packages()}))


def debian_packages() -> "dict[str, str]":
    """Versions by name from the list that the base keeps; none where it keeps no list."""
    path = Path(os.environ.get("TONEGAP_ROOT", "/"), "etc/tonegap/apt.txt")
    try:
        with path.open(encoding="utf-8") as f:
            return dict(line.rstrip("\n").split("\t") for line in f)
    except FileNotFoundError:
        return {}


if __name__ == "__main__":
    main()
