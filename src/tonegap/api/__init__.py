"""tonegap in Python: `tonegap.score`, `compare`, `load`, `across`, `power`, `pack` and others, as the command line.

Importing tonegap loads none of it, and pandas is loaded when a table is asked for.
"""

from tonegap.api.claims import audit_paper, audit_table, power
from tonegap.api.results import across, load, pack
from tonegap.api.scores import Scores, compare, score

__all__ = [
    "Scores",
    "across",
    "audit_paper",
    "audit_table",
    "compare",
    "load",
    "pack",
    "power",
    "score",
]
