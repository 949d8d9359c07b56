"""tonegap in Python: `tonegap.score`, `compare`, `load`, `power`, `audit_table`, by the formulas of the command line.

Importing tonegap loads none of it, and pandas is loaded when a table is asked for.
"""
