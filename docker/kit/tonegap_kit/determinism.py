"""The same bytes from the same job: seeds, algorithms and threads of torch, and the device.

Holds for the same thread count only: another number of threads adds in another order. On a CPU it
holds for the same kind of processor, and for all with AVX2 where the suite asks for portable numerics.
"""

import os
import random
from typing import Any

import numpy as np
import torch

from tonegap_kit.command import Stage, tell_device
from tonegap_kit.eager import without_compiler
from tonegap_kit.errors import StageError
from tonegap_kit.heap import keep_memory
from tonegap_kit.portable import be_portable


def make_deterministic(stage: Stage) -> torch.device:
    """The device the job asks for, with torch set up so that a run can be repeated exactly.

    Raises StageError for a device that is not there: a stage never falls back to a slower one.
    """
    # Read by cuBLAS when the first CUDA context is made, so it comes before anything else.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    be_portable()
    without_compiler()
    keep_memory()
    torch.set_num_threads(stage.job.threads)
    # What torch.use_deterministic_algorithms(True) does, without loading the compiler.
    torch.set_deterministic_debug_mode("error")
    # Every new tensor would be filled with NaN first: a tenth of a small network's training.
    checks: Any = torch.utils.deterministic
    checks.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    seed_everything(stage.seed_of("torch"))
    device = device_of(stage.job.device)
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        tell_device(f"GPU-{found.uuid} {found.name}, CUDA {torch.version.cuda}")
    return device


def device_of(name: str) -> torch.device:
    """The torch device called `cpu` or `cuda`."""
    if name not in {"cpu", "cuda"}:
        raise StageError(f"job.json: device is {name!r}, wanted 'cpu' or 'cuda'")
    if name == "cuda" and not torch.cuda.is_available():
        raise StageError("job.json: device is 'cuda', but torch finds no CUDA device here")
    return torch.device(name)


def seed_everything(seed: int) -> None:
    """Sets the global generators, which layers draw their weights and their dropout from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - for libraries that still use it
    torch.manual_seed(seed)


def generator(seed: int) -> torch.Generator:
    """A generator of its own for draws that must not depend on what a network draws."""
    return torch.Generator().manual_seed(seed)
