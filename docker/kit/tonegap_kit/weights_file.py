"""A file of pretrained weights as tensors by name, without running anything that the file says.

Reads safetensors and torch's own format. The engine has checked the file's digest; what is checked
here is that it holds tensors.
"""

import json
import math
import pickle
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tonegap_kit.errors import StageError

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Raises StageError if the file is no table of tensors."""
    tensors = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not tensors or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise StageError(f"{path}: holds something other than named tensors, wanted a state dict")
    return tensors


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as problem:
        reason = str(problem).splitlines()[0]
        raise StageError(f"{path}: cannot be read as weights alone: {reason}") from None
    return dict(found) if isinstance(found, dict) else {}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Source: the format's own page: 8 bytes length, a JSON header, then the tensors' bytes."""
    try:
        content = bytearray(path.read_bytes())
        (length,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        return {name: _tensor(content, 8 + length, entry) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as problem:
        raise StageError(f"{path}: is no valid safetensors file: {problem!r}") from None


def _tensor(content: bytearray, start: int, entry: dict[str, Any]) -> Tensor:
    kind, shape = _TYPES[entry["dtype"]], entry["shape"]
    begin, end = (start + int(offset) for offset in entry["data_offsets"])
    count = math.prod(shape)
    if not start <= begin <= end <= len(content) or end - begin != count * kind.itemsize:
        raise ValueError("a tensor lies outside of the file")
    if count == 0:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(content, dtype=kind, count=count, offset=begin).reshape(shape).clone()
