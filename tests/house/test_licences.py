"""Under what licences tonegap's dependencies are used: those installed here, by their own metadata."""

import importlib.util
from pathlib import Path

import pytest

_FILE = Path(__file__).parents[2] / "requirements" / "licences.py"
_SPEC = importlib.util.spec_from_file_location("licences", _FILE)
report = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(report)


def test_every_dependency_is_here_and_of_a_kind_that_is_listed():
    found, missing = report.licences()
    assert missing == []
    assert [f"{one.name}: {one.licence}" for one in found if not one.kind] == []
    assert {"numpy", "torch", "diffusers", "timm", "mlflow-skinny"} <= {one.name for one in found}


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("MIT", "permissive"),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", "permissive"),
        ("MPL-2.0 AND MIT", "weak copyleft, by file and permissive"),
        ("LicenseRef-NVIDIA-Proprietary", "of NVIDIA, with its GPU libraries"),
        ("GPL-3.0-only", ""),
        ("MIT AND AGPL-3.0", ""),
        ("GNU General Public License v3 (GPLv3)", ""),
        ("Limited use, by permission", ""),
        ("", ""),
    ],
)
def test_a_licence_that_is_not_listed_is_noticed(licence, kind):
    assert report.Found("some", "1", licence, "tonegap").kind == kind
