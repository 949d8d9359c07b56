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


# What one plug-in alone uses and why it stays all the same; the list may only become shorter.
_CHECKED_TOGETHER = "held by a test to the function beside it, which others use"
LEFT = {
    "augment.random_operations": "in_turn and its table of operations are shared",
    "baseline.train_on_features": "the only door to the shared loop for networks with two inputs",
    "counts.cell_balanced_by": _CHECKED_TOGETHER,
    "counts.reweighing_by": _CHECKED_TOGETHER,
    "diffusion.checkpoint.drop_checkpoint": "beside what writes the checkpoint",
    "diffusion.healthy.Healthy": "beside paint_healthy, whose images it holds",
    "diffusion.healthy.healthy_rows": "as Healthy",
    "diffusion.healthy.paint_all": "as Healthy",
    "diffusion.healthy.read_healthy": "as Healthy",
    "diffusion.healthy.save_healthy": "as Healthy",
    "sampling.reweighing": _CHECKED_TOGETHER,
    "weight_saliency.mean_loss": "reads the images in the batches of that module",
}


def definitions(kit: Path) -> dict[str, set[str]]:
    """Public functions and classes of the kit by module and name, with all names that each of them uses."""
    found: dict[str, set[str]] = {}
    for module, path in modules_of(kit).items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node]
                for target in targets:
                    inner = getattr(target, "target", target)
                    name = getattr(inner, "name", None) or getattr(inner, "id", "")
                    found[f"{module.removeprefix(KIT + '.')}.{name}"] = set(words(node))
    return found


def words(node: ast.AST) -> Iterator[str]:
    """Names, attributes and names within texts (annotations) of a piece of code."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.alias):
            yield part.name.split(".")[-1]


def functions_not_shared(kit: Path, plugins: list[Path]) -> dict[str, set[str]]:
    """Public functions and classes that fewer than two plug-ins use, directly or by way of another.

    By name alone: a name that means two things counts for both, so nothing is named wrongly.
    """
    defined = definitions(kit)
    by_name: dict[str, set[str]] = {}
    for path, uses in defined.items():
        by_name.setdefault(path.rpartition(".")[2], set()).update(uses)
    used: dict[str, set[str]] = {name: set() for name in by_name}
    for plugin in plugins:
        trees = (ast.parse(path.read_text(encoding="utf-8")) for path in plugin.rglob("*.py"))
        waiting = [name for tree in trees for name in words(tree) if name in by_name]
        while waiting:
            name = waiting.pop()
            if plugin.name not in used[name]:
                used[name].add(plugin.name)
                waiting += by_name[name] & by_name.keys()
    return {
        path: used[name]
        for path in defined
        if len(used[name := path.rpartition(".")[2]]) < 2
        and not name.startswith("_")
        and not name.isupper()
    }


def test_every_function_of_the_kit_is_used_by_two_plug_ins():
    found = functions_not_shared(ROOT / "docker" / "kit", plugin_folders())
    assert found.keys() == LEFT.keys()


def test_a_function_that_one_plug_in_alone_uses_is_named_with_it(tmp_path):
    files = {
        f"{KIT}/shared.py": "def both(): return by_both()\ndef by_both(): ...\ndef alone(): ...\n",
        "one/train.py": f"from {KIT}.shared import alone, both\nalone()\nboth()\n",
        "two/train.py": f"from {KIT} import shared\nshared.both()\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = functions_not_shared(tmp_path, [tmp_path / "one", tmp_path / "two"])
    assert found == {"shared.alone": {"one"}}
