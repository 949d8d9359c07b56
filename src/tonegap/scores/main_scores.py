"""The few scores of a record that a person would compare between two runs."""

from tonegap.formats.record import Record
from tonegap.scores.tables import ALL, GAP, WORST


def main_scores(record: Record) -> dict[str, float | None]:
    """Its primary metric over all images, at the worst tone and as a gap, under each selection rule.

    On the finest tones it was scored on. Names are as `validation: accuracy, worst`; None is an undefined score.
    """
    found = {}
    for rule, selected in sorted(record.scores.items()):
        axis = next((name for name in ("types", "groups") if name in selected.tables), "")
        if not axis:
            continue
        table = selected.tables[axis]
        for metric, tone, value in zip(table.metric, table.tone, table.value, strict=True):
            if metric == record.primary_metric and tone in {ALL, WORST, GAP}:
                found[f"{rule}: {metric}, {tone}"] = value
    return found
