"""Names that file names and sets made elsewhere give to training images and to labels, and what each of them means.

The engine's `synthetic/source_names.py` has the same rules and knows all images of a data set; tests hold both equal.
The mistakes they exist to prevent: two images under one name, and a name that its own reader does not know again.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import lru_cache

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
        for name in (_bare(image_id), spelled(image_id), spelled(_bare(image_id))):
            named[name].add(image_id)
    return {name: next(iter(meant)) for name, meant in named.items() if len(meant) == 1} | own


def names_for_files(ids: Collection[str]) -> dict[str, str]:
    """A name for each id, fit for a file's name and no other's: without its suffix where that is enough.

    `ids_by_name` of the same ids knows it again; but for ids that are spelled alike, which get digits of a hash.
    """
    meant, names = ids_by_name(ids), {}
    for image_id in ids:
        digits = hashlib.sha256(image_id.encode()).hexdigest()[:12]
        own = (name for name in (spelled(_bare(image_id)), spelled(image_id)))
        fitting = (name for name in own if meant.get(name) == image_id)
        names[image_id] = next(fitting, f"{spelled(image_id)}-{digits}")
    return names


def label_meant(label: str, labels: Iterable[str]) -> str | None:
    """The one of `labels` that has the same letters and digits; of several the very same; None for none."""
    alike = [known for known in labels if _letters(known) == _letters(label)]
    if len(alike) == 1 and _letters(label):
        return alike[0]
    return label if label in alike else None


@lru_cache(4096)
def _letters(label: str) -> str:
    """A label without case, and with a blank for whatever is between its words."""
    return " ".join(re.split(r"[\W_]+", label.casefold())).strip()


def _bare(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and dot + suffix.lower() in SUFFIXES else name
