"""Makes a method, a baseline or a suite root of one's own from templates, ready to run."""

import shutil
from contextlib import ExitStack
from pathlib import Path

from tonegap.declared.plugin import FOLDERS, PLUGIN_ID
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.files import remove_contents

TEMPLATES = Path("docker/templates")
_LONGEST = 80


def new_plugin(root: Path, kind: str, plugin_id: str) -> Path:
    """The folder of the new plug-in; `{{title}}` in its files has become its name in words.

    Raises BadRequest for a name that is no id, one of more than 80 letters, or one that is taken.
    """
    if not PLUGIN_ID.fullmatch(plugin_id):
        raise BadRequest(
            f"{plugin_id!r} is no name for a {kind}; wanted lower-case words joined by hyphens"
        )
    if len(plugin_id) > _LONGEST:
        raise BadRequest(
            f"{plugin_id[:20]}…: {len(plugin_id)} letters are no name for a {kind}; wanted at most {_LONGEST}"
        )
    target = root / FOLDERS[kind] / plugin_id
    if target.exists():
        raise BadRequest(f"{target}: exists already; choose another name")
    template = root / TEMPLATES / kind
    if not template.is_dir():
        raise BadSuiteFolder(f"{template}: missing; take it from the source of tonegap")
    shutil.copytree(template, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    title = plugin_id.replace("-", " ").capitalize()
    for path in target.iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("{{title}}", title), encoding="utf-8")
    return target


_METHOD = "my-method"
_FOLDERS = ("benchmarks", *FOLDERS.values(), "docker", "reports")
# Of a clone: images that were built there, and their lock.
_OWN = shutil.ignore_patterns("__pycache__", "*.pyc", "archives", "images.lock.json", "golden")


def new_root(source: Path, target: Path) -> list[Path]:
    """Makes a suite root in a folder that is empty or not there; returns what there is to change, below it.

    Raises BadRequest for a folder that holds something, or cannot be written, and for a source that has a method of the
    template's name. What was made is removed where it cannot be made whole.
    """
    template = source / TEMPLATES / "root"
    if not template.is_dir():
        raise BadSuiteFolder(f"{template}: missing; take it from the source of tonegap")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadRequest(f"{target}: holds something already; name an empty folder")
    if (source / FOLDERS["method"] / _METHOD).exists():
        raise BadRequest(
            f"{source}: has a method {_METHOD} already; leave out --suite-root to take what tonegap ships"
        )
    with ExitStack() as undo:
        undo.callback(remove_contents, target)
        try:
            for name in _FOLDERS:
                shutil.copytree(source / name, target / name, ignore=_OWN)
            shutil.copytree(template, target, dirs_exist_ok=True)
            (target / "pyproject.toml").write_text("[tool.tonegap]\n", encoding="utf-8")
            (target / ".gitignore").write_text("/runs/\n__pycache__/\n", encoding="utf-8")
            method = new_plugin(target, "method", _METHOD)
        except OSError as e:
            raise BadRequest(f"{e.filename or target}: cannot be written: {e.strerror}") from None
        undo.pop_all()
    made = [p.relative_to(template) for p in sorted(template.rglob("*.toml"))]
    return [*made, *(p.relative_to(target) for p in sorted(method.iterdir()))]
