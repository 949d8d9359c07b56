"""The one way a stage says that it cannot go on."""


class StageError(Exception):
    """One clear sentence for the stage's log: where, what was found, what was wanted."""
