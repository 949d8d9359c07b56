"""The environment variables of a stage, the same under every engine."""

import os

# How the caller's linear algebra was told to choose its kernels: a result depends on it.
_NUMERICS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def stage_variables(threads: int, temporary: str, device: str) -> dict[str, str]:
    """What every stage is told: nothing of the caller's but the choice of numerical kernels.

    `device` is the GPU it may use as CUDA numbers them, empty for none.
    """
    variables = {
        "HOME": temporary,
        "TMPDIR": temporary,
        "USER": "runner",
        "LOGNAME": "runner",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "CUDA_VISIBLE_DEVICES": device,
    }
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        variables[name] = str(threads)
    return variables | {name: os.environ[name] for name in _NUMERICS if name in os.environ}
