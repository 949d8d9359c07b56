"""tonegap in Python: `tonegap.score`, `compare`, `load`, `power`, `audit_table`, by the formulas of the command line.

Importing tonegap loads none of it, and pandas is loaded when a table is asked for.
"""

from tonegap.api.claims import audit_table, power
from tonegap.api.results import load
from tonegap.api.scores import Scores, compare, score

__all__ = ["Scores", "audit_table", "compare", "load", "power", "score"]
