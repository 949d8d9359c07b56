"""Parameters that several plug-ins take from one file beside their folders."""

from pathlib import Path

import pytest

from tonegap.declared.plugin import read_plugin
from tonegap.errors import BadSuiteFolder

SHARED = """
[parameters.epochs]
default = 20
about = "passes"

[parameters.batch]
default = 64
about = "images in a step"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "baselines" / "plain").mkdir(parents=True)
    (tmp_path / "baselines" / "shared.toml").write_text(SHARED)
    return tmp_path


def _write(root: Path, lines: str) -> None:
    (root / "baselines" / "plain" / "baseline.toml").write_text(
        f'title = "Plain"\nabout = "for tests"\ncommand = ["true"]\nstages = ["train"]\n{lines}'
    )


def test_a_plug_in_has_the_shared_parameters_and_its_own_win(root: Path) -> None:
    _write(
        root,
        'parameters_from = "shared.toml"\n[parameters.batch]\ndefault = 8\nabout = "few"\n'
        '[parameters.alpha]\ndefault = 0.5\nabout = "own"\n',
    )
    found = read_plugin(root, "baseline", "plain").file.parameters
    assert {name: spec.default for name, spec in found.items()} == {
        "epochs": 20,
        "batch": 8,
        "alpha": 0.5,
    }


def test_without_the_key_nothing_is_shared(root: Path) -> None:
    _write(root, "")
    assert read_plugin(root, "baseline", "plain").file.parameters == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.toml", r"baselines/none.toml: no such file"),
        ("../shared.toml", r"plain/baseline.toml: parameters_from: found '../shared.toml', wanted"),
        ("plain/baseline.toml", r"parameters_from: found 'plain/baseline.toml', wanted the name"),
    ],
)
def test_a_shared_file_lies_beside_the_folders(root: Path, name: str, said: str) -> None:
    _write(root, f'parameters_from = "{name}"\n')
    with pytest.raises(BadSuiteFolder, match=said):
        read_plugin(root, "baseline", "plain")


def test_a_shared_file_holds_parameters_and_nothing_else(root: Path) -> None:
    (root / "baselines" / "shared.toml").write_text(SHARED + 'title = "x"\n[more]\n')
    _write(root, 'parameters_from = "shared.toml"\n')
    with pytest.raises(BadSuiteFolder, match=r"shared\.toml"):
        read_plugin(root, "baseline", "plain")
