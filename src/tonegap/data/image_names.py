"""Expands the file names that the metadata gives each image, and finds the images that a file may be."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

from tonegap.data.metadata import Metadata
from tonegap.declared.dataset import PLACEHOLDER, Dataset, column_of
from tonegap.errors import BadData


def image_names(dataset: Dataset, metadata: Metadata) -> dict[str, list[str]]:
    """File names that each image may have, best first, with `/` where a name has folders.

    A pattern over a column that is absent, or empty for the image, gives no name. `{column.stem}` is the cell without
    its suffix: copies in another format.
    """
    if metadata.parts:
        found = (image_names(part.dataset, part.metadata) for part in metadata.parts)
        return {image_id: names for names_of in found for image_id, names in names_of.items()}
    return expanded(dataset.file.file_names, dataset, metadata)


def expanded(patterns: Sequence[str], dataset: Dataset, metadata: Metadata) -> dict[str, list[str]]:
    """As `image_names`, of these patterns."""
    names: dict[str, list[str]] = {image_id: [] for image_id in metadata.ids}
    for pattern in patterns:
        columns = PLACEHOLDER.findall(pattern)
        if not all(column_of(column, dataset.file) in metadata.columns for column in columns):
            continue
        template = PLACEHOLDER.sub("\0", pattern).split("\0")
        cells = [_cells(column, dataset, metadata) for column in columns]
        for i, image_id in enumerate(metadata.ids):
            values = [column[i] for column in cells]
            if all(values):
                name = template[0] + "".join(
                    v + t for v, t in zip(values, template[1:], strict=True)
                )
                names[image_id].append(_safe(name, image_id, metadata.path))
    return names


def _cells(placeholder: str, dataset: Dataset, metadata: Metadata) -> Sequence[str]:
    column = column_of(placeholder, dataset.file)
    cells = metadata.columns[column]
    return cells if column == placeholder else [cell.rpartition(".")[0] or cell for cell in cells]


def _safe(name: str, image_id: str, where: Path) -> str:
    """The name with `/` between folders, if it stays inside the image folder."""
    name = name.replace("\\", "/").removeprefix("./")
    parts = name.split("/")
    if "\0" in name or not {"", ".", ".."}.isdisjoint(parts):
        raise BadData(
            f"{where}: image {image_id} has the file name {name!r}; "
            "wanted a name inside the image folder"
        )
    return name


class Names:
    """Which images a file may be, by its name: as written, else with another case of suffix or Unicode form.

    A file that has one image's very name is never another's.
    """

    def __init__(self, names: Mapping[str, list[str]]) -> None:
        self._exact: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self._loose: dict[str, dict[str, list[tuple[str, int]]]] = defaultdict(dict)
        for image_id, candidates in names.items():
            for rank, name in enumerate(candidates):
                self._exact[name].append((image_id, 2 * rank))
                self._loose[name_key(name)].setdefault(name, []).append((image_id, 2 * rank + 1))
        self.depths = sorted({name.count("/") for name in self._exact}) or [0]

    def owners(self, name: str) -> list[tuple[str, int]]:
        """(image id, rank) of the images that a file of this name may be."""
        if name in self._exact:
            return self._exact[name]
        alike = self._loose.get(name_key(name), {})
        return next(iter(alike.values())) if len(alike) == 1 else []


def name_key(name: str) -> str:
    """A file name in one Unicode form, its suffix in lower case: how file systems and cameras differ."""
    stem, dot, suffix = normalize("NFC", name).rpartition(".")
    return f"{stem}{dot}{suffix.lower()}"
