"""Counts what a synthetic set's own files say of it: images, prompts, sources, learned parts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tonegap.errors import BadOutput, StoreError
from tonegap.files import is_there
from tonegap.formats.lineage import UNKNOWN_SOURCE, read_lineage
from tonegap.store.layout import stage_unit
from tonegap.store.seals import AGAIN, damage
from tonegap.synthetic.manifest import read_synthetic


@dataclass(frozen=True, slots=True)
class DescribedPart:
    """A learned part: SHA-256 of its file ("" for a whole fit that named none) and its training images."""

    name: str
    sha256: str
    n_sources: int


@dataclass(frozen=True, slots=True)
class SetContents:
    """What a set's files say: images by class and tone asked for, prompts by how often, origins.

    `n_sources` real images are named as sources; of `n_unknown` images nobody says what they were made from.
    """

    counts: Mapping[tuple[str, str], int]
    prompts: tuple[tuple[str, int], ...]
    n_sources: int
    n_unknown: int
    parts: tuple[DescribedPart, ...]

    def of_class(self, label: str) -> int:
        """Images of a class."""
        return sum(n for (one, _), n in self.counts.items() if one == label)


def set_contents(store: Path, stage: str) -> SetContents | None:
    """What the files of a generate stage say; None where they are gone. Raises StoreError for changed ones."""
    folder = store / stage_unit(stage)
    said = damage(store, stage_unit(stage), without=("images",)) if is_there(folder) else None
    if said:
        raise StoreError(f"{store}: {said}; {AGAIN}")
    try:
        rows, lineage = read_synthetic(folder), read_lineage(folder)
    except BadOutput:
        return None
    prompts = Counter(row.prompt for row in rows if row.prompt)
    named = {one for row in rows for one in row.sources if one != UNKNOWN_SOURCE}
    parts = sorted(lineage.parts.items())
    return SetContents(
        counts=Counter((row.label, row.tone or "unknown") for row in rows),
        prompts=tuple(sorted(prompts.items(), key=lambda pair: (-pair[1], pair[0]))),
        n_sources=len(named),
        n_unknown=sum(1 for row in rows if UNKNOWN_SOURCE in row.sources),
        parts=tuple(DescribedPart(name, part.sha256, len(part.sources)) for name, part in parts),
    )
