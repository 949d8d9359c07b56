"""The environment variables of a stage, the same under every engine."""

from tonegap.numerics import Numerics, stage_numerics


def stage_variables(
    threads: int, temporary: str, device: str, numerics: Numerics = "native"
) -> dict[str, str]:
    """What every stage is told: nothing of the caller's but, for native numerics, the choice of kernels.

    `device` names the GPUs it may use as CUDA numbers them, with commas between, empty for none.
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
    return variables | stage_numerics(numerics)
