"""A user's own metadata CSV as a description names it: its digest, and its headers for our columns."""

from tonegap.data.csv_table import read_table
from tonegap.data.metadata import Metadata, column_positions
from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task
from tonegap.errors import BadRequest
from tonegap.report.exports.croissant import MetadataFile
from tonegap.split.pins import check_ids


def metadata_file(dataset: Dataset, metadata: Metadata, task: Task | None) -> MetadataFile:
    """The metadata's file.

    Raises BadSplit where a task's pins are of other ids than it has, BadRequest for data sets that are joined.
    """
    if metadata.parts:
        names = " and ".join(part.dataset.id for part in metadata.parts)
        raise BadRequest(
            f"{dataset.id}: has no metadata file of its own; describe {names}, each with its --root"
        )
    if task is not None:
        for key in task.file.pins:
            check_ids(task, metadata, int(key) if task.seeded else task.seeds[0])
    table = read_table(metadata.path, metadata.path.read_bytes())
    headers = {name: table.header[i] for name, i in column_positions(dataset.file, table).items()}
    return MetadataFile(metadata.path.name, metadata.sha256, headers)
