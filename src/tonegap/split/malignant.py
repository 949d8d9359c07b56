"""Finds cells that a person meant as malignant and that count as benign.

The mistake it exists to prevent: `yes` beside `values = ["Yes"]`, a data set without a malignant lesion in silence.
"""

from tonegap.data.labels import misspelt
from tonegap.data.metadata import Metadata
from tonegap.declared.dataset import Dataset


def misspelt_malignant(dataset: Dataset, metadata: Metadata) -> str:
    """The sentence on cells that differ from a value of `[malignant]` in spelling alone; "" where none does."""
    rule = dataset.file.malignant
    cells = metadata.columns.get(rule.column, ()) if rule else ()
    found = misspelt(cells, rule.values, rule.values) if rule else ""
    if not rule or not found:
        return ""
    return (
        f"{metadata.path}: {rule.column} has values that differ in spelling alone from those of [malignant]: {found}; "
        "name them in malignant.values of dataset.toml, or map them with `cells` of the column"
    )
