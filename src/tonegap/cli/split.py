"""`tonegap split`: a task's partition as CSV, from the metadata alone."""

from pathlib import Path

import click

from tonegap.cli.complete import task_names
from tonegap.cli.options import PATH, SEED, rooted
from tonegap.cli.terminal import put, say
from tonegap.declared.dataset import read_dataset
from tonegap.declared.root import check_own
from tonegap.declared.split_rules import PinnedList
from tonegap.declared.task import read_task
from tonegap.errors import BadRequest
from tonegap.files import csv_bytes
from tonegap.split.frame import metadata_of
from tonegap.split.id_lists import (
    left_out,
    listed_images,
    read_id_list,
    read_list,
    unknown_names,
    without_listed,
)
from tonegap.split.leaks import group_leaks, split_lines
from tonegap.split.partition import new_partition, partition
from tonegap.split.pins import append_pin, pin_name
from tonegap.split.published import unused_lines, unused_values
from tonegap.split.rows import axis_tones


@click.command("split")
@click.argument("task", shell_complete=task_names)
@click.option(
    "--seed", type=SEED, help="Seed of the split (default: the first that the task declares)."
)
@click.option(
    "--root",
    "data_root",
    type=PATH,
    help="Your copy of the data set; its metadata is enough. Not needed where the suite draws it.",
)
@click.option(
    "--pin",
    is_flag=True,
    help="Write the split's digests to the end of the task's file; without --seed those of every declared seed.",
)
@click.option(
    "--from",
    "listed",
    type=PATH,
    help="A published list, image_id,partition, which --pin takes as the split of a task of the rule `pinned`.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="LIST",
    help="Images of this list of ids become unused; standard error says how many by partition.",
)
@rooted
def command(  # noqa: PLR0913 - one parameter per option
    task: str,
    seed: int | None,
    data_root: Path | None,
    pin: bool,
    listed: Path | None,
    exclude: tuple[str, ...],
    root: Path,
) -> None:
    """The partition of every image of TASK as CSV: image_id,partition.

    One row per row of the metadata, in its order; a partition is train, validation, test or unused.
    Train and validation together are the published training set. The result is checked against the
    digests pinned in the task's file. Standard error says what images of unknown tone and of shared patients there are.
    """
    if pin:
        check_own(root, "--pin")
    asked = read_task(root, task)
    number = asked.seeds[0] if seed is None else seed
    metadata = metadata_of(root, asked.dataset_id, data_root)
    dataset = read_dataset(root, asked.dataset_id)
    given = [read_id_list(Path(path), dataset) for path in exclude]
    lists = listed_images(given, dataset, metadata)
    key = asked.pin_key(number)
    if listed and not (pin and isinstance(asked.file.split, PinnedList) and not asked.file.pins):
        raise BadRequest(
            f"--from {listed}: a list is the split of a task of the rule `pinned` that has no pin yet, with --pin; "
            f"{asked.path} is none or has one"
        )
    if pin and lists:
        raise BadRequest(
            "--exclude: a pin is of the whole split, and lists are applied after it; leave out --pin or --exclude"
        )
    if pin and key not in asked.file.pins:
        places = read_list(listed, metadata) if listed else {}
        made = new_partition(asked, metadata, number, places)
        append_pin(asked, made, number)
        pinned = f"pinned {pin_name(asked, key)} in {asked.path}"
        say("\n".join([pinned, *left_out(places, made)]), err=True)
        others = {asked.pin_key(other): other for other in asked.seeds if seed is None}
        for other_key, other in others.items():
            if other_key != key and not listed and other_key not in asked.file.pins:
                append_pin(asked, new_partition(asked, metadata, other), other)
                say(f"pinned {pin_name(asked, other_key)} in {asked.path}", err=True)
    else:
        made = partition(asked, metadata, number)
    made, exclusions = without_listed(made, lists)
    unused = unused_lines(asked, unused_values(asked, metadata))
    for line in (*(exclusion.text for exclusion in exclusions), *unknown_names(lists), *unused):
        say(line, err=True)
    pairs = zip(made.parts, axis_tones(asked, metadata), strict=True)
    n_kept = sum(part != "unused" and tone is None for part, tone in pairs)
    for line in split_lines(made.sizes, n_kept, made.n_without_tone, group_leaks(metadata, made)):
        say(line, err=True)
    if number not in asked.seeds:
        declared = ", ".join(map(str, asked.seeds))
        say(f"seed {number} is none of the task's own ({declared}): a split of yours", err=True)
    put(csv_bytes(("image_id", "partition"), zip(made.ids, made.parts, strict=True)))
