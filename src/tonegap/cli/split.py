"""`tonegap split`: a task's partition as CSV, from the metadata alone."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import suite_root_option
from tonegap.cli.terminal import put, say
from tonegap.errors import BadRequest

if TYPE_CHECKING:
    from tonegap.data.metadata import Metadata


@click.command("split")
@click.argument("task")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=None,
    help="Seed of the split (default: the first that the task declares).",
)
@click.option(
    "--root",
    "data_root",
    type=click.Path(path_type=Path),
    default=None,
    help="Your copy of the data set; its metadata is enough. Not needed where the suite draws it.",
)
@click.option(
    "--pin", is_flag=True, help="Write the split's digests to the end of the task's file."
)
@suite_root_option
def command(
    task: str, seed: int | None, data_root: Path | None, pin: bool, suite_root: Path | None
) -> None:
    """The partition of every image of TASK as CSV: image_id,partition.

    One row per row of the metadata, in its order; a partition is train, validation, test or unused.
    Train and validation together are the published training set. The result is checked against the
    digests pinned in the task's file.
    """
    from tonegap.declared.root import find_root
    from tonegap.declared.task import read_task
    from tonegap.split.partition import new_partition, partition
    from tonegap.split.pins import append_pin, pin_name

    root = find_root(suite_root)
    asked = read_task(root, task)
    number = asked.seeds[0] if seed is None else seed
    metadata = _metadata(root, asked.dataset_id, data_root)
    key = asked.pin_key(number)
    if pin and key not in asked.file.pins:
        made = new_partition(asked, metadata, number)
        append_pin(asked, made, number)
        say(f"pinned {pin_name(asked, key)} in {asked.path}", err=True)
    else:
        made = partition(asked, metadata, number)
    _write(made.ids, made.parts)


def _metadata(root: Path, dataset_id: str, data_root: Path | None) -> "Metadata":
    """The metadata of the user's copy, or of the suite's own phantoms. Raises BadRequest."""
    from tonegap.data.metadata import own_root, read_metadata
    from tonegap.declared.dataset import read_dataset

    dataset = read_dataset(root, dataset_id)
    data_root = data_root or own_root(dataset)
    if data_root is None:
        if dataset.file.drawn is None:
            raise BadRequest(
                f"{dataset.file.title} is no phantom data set: pass --root DIR, the folder of your own "
                f"copy.\nLicence: {dataset.file.licence.strip()}\nAccess: {dataset.file.access.strip()}"
            )
        from tonegap.data.drawn import drawn_metadata

        return drawn_metadata(dataset)
    return read_metadata(dataset, data_root)


def _write(ids: Sequence[str], parts: Sequence[str]) -> None:
    """Writes the CSV to standard output, with LF whatever the platform."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("image_id", "partition"))
    rows.writerows(zip(ids, parts, strict=True))
    put(text.getvalue().encode())
