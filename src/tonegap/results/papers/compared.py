"""A paper that was held against what there is."""

from dataclasses import dataclass

from tonegap.declared.paper import PaperFile
from tonegap.results.papers.verdict import PaperCell
from tonegap.results.papers.words import tally


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
