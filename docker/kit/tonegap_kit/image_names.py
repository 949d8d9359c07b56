"""Names that file names and sets made elsewhere give to training images, and which image each of them means.

The engine's `synthetic/source_names.py` knows all images of a data set; tests hold that both mean the same.
The mistakes they exist to prevent: two images under one name, and a name that its own reader does not know again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

# What image files are called.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".webp", ".avif", ".avifs", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
)


def spelled(text: str) -> str:
    """The text as a part of a file's name: what is no letter, digit, dot, hyphen or underscore is an underscore."""
    return re.sub(r"[^\w.-]+", "_", text)


def ids_by_name(ids: Iterable[str]) -> dict[str, str]:
    """The id that each name means: an id itself, and one without its suffix or as `spelled`, where no other is so."""
    named: dict[str, set[str]] = defaultdict(set)
    own = {image_id: image_id for image_id in ids}
    for image_id in own:
        for name in (
            without_suffix(image_id),
            spelled(image_id),
            spelled(without_suffix(image_id)),
        ):
            named[name].add(image_id)
    return {name: next(iter(meant)) for name, meant in named.items() if len(meant) == 1} | own


def without_suffix(name: str) -> str:
    """The name without the suffix of an image file; whole where it ends otherwise, or is nothing else."""
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and dot + suffix.lower() in SUFFIXES else name
