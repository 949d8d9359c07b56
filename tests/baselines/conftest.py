"""The toy of `tests/plugins`, and the modules and stages that losses are tested with."""

import runpy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from programs import importable
from torch import Tensor

from tonegap_kit.command import Stage
from tonegap_kit.job import Job
from tonegap_kit.training import Batch

from ..plugins.conftest import ROOT, run_here, toy

__all__ = ["run_here", "toy"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@cache
def plugin(name: str) -> dict[str, Any]:
    """What the program of a baseline defines; the same classes each time it is asked."""
    with importable(ROOT / "baselines" / name):
        return runpy.run_path(str(ROOT / "baselines" / name / "train.py"))


def stage_of(classes: int = 2, tones: int = 2, **parameters: Any) -> Stage:
    """A stage of a task with so many classes and tones, to build networks by."""
    job = Job(
        stage="train",
        task="toy/task",
        classes=tuple("abcd"[:classes]),
        positive=(),
        tones=("I", "II", "III", "IV", "V", "VI")[:tones],
        seed=0,
        size_px=32,
        geometry="crop",
        parameters={"head": "linear", "width": 8, "tone_outputs": 0} | parameters,
        device="cpu",
        threads=1,
        time_limit_s=60,
    )
    return Stage(job, Path("in"), Path("out"))


def batch_of(x: Tensor, y: list[int], t: list[int]) -> Batch:
    """A batch whose rows all weigh 1."""
    return Batch(x, torch.tensor(y), torch.tensor(t), torch.ones(len(x)), torch.arange(len(x)))
