"""A user's data set and task."""

from clinic_fixtures import clinic, ddi, phantom, project
from split_fixtures import write_task

__all__ = ["clinic", "ddi", "phantom", "project", "write_task"]
