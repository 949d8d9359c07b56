"""Resolves the names that others give to real images to ids of the data set.

The mistake it exists to prevent: a test image spelled `images/p00001.png` that passes for a stranger.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from unicodedata import normalize

from tonegap.data.locate import IMAGE_SUFFIXES

_BETWEEN = re.compile(r"[,;|]")
_NO_NAME = re.compile(r"[^\w.-]+")
_AROUND = " \t[](){}'\"`"


class KnownImages:
    """The images of a data set by everything that names them: id, file name, with or without folder and suffix.

    `files`: file names that the metadata gives an image. Case and Unicode form do not matter where one image
    alone has the name.
    """

    def __init__(self, ids: Collection[str], files: Mapping[str, Iterable[str]]) -> None:
        self._ids = frozenset(ids)
        self._alike: dict[str, set[str]] = defaultdict(set)
        for image_id in self._ids:
            for name in (image_id, *files.get(image_id, ())):
                for key in _keys(name):
                    # A file's name may have underscores for what file names seldom hold.
                    for spelling in (key, _NO_NAME.sub("_", key)):
                        self._alike[spelling].add(image_id)

    def known_as(self, name: str) -> str:
        """The id of the one image that a name means; "" for none, and for one that several images have."""
        if name in self._ids:
            return name
        for key in _keys(name.strip(_AROUND)):
            # What several have is not looked up by less of the name: that may be another one's.
            if found := self._alike.get(key):
                return next(iter(found)) if len(found) == 1 else ""
        return ""

    def resolve(self, words: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids that words mean, each once, and the words that mean none; commas and the like part a word too."""
        ids: dict[str, None] = {}
        strangers: dict[str, None] = {}
        for word in words:
            whole = self.known_as(word)
            parts = [whole] if whole else [p for p in _BETWEEN.split(word) if p.strip(_AROUND)]
            for part in parts or [word]:
                known = self.known_as(part)
                (ids if known else strangers)[known or part] = None
        return tuple(ids), tuple(strangers)


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


def _keys(name: str) -> list[str]:
    """What a name is looked up by, the most telling first."""
    whole = normalize("NFC", name).casefold().replace("\\", "/")
    base = whole.rsplit("/", 1)[-1]
    return list(dict.fromkeys(k for k in (whole, _bare(whole), base, _bare(base)) if k))


def _bare(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if dot + suffix in IMAGE_SUFFIXES else name
