"""`tonegap data`: check a download, show a data set, draw phantom images."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tonegap.cli.complete import dataset_names
from tonegap.cli.options import FILE, FOLDER, WholeHelp, rooted, store_option, suite_root_option
from tonegap.cli.terminal import put, say, say_page
from tonegap.data.card import json_card, make_card, text_card
from tonegap.data.drawn import draw_plain, drawn_metadata, ensure_drawn
from tonegap.data.metadata import own_root, parse_metadata, read_metadata
from tonegap.declared.dataset import DATASET_FILE, Dataset, read_dataset, read_dataset_folder
from tonegap.declared.root import default_store, find_root, is_root
from tonegap.declared.task import Task, read_task, task_ids
from tonegap.errors import BadData, BadRequest
from tonegap.report.exports.croissant import croissant, metadata_file
from tonegap.split.id_lists import read_id_list
from tonegap.split.malignant import misspelt_malignant
from tonegap.store.layout import DRAWN, INDEX

_root_option = click.option(
    "--root", "data_root", type=FOLDER, help="Folder of your own copy: metadata CSV and images."
)
_workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    help="Processes that read or draw images (default: one per core).",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@click.group("data", cls=WholeHelp)
def command() -> None:
    """Check a download, show a data set, draw phantom images."""


@command.command("check")
@click.argument("dataset_name", metavar="DATASET", shell_complete=dataset_names)
@_root_option
@click.option("--task", "task_name", help="Ask about this task alone (default: every task of it).")
@_workers_option
@_json_option
@click.option(
    "--exclude",
    multiple=True,
    metavar="LIST",
    help="Ask about the tasks without the images of this list of ids.",
)
@store_option
@suite_root_option
@click.pass_context
def check_command(  # noqa: PLR0913 - one parameter per option
    context: click.Context,
    dataset_name: str,
    data_root: Path | None,
    task_name: str | None,
    workers: int,
    as_json: bool,
    exclude: tuple[str, ...],
    store: Path | None,
    suite_root: Path | None,
) -> None:
    """Is this download what the papers used?

    Lists at once what matches the published counts, which images are missing, broken, duplicate or
    extra, by tone, and which tasks can be run. DATASET is a name of benchmarks/ or a folder with a
    dataset.toml. Exit code 2 if a task cannot be run on it. With unusable masks it can,
    by methods that need none.
    """
    from tonegap.checks.download import check_data
    from tonegap.checks.listing import json_listing, text_listing

    dataset, root = _find_dataset(dataset_name, suite_root)
    # Where the index of images is kept: the store of runs, or the user's cache folder.
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonegap"
    cache = store or (default_store(root) if root else users)
    place = _data_root(dataset, data_root, cache, workers)
    if sys.stderr.isatty():
        say(f"reading the images of {place} …", err=True)
    tasks = _tasks(root, dataset, task_name)
    lists = [read_id_list(Path(path), dataset) for path in exclude]
    found = check_data(dataset, place, cache / INDEX, workers, tasks, lists)
    if as_json:
        put(json.dumps(json_listing(found), indent=2, ensure_ascii=False) + "\n")
    else:
        say_page(text_listing(found))
    context.exit(0 if found.is_usable else 2)


@command.command("show")
@click.argument("dataset_name", metavar="DATASET", shell_complete=dataset_names)
@_root_option
@_json_option
@suite_root_option
def show_command(
    dataset_name: str, data_root: Path | None, as_json: bool, suite_root: Path | None
) -> None:
    """The card of a data set: source, licence, access, counts by tone and label.

    Without --root the counts are the published ones, or those of the declaration where the suite
    draws the data set itself.
    """
    dataset, _ = _find_dataset(dataset_name, suite_root)
    at = data_root or own_root(dataset)
    metadata = None
    if at is not None:
        metadata = read_metadata(dataset, at)
    elif dataset.file.drawn is not None:
        metadata = drawn_metadata(dataset)
    if metadata is not None and (problem := misspelt_malignant(dataset, metadata)):
        raise BadData(problem)
    card = make_card(dataset, metadata)
    if as_json:
        put(json.dumps(json_card(card), indent=2, ensure_ascii=False) + "\n")
    else:
        say_page(text_card(card))


@command.command("croissant")
@click.argument("name", metavar="DATASET|TASK")
@_root_option
@suite_root_option
def croissant_command(name: str, data_root: Path | None, suite_root: Path | None) -> None:
    """A data set or a task as Croissant (JSON-LD): columns, classes, pinned splits, licence.

    It holds no image, id or cell. With --root it names your metadata file and its SHA-256, so that
    tools can read the records from a copy beside it.
    """
    is_task = "/" in name and not (Path(name) / DATASET_FILE).is_file()
    dataset, root = _find_dataset(name.partition("/")[0] if is_task else name, suite_root)
    asked = _tasks(root, dataset, name)[0] if is_task else None
    file = None
    if data_root is not None:
        file = metadata_file(dataset, read_metadata(dataset, data_root), asked)
    put(croissant(dataset, asked, file))


@command.command("phantom")
@click.option(
    "--like",
    type=FILE,
    help="Metadata CSV of a data set: draw a phantom stand-in for each of its rows.",
)
@click.option("--n", "images", type=click.IntRange(1), help="Draw this many images of no data set.")
@click.option("--out", type=FOLDER, required=True, help="Folder to draw into.")
@click.option("--size", "size_px", type=click.IntRange(16, 2048), default=96, show_default=True)
@_workers_option
@rooted
def phantom_command(
    like: Path | None, images: int | None, out: Path, size_px: int, workers: int, root: Path
) -> None:
    """Draw skin: stand-ins for real metadata (--like), or a set of its own (--n).

    Run the same command again to go on where it was cut off.
    """
    if (like is None) == (images is None):
        raise BadRequest("tonegap data phantom: pass either --like CSV or --n COUNT")
    if like is not None:
        from tonegap.data.stand_in import draw_stand_ins, recognise_dataset

        dataset = recognise_dataset(root, like)
        n = len(parse_metadata(dataset, like).ids)
        with _progress(f"{dataset.file.title}: {n:,} stand-ins", n) as tell:
            draw_stand_ins(dataset, like, out, size_px, workers, tell)
        said = f"phantom stand-ins for {dataset.file.title}"
    else:
        dataset, n = read_dataset(root, "phantom"), images or 0
        with _progress(f"{n:,} images", n) as tell:
            draw_plain(dataset, n, out, size_px, workers, tell)
        said = "synthetic phantom images"
    say(f"{out}: {n:,} {said}, {size_px} px", err=True)
    say(f"tonegap data check {dataset.id} --root {shlex.quote(str(out))}")


def _find_dataset(name: str, suite_root: Path | None) -> tuple[Dataset, Path | None]:
    """The data set of that name or folder, and the suite root it is in; None for a user's folder."""
    folder = Path(name)
    if not (folder / DATASET_FILE).is_file():
        root = find_root(suite_root)
        return read_dataset(root, name), root
    parent = folder.resolve().parent.parent
    return read_dataset_folder(folder), parent if is_root(parent) else None


def _data_root(dataset: Dataset, given: Path | None, cache: Path, workers: int) -> Path:
    """The folder given, the data set's own where it holds the metadata, or one that is drawn now."""
    if given is not None:
        if not given.is_dir():
            raise BadRequest(f"{given}: no such folder; wanted the folder of your copy")
        return given
    if (own := own_root(dataset)) is not None:
        return own
    if dataset.file.drawn is None:
        raise BadRequest(
            f"{dataset.file.title}: pass --root DIR, the folder of your own copy.\n"
            f"Licence: {dataset.file.licence.strip()}\nAccess: {dataset.file.access.strip()}"
        )
    n = sum(half.images for half in dataset.file.drawn.halves.values())
    with _progress(f"{dataset.file.title}: {n:,} images", n) as tell:
        return ensure_drawn(dataset, cache / DRAWN, workers, tell)


def _tasks(root: Path | None, dataset: Dataset, wanted: str | None) -> list[Task]:
    """The task asked for, else all of the data set."""
    if root is None:
        if wanted is not None:
            raise BadRequest(
                f"--task {wanted}: {dataset.folder} is no folder of a suite's benchmarks/"
            )
        return []
    if wanted is None:
        return [read_task(root, t) for t in task_ids(root) if t.startswith(f"{dataset.id}/")]
    name = wanted if "/" in wanted else f"{dataset.id}/{wanted}"
    task = read_task(root, name)
    if task.dataset_id != dataset.id:
        raise BadRequest(f"--task {wanted}: a task of {task.dataset_id}, not of {dataset.id}")
    return [task]


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; yields what to tell how many are done."""
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:

        def tell(done: int) -> None:
            bar.update(done - bar.pos)

        yield tell
