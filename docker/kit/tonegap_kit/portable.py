"""Elementary functions of torch with the same bytes on every x86 processor that has AVX2 and FMA.

On a CPU torch hands some functions to MKL's vector library, which starts from the processor's own approximations of 1/x
and 1/sqrt(x); those differ between makers. numpy's have no such start: its root is the correctly rounded one. They are
put in torch's place for Python and C++ callers alike, so that optimisers, distances and samplers of libraries follow.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tonegap_kit.errors import StageError

_VARIABLE = "TONEGAP_NUMERICS"
_ROOT: Any = np.sqrt
_FUNCTIONS: dict[str, Any] = {
    "sqrt": _ROOT,
    "atan": np.arctan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "log2": np.log2,
    "log10": np.log10,
}
_kept: list[torch.library.Library] = []  # an override lasts as long as its library


def be_portable() -> None:
    """Makes torch portable where the engine asks for that; the engine set the rest before torch was loaded.

    Raises StageError for a torch that is too old.
    """
    if os.environ.get(_VARIABLE) != "portable" or _kept:
        return
    if not hasattr(torch.library, "get_kernel"):
        raise StageError(
            f"torch {torch.__version__} is too old for portable numerics; use a newer one, "
            'or numerics = "native" in the suite'
        )
    library = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    _override(library)
    _kept.append(library)


def _override(library: torch.library.Library) -> None:
    for name, function in _FUNCTIONS.items():
        of = _by_numpy(function)
        _put(library, name, of)
        _put(library, f"{name}_", lambda x, of=of: x.copy_(of(x)))
        _put(library, f"{name}.out", lambda x, *, out, of=of: _into(out, of(x)))
    root = _by_numpy(_ROOT)
    _put_power(library, "pow.Tensor_Scalar", lambda x: root(x))
    _put_power(library, "pow.Tensor_Scalar_out", lambda x, *, out: _into(out, root(x)))
    _put_power(library, "pow_.Scalar", lambda x: x.copy_(root(x)))


def _put_power(library: torch.library.Library, name: str, of: Callable[..., Tensor]) -> None:
    """`x ** 0.5` is torch's root by another name; other powers stay torch's."""
    before = torch.library.get_kernel(f"aten::{name}", "CPU")

    def power(keys: Any, x: Tensor, exponent: Any, **out: Tensor) -> Tensor:
        if exponent == 0.5:
            return of(x, **out)
        found: Tensor = before.call_boxed(keys, x, exponent, **out)
        return found

    library.impl(name, power, "CPU", with_keyset=True)  # type: ignore[no-untyped-call]


def _put(library: torch.library.Library, name: str, function: Callable[..., Tensor]) -> None:
    library.impl(name, function, "CPU")  # type: ignore[no-untyped-call]


def _by_numpy(function: Any) -> Callable[[Tensor], Tensor]:
    def of(x: Tensor) -> Tensor:
        if not (x.is_floating_point() or x.is_complex()):
            x = x.to(torch.get_default_dtype())
        narrow = x.dtype in {torch.float16, torch.bfloat16}
        with np.errstate(all="ignore"):  # torch gives nan and inf without a word
            found = function(
                (x.float() if narrow else x).detach().resolve_conj().resolve_neg().numpy()
            )
        return torch.as_tensor(found).to(x.dtype)

    return of


def _into(out: Tensor, found: Tensor) -> Tensor:
    if out.shape != found.shape:
        out.resize_(found.shape)
    return out.copy_(found)
