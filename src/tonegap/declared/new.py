"""A new method or baseline from the template of its kind, ready to run."""

import shutil
from pathlib import Path

from tonegap.declared.plugin import FOLDERS, PLUGIN_ID
from tonegap.errors import BadRequest, BadRoom

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
        raise BadRoom(f"{template}: missing; take it from the source of tonegap")
    shutil.copytree(template, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    title = plugin_id.replace("-", " ").capitalize()
    for path in target.iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("{{title}}", title), encoding="utf-8")
    return target
