"""Answers the items of reporting checklists from the results of a suite, each with a link to where it stands.

Links are relative to the pack's folder. An answer that the results do not give is empty; nothing is made up.
"""

from tonegap.report.pack.data_answers import DATA_ANSWERS
from tonegap.report.pack.run_answers import RUN_ANSWERS
from tonegap.report.pack.source import Answer, Find, PackSource

ANSWERS: dict[str, Find] = DATA_ANSWERS | RUN_ANSWERS


def answers_of(results: PackSource) -> dict[str, list[Answer]]:
    """Every answer by its name; an empty list where the results give none."""
    return {name: list(find(results)) for name, find in ANSWERS.items()}
