"""A file of pretrained weights as tensors by name, without running anything that the file says.

Reads safetensors and torch's own format. The engine has checked the file's digest; what is checked
here is that it holds tensors.
"""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tonegap_kit.errors import StageError


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Raises StageError if the file is no table of tensors."""
    tensors = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not tensors or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise StageError(f"{path}: holds something other than named tensors, wanted a state dict")
    return tensors


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # torch's own words advise to run what the file says
        raise StageError(
            f"{path}: cannot be read as weights alone: it is no archive of tensors, or holds code that is not run; "
            "wanted a state dict, best as safetensors"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError) as problem:
        reason = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise StageError(f"{path}: cannot be read as weights alone: {reason}") from None
    return dict(found) if isinstance(found, dict) else {}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as problem:
        raise StageError(f"{path}: is no valid safetensors file: {problem}") from None
