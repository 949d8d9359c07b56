"""Metadata to split."""

from split_fixtures import (
    ddi,
    ddi_root,
    eight,
    fitzpatrick17k,
    fitzpatrick17k_root,
    project,
    small,
    write_task,
)

__all__ = [
    "ddi",
    "ddi_root",
    "eight",
    "fitzpatrick17k",
    "fitzpatrick17k_root",
    "project",
    "small",
    "write_task",
]
