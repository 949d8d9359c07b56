"""The environment under which arithmetic gives the same bytes on every x86 processor with AVX2.

Linear algebra and vectorised functions choose their kernels by the processor they run on, and other kernels round in
other places. The mistake it exists to prevent: two machines that disagree by points, and nobody knows why.
"""

import functools
import os
import platform
from pathlib import Path
from typing import Literal

Numerics = Literal["portable", "native"]

# Read by numpy, scipy and their OpenBLAS when they are loaded.
_NUMPY = {"OPENBLAS_CORETYPE": "Haswell"}
# The same, where there is something to disable: numpy warns of what is not there. Names before and since 2.4.
_NUMPY_512 = {
    "NPY_DISABLE_CPU_FEATURES": (
        "AVX512F,AVX512CD,AVX512_SKX,AVX512_CLX,AVX512_CNL,AVX512_ICL,AVX512_SPR,X86_V4"
    )
}
# MKL takes AVX2 on processors of one maker alone; COMPATIBLE is the setting that all of them follow.
_TORCH = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
}
# How the caller's linear algebra was told to choose its kernels: a native result depends on it.
_CALLERS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
_X86 = {"x86_64", "amd64"}
_before: dict[str, str] = {}


def can_be_portable() -> bool:
    """Whether this processor has what portable arithmetic is built from: x86 with AVX2 and FMA."""
    return platform.machine().lower() in _X86 and {"avx2", "fma"} <= _flags()


def cores() -> int:
    """How many processors this process may use, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def numerics_of(wanted: Numerics, device: str) -> Numerics:
    """What a stage on this machine and device has when a suite wants it; no GPU is portable."""
    return (
        "portable" if wanted == "portable" and device == "cpu" and can_be_portable() else "native"
    )


def stage_numerics(numerics: Numerics) -> dict[str, str]:
    """The variables of a stage: the portable ones, or the caller's own choice of kernels."""
    if numerics == "portable":
        return {"TONEGAP_NUMERICS": "portable", **_of_numpy(), **_TORCH}
    callers = {**os.environ, **_before}
    return {name: callers[name] for name in _CALLERS if callers.get(name)}


def settle() -> None:
    """Makes the arithmetic of this process and its children portable; before numpy is imported, or without effect.

    Drawing, packs, quality sheets and scores are made in this process, for portable and native suites alike.
    """
    if not can_be_portable() or _before:
        return
    _before.update({name: os.environ.get(name, "") for name in _CALLERS})
    os.environ.update(_of_numpy())
    # Sums depend on how many threads share them.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"


def _of_numpy() -> dict[str, str]:
    return _NUMPY | (_NUMPY_512 if "avx512f" in _flags() else {})


@functools.cache
def _flags() -> frozenset[str]:
    """What the processor can do, in the kernel's words; nothing where it does not say."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as f:
            line = next((line for line in f if line.startswith("flags")), "")
    except OSError:
        line = ""
    return frozenset(line.split())
