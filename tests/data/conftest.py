"""Tiny data sets of a user's own."""

from clinic_fixtures import (
    clinic,
    ddi,
    ddi_rows,
    fitzpatrick17k,
    phantom,
    picture,
    project,
    read_rows,
    real_csv,
    write_pictures,
)

__all__ = [
    "clinic",
    "ddi",
    "ddi_rows",
    "fitzpatrick17k",
    "phantom",
    "picture",
    "project",
    "read_rows",
    "real_csv",
    "write_pictures",
]
