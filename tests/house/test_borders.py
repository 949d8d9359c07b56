"""Borders between rooms that an import or a word could cross."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ENGINE = sorted((ROOT / "src").rglob("*.py"))
KIT = sorted((ROOT / "docker" / "kit").rglob("*.py"))

# What an extra brings, and the one file that asks for it.
_EXTRAS = {"mlflow": "mlflow_runs.py"}
# Ids that are words of the language or of the code as well.
_WORDS = {"none", "phantom"}


def imports(path: Path) -> Iterator[str]:
    """Top-level names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).split(".")[0]
        elif isinstance(node, ast.Call) and (name := named_import(node)):
            yield name.split(".")[0]


def named_import(call: ast.Call) -> str:
    """What a call such as `importlib.import_module("torch.nn")` imports, "" for another call or a name it computes."""
    function = ast.unparse(call.func).split(".")[-1]
    first = call.args[0] if call.args else None
    is_import = function in {"import_module", "__import__", "find_spec", "resolve_name"}
    is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return first.value if is_import and is_text else ""


def plugin_and_dataset_ids() -> set[str]:
    found = [*ROOT.glob("methods/*/method.toml"), *ROOT.glob("baselines/*/baseline.toml")]
    found += [
        *ROOT.glob("extractors/*/extractor.toml"),
        *ROOT.glob("postprocessors/*/postprocessor.toml"),
        *ROOT.glob("benchmarks/*/dataset.toml"),
    ]
    return {path.parent.name for path in found} - _WORDS


def test_the_engine_never_imports_what_only_stages_need():
    heavy = {"torch", "torchvision", "safetensors", "diffusers", "transformers", "tonegap_kit"}
    found = {path.name: heavy.intersection(imports(path)) for path in ENGINE}
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import torch.nn",
        "def f():\n    from torch import nn",
        'load = lambda: importlib.import_module("torch.nn")',
        '__import__("torch")',
    ],
)
def test_an_import_in_any_form_would_be_found(tmp_path, code):
    (tmp_path / "x.py").write_text(code)
    assert list(imports(tmp_path / "x.py")) == ["torch"]


def test_the_engine_imports_only_what_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    own = {"tonegap", *sys.stdlib_module_names, *_EXTRAS}
    outside = {name for path in ENGINE for name in imports(path)} - own
    distributions = packages_distributions()
    missing = {
        name for name in outside if not declared & set(map(canonicalize_name, distributions[name]))
    }
    assert missing == set()


@pytest.mark.parametrize("name", _EXTRAS)
def test_what_an_extra_brings_is_imported_by_one_file(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert name in project["optional-dependencies"]
    assert [path.name for path in ENGINE if name in imports(path)] == [_EXTRAS[name]]


@pytest.mark.parametrize("path", [*ENGINE, *KIT], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_plug_in_or_data_set_is_named_in_code(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert plugin_and_dataset_ids() & texts == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "reports/templates").glob("*.j2")), ids=lambda p: p.name
)
def test_no_plug_in_or_data_set_is_named_in_a_template(path):
    expressions = re.findall(r"\{[{%](.*?)[}%]\}", path.read_text(encoding="utf-8"), re.DOTALL)
    texts = {text for one in expressions for text in re.findall(r"[\"']([^\"']*)[\"']", one)}
    assert plugin_and_dataset_ids() & texts == set()


def test_only_tonegap_reaches_site_packages():
    try:
        installed = distribution("tonegap")
    except PackageNotFoundError:
        pytest.skip("tonegap is not installed")
    if "editable" in (installed.read_text("direct_url.json") or ""):
        pytest.skip("tonegap is installed editable; `tox -e tests` installs the wheel")
    tops = {file.parts[0] for file in installed.files or [] if file.parts[0] != ".."}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tonegap"}
    inside = {"/".join(file.parts[1:3]) for file in installed.files or []}
    assert {"suite_root/benchmarks", "suite_root/methods", "suite_root/docker"} <= inside


# The place that escapes; and what is a process of its own, whose words another one reads.
_SAYS = {"cli/terminal.py", "engines/launch.py", "engines/images/probe_in_image.py"}
PRINTS = {"click.echo", "click.secho", "print", "click as", "sys.stdout.write", "sys.stderr.write"}


def printing(source: str) -> list[str]:
    """Calls that print, past the one place that escapes what it prints."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    handed = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Attribute))
    named = [ast.unparse(call.func) for call in calls] + [ast.unparse(name) for name in handed]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "click":
            named += [f"click.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            named += [f"{a.name} as" for a in node.names if a.name == "click" and a.asname]
    return sorted({name for name in named if name in PRINTS})


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_printed_but_by_the_place_that_escapes(path):
    if path.relative_to(ROOT / "src/tonegap").as_posix() not in _SAYS:
        assert printing(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        *("click.echo(name)", "f(click.echo)", "print(name)"),
        *("from click import echo", "import click as c", "sys.stdout.write(name)"),
    ],
)
def test_a_print_of_a_command_s_own_would_be_found(line):
    assert len(printing(line)) == 1
