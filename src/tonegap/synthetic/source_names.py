"""Resolves the names that others give to real images to ids of the data set.

The mistake it exists to prevent: a test image spelled `images/p00001.png` that passes for a stranger.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from unicodedata import normalize

from tonegap.data.locate import IMAGE_SUFFIXES

_BETWEEN = re.compile(r"[,;|]")
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
                    self._alike[key].add(image_id)

    def known_as(self, name: str) -> str:
        """The id of the one image that a name means; "" for none, and for one that several images have."""
        if name in self._ids:
            return name
        for key in _keys(name.strip(_AROUND)):
            found = self._alike.get(key, set())
            if len(found) == 1:
                return next(iter(found))
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


def _keys(name: str) -> list[str]:
    """What a name is looked up by, the most telling first."""
    whole = normalize("NFC", name).casefold().replace("\\", "/")
    base = whole.rsplit("/", 1)[-1]
    return list(dict.fromkeys(k for k in (whole, _bare(whole), base, _bare(base)) if k))


def _bare(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if dot + suffix in IMAGE_SUFFIXES else name
