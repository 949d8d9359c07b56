"""A suite root of one's own: what tonegap ships, and templates of a data set, a task, a suite and a method."""

import shutil
from pathlib import Path

from tonegap.declared.new import TEMPLATES, new_plugin
from tonegap.errors import BadRequest, BadRoom

_FOLDERS = ("benchmarks", "methods", "baselines", "extractors", "docker", "reports")
# Of a clone: images that were built there, and their lock.
_OWN = shutil.ignore_patterns("__pycache__", "*.pyc", "archives", "images.lock.json", "golden")


def new_root(source: Path, target: Path) -> list[Path]:
    """Makes a suite root in a folder that is empty or not there; returns what there is to change, below it.

    Raises BadRequest for a folder that holds something, or cannot be written.
    """
    template = source / TEMPLATES / "root"
    if not template.is_dir():
        raise BadRoom(f"{template}: missing; take it from the source of tonegap")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadRequest(f"{target}: holds something already; name an empty folder")
    try:
        for name in _FOLDERS:
            shutil.copytree(source / name, target / name, ignore=_OWN)
        shutil.copytree(template, target, dirs_exist_ok=True)
        (target / "pyproject.toml").write_text("[tool.tonegap]\n", encoding="utf-8")
        (target / ".gitignore").write_text("/runs/\n__pycache__/\n", encoding="utf-8")
        method = new_plugin(target, "method", "my-method")
    except OSError as e:
        raise BadRequest(f"{e.filename or target}: cannot be written: {e.strerror}") from None
    made = [p.relative_to(template) for p in sorted(template.rglob("*.toml"))]
    return [*made, *(p.relative_to(target) for p in sorted(method.iterdir()))]
