"""Reads a suite root and images by tone that were given in Python, or says in one sentence what was wanted.

The mistake it exists to prevent: a traceback from deep inside for an argument of another kind.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tonegap.errors import BadRequest
from tonegap.split.frame import path_of, root_in_python


def root_of(suite_root: object) -> Path:
    """The suite root that an argument names, else that of the command line. Raises BadRequest, BadSuiteFolder."""
    return root_in_python(None if suite_root is None else path_of(suite_root, "suite_root"))


def images_by(images: object, what: str) -> dict[str, Any]:
    """Images by tone or column, given as a mapping or a pandas Series. Raises BadRequest for anything else."""
    if type(images).__name__ == "Series" and hasattr(images, "to_dict"):
        images = images.to_dict()
    if not isinstance(images, Mapping):
        raise BadRequest(
            f"{what}: found a {type(images).__name__}, wanted a dict of images by name such as {{'V-VI': 43}}"
        )
    return {str(name): n for name, n in images.items()}
