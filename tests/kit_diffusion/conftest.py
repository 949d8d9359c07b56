"""One tiny random pipeline for all tests of this folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_pipeline import SIDE, build_pipeline

from tonegap_kit.diffusion.models import Models, open_models

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def pipeline_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_pipeline(tmp_path_factory.mktemp("pipeline") / "tiny")


@pytest.fixture(scope="session")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that predicts noise and is sampled by PNDM, as Stable Diffusion is."""
    return build_pipeline(tmp_path_factory.mktemp("pipeline") / "plain", "eps-pndm")


@pytest.fixture
def models(pipeline_folder: Path) -> Models:
    """Fresh parts for each test: learned placeholders are added to them."""
    return open_models(pipeline_folder, CPU)


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Six images of plain colours with a spot."""
    rng = np.random.default_rng(3)
    found = np.empty((6, SIDE, SIDE, 3), np.uint8)
    found[:] = rng.integers(40, 200, (6, 1, 1, 3))
    found[:, 10:20, 8:18] = rng.integers(0, 255, (6, 1, 1, 3))
    return found
