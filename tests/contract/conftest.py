"""The project's own plug-ins on a small data set, see tests/support/quick_entries.py."""

from pathlib import Path

import pytest
from quick_entries import SmallProject, small_project
from tiny_rooms import tonegap

__all__ = ["tonegap"]


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusion pipeline with random weights."""
    # Here, since it loads torch and diffusers, which the tests of new plug-ins do without.
    from tiny_pipeline import build_pipeline

    return build_pipeline(tmp_path_factory.mktemp("pipeline") / "tiny")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, pipeline: Path) -> SmallProject:
    """For tests that add nothing to it but a suite."""
    return small_project(tmp_path_factory.mktemp("project"), pipeline)


@pytest.fixture
def own_project(tmp_path: Path) -> SmallProject:
    """For tests that add to it; without a pipeline."""
    return small_project(tmp_path, tmp_path / "no pipeline")
