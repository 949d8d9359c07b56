"""Python's search for cycles, held back while a report reads its records.

A board is millions of small values without a cycle. Looking for cycles among them again and again takes longer
than making them.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """No search inside; afterwards none among what was made inside and is still there."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.enable()
