"""Reads what was worked out before, or works it out again: a cache only saves time, so a damaged one is made anew."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from tonegap.errors import StoreError

T = TypeVar("T")


def read_kept(read: Callable[[], T], *damage: type[Exception]) -> T | None:
    """What `read` finds of work that was done before; None where it is not there or damaged, and so to be done again.

    Damage is what files, seals, JSON and tables raise, and the exceptions named.
    """
    usual = (OSError, KeyError, UnicodeDecodeError, StoreError, msgspec.MsgspecError)
    try:
        return read()
    except usual + damage:
        return None


def kept_or_made(
    read: Callable[[], T | None],
    make: Callable[[], T],
    keep: Callable[[T], object],
    *damage: type[Exception],
) -> T:
    """What `read_kept` finds, else what `make` gives and `keep` writes for the next time; what both raise passes."""
    found = read_kept(read, *damage)
    if found is None:
        found = make()
        keep(found)
    return found
