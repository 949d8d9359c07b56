"""Memory that a stage has once had stays with it: a training step finds what the step before it used.

glibc gives a large block back to the system as soon as it is free. Each step then asks for all of it again, and the
kernel clears every page: 4 to 13 % of a training's processor time on a CPU. No number depends on where memory lies.
"""

import ctypes

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_memory() -> bool:
    """Keeps freed memory for the next use; whether the C library can. glibc can, others are left as they are."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
