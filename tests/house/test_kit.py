"""The kit holds what plug-ins share: what one of them alone uses is in its folder, and so in its keys alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
KIT = "tonegap_kit"


def modules_of(kit: Path) -> dict[str, Path]:
    """The kit's modules by their dotted name; packages themselves say nothing of their own."""
    return {
        ".".join(path.relative_to(kit).with_suffix("").parts): path
        for path in sorted((kit / KIT).rglob("*.py"))
        if path.name != "__init__.py"
    }


def imported(source: str) -> Iterator[str]:
    """Dotted names that a file may have imported, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def users(kit: Path, plugins: list[Path]) -> dict[str, set[str]]:
    """The plug-ins that use each module of the kit, directly or by way of another module."""
    modules = modules_of(kit)
    needs = {
        name: set(imported(path.read_text(encoding="utf-8"))) & modules.keys()
        for name, path in modules.items()
    }
    found: dict[str, set[str]] = {name: set() for name in modules}
    for plugin in plugins:
        text = (path.read_text(encoding="utf-8") for path in plugin.rglob("*.py"))
        waiting = [name for source in text for name in imported(source) if name in modules]
        while waiting:
            name = waiting.pop()
            if plugin.name not in found[name]:
                found[name].add(plugin.name)
                waiting += needs[name]
    return found


def not_shared(kit: Path, plugins: list[Path]) -> dict[str, set[str]]:
    """Modules of the kit that fewer than two plug-ins use, and which one does."""
    return {name: used for name, used in users(kit, plugins).items() if len(used) < 2}


def plugin_folders() -> list[Path]:
    """The folders of all plug-ins that have code."""
    rooms = (ROOT / name for name in ("methods", "baselines", "extractors", "postprocessors"))
    return sorted({path.parent for room in rooms for path in room.glob("*/*.py")})


def test_every_module_of_the_kit_is_used_by_two_plug_ins():
    assert not_shared(ROOT / "docker" / "kit", plugin_folders()) == {}


def test_a_module_that_one_plug_in_alone_uses_is_named_with_it(tmp_path):
    files = {
        f"{KIT}/shared.py": f"from {KIT}.deep import x\n",
        f"{KIT}/deep.py": "",
        f"{KIT}/alone.py": f"import {KIT}.part\n",
        f"{KIT}/part.py": "",
        f"{KIT}/nobody.py": "",
        "one/train.py": f"def f():\n    from {KIT} import alone, shared\n",
        "one/other.py": f"from {KIT}.alone import x\n",
        "two/train.py": f"import {KIT}.shared\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert not_shared(tmp_path, [tmp_path / "one", tmp_path / "two"]) == {
        f"{KIT}.alone": {"one"},
        f"{KIT}.part": {"one"},
        f"{KIT}.nobody": set(),
    }


def test_the_kits_readme_names_its_modules_and_no_others():
    text = (ROOT / "docker" / "kit" / "README.md").read_text(encoding="utf-8")
    first, second = text.split("| module of `diffusion/` |")
    named = [f"{KIT}.{name}" for name in _named(first.split("| module |")[1])]
    named += [f"{KIT}.diffusion.{name}" for name in _named(second)]
    assert sorted(named) == sorted(modules_of(ROOT / "docker" / "kit"))  # each once


def _named(table: str) -> list[str]:
    cells = (line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
