"""A file of pretrained weights as tensors by name, without running anything that the file says.

Reads safetensors and torch's own format. The engine has checked the file's digest; what is checked
here is that it holds tensors.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tonegap_kit.errors import StageError


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Raises StageError if the file is no table of tensors."""
    return named_tensors(path, read_table(path))


def read_table(path: Path) -> dict[Any, Any]:
    """What a file of weights has at its top, of whatever kind; empty where it has no names. Raises StageError."""
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


def named_tensors(path: Path, table: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The table of a file, if it is one of tensors with plain numbers by name. Raises StageError for any other."""
    if not table or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in table.items()
    ):
        raise StageError(f"{path}: holds something other than named tensors, wanted a state dict")
    for name, value in table.items():
        if kind := _unreadable(value):
            raise StageError(f"{path}: {name} is {kind}, wanted a tensor of plain numbers")
    return dict(table)


def _unreadable(value: Tensor) -> str:
    """What of a tensor keeps its numbers from being read as they are; empty where nothing does."""
    if value.is_quantized:
        return "quantised"
    if value.is_meta:
        return "without numbers (on the device 'meta')"
    if value.layout != torch.strided:
        return f"sparse ({value.layout})"
    eighth = value.is_floating_point() and value.dtype.itemsize == 1  # fp8 has no arithmetic
    return f"of the kind {value.dtype}" if eighth or value.is_complex() else ""


def _read_torch(path: Path) -> dict[Any, Any]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # torch's own words advise to run what the file says
        raise StageError(
            f"{path}: cannot be read as weights alone: it is no archive of tensors, or holds code that is not run; "
            "wanted a state dict, best as safetensors"
        ) from None
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as problem:
        reason = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise StageError(f"{path}: cannot be read as weights alone: {reason}") from None
    return dict(found) if isinstance(found, dict) else {}


def _read_safetensors(path: Path) -> dict[Any, Any]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as problem:
        raise StageError(f"{path}: is no valid safetensors file: {problem}") from None
