"""A paper that was held against what there is."""

from dataclasses import dataclass

from tonegap.papers.verdict import PaperCell
from tonegap.papers.words import tally
from tonegap.rooms.paper import PaperFile


@dataclass(frozen=True, slots=True)
class ComparedPaper:
    """A paper, and each of its printed cells beside what was reproduced."""

    key: str
    paper: PaperFile
    cells: tuple[PaperCell, ...]

    @property
    def tally(self) -> str:
        """How many cells have which verdict."""
        return tally(self.cells)
