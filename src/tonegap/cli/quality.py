"""`tonegap quality`: the quality sheet of a synthetic set made elsewhere."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from tonegap.cli.complete import suite_names
from tonegap.cli.interrupt import patient
from tonegap.cli.options import A_FILE, FOLDER, placed
from tonegap.cli.requests import RunOptions, open_request
from tonegap.cli.terminal import say
from tonegap.declared.report_settings import read_settings
from tonegap.declared.task import read_task
from tonegap.errors import BadRequest, ToneGapError
from tonegap.files import digest_of
from tonegap.numerics import numerics_of

if TYPE_CHECKING:
    from tonegap.plan.prepare import Request
    from tonegap.run.sheet_maker import MeasuredFeatures, SyntheticSet


@click.command("quality")
@click.argument(
    "folder", metavar="SET", type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.argument("suite", default="smoke", shell_complete=suite_names)
@click.option(
    "--manifest",
    type=A_FILE,
    help="Its CSV file; only images with a row there count.",
)
@click.option(
    "--task", help="Compare with this task's training images (default: the suite's first)."
)
@click.option(
    "--seed", type=click.IntRange(0), help="Seed of the split (default: the task's first)."
)
@click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="[DATASET=]DIR",
    help="Where your download of the data set lies.",
)
@click.option("--engine", default="local", show_default=True, help="Where the extractor runs.")
@click.option("--out", type=FOLDER, help="Folder for the pages (default: SET-quality beside SET).")
@placed
def command(  # noqa: PLR0913 (click hands over each option as an argument)
    folder: Path,
    suite: str,
    manifest: Path | None,
    task: str | None,
    seed: int | None,
    roots: tuple[str, ...],
    engine: str,
    out: Path | None,
    store: Path,
    root: Path,
) -> None:
    """The quality sheet of SET, a folder of images that `tonegap audit` can read, measured as SUITE says.

    Its CSV file has the columns `file` and `label`, and `tone` and `sources` where they are known; what the
    task renames (labels.rename) is its class here too.
    The set is compared with the training images of a task, never with test images. Without a
    feature extractor in the suite ([quality]) the sheet has tones and a contact sheet.
    """
    from tonegap.plan.prepare import quality_digest, task_views
    from tonegap.report.pages.links import SETS, sheet_page
    from tonegap.report.pages.quality_page import sheet_files
    from tonegap.report.write import write_pieces
    from tonegap.results.quality import read_sheet
    from tonegap.run.external_set import external_set
    from tonegap.run.sheet_maker import SheetMaker

    options = RunOptions(
        suite_root=root, store=store, roots=roots, engine=engine, device="cpu", gpus="0", jobs=1,
        allow_missing=False, methods=(), baselines=(), settings=(),
    )  # fmt: skip
    request = open_request(suite, options)
    asked = read_task(request.root, task or request.suite.file.tasks[0])
    if asked.id not in request.suite.file.tasks:
        known = ", ".join(request.suite.file.tasks)
        raise BadRequest(f"--task {task}: no task of the suite {suite}; there are: {known}")
    target = out or folder.resolve().with_name(f"{folder.resolve().name}-quality")
    number = asked.seeds[0] if seed is None else seed
    view = task_views(request, [(asked, number)], watched=True)[asked.id, number]
    with TemporaryDirectory(prefix="tonegap-set-") as aside:
        rename = asked.file.labels.rename
        made = external_set(folder, view, number, manifest, Path(aside), rename)
        found = _found(request, made)
        parts = [made.id.stage, repr(found.extractor), asked.id, number, quality_digest()]
        key = digest_of({"sheet": [*parts, made.id.sha256]})
        SheetMaker(request.store).make(made, found, key)
    sheet = read_sheet(request.store.folder, key)
    for path, pieces in sheet_files(sheet, read_settings(request.root), report=""):
        write_pieces(target / Path(path).relative_to(SETS), pieces)
    say(target / f"{sheet_page(sheet)}.html")


def _found(request: "Request", made: "SyntheticSet") -> "MeasuredFeatures":
    """What the suite's extractor says; an extractor that fails costs its numbers, not the sheet."""
    from tonegap.declared.local_files import check_local_file
    from tonegap.plan.prepare import read_extractor
    from tonegap.run.external_set import FeaturesPlace, external_features
    from tonegap.run.sheet_maker import MeasuredFeatures

    extractor = read_extractor(request.suite, request.engine)
    if extractor is None:
        return MeasuredFeatures()
    for given in extractor.files:
        check_local_file(given, request.root)
    file = request.suite.file
    numerics = numerics_of(file.numerics, "cpu")
    place = FeaturesPlace(request.store, request.engine, file.limits, file.threads, numerics)
    try:
        with patient(request.engine.ending_s):
            return external_features(made, extractor, place)
    except ToneGapError as e:
        say(f"no features: {e}", err=True)
        return MeasuredFeatures(reason=str(e))
