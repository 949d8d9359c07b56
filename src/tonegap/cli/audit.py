"""`tonegap audit`: may a synthetic set that was made elsewhere be trained on, for this task and seed?"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import A_FILE, A_FOLDER, PATH, SEED, placed
from tonegap.cli.requests import parse_roots
from tonegap.cli.terminal import put_json, say
from tonegap.data.metadata import own_root
from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import read_task
from tonegap.errors import BadRequest, file_errors
from tonegap.files import csv_bytes, write_atomic
from tonegap.store.store import Store
from tonegap.synthetic.external_set import COLUMNS, read_set

if TYPE_CHECKING:
    from tonegap.synthetic.external_audit import ExternalAudit

_SHOWN = 20


@click.command("audit")
@click.argument("made", metavar="SET", type=A_FOLDER)
@click.option("--task", required=True, help="The task it is to be trained on for.")
@click.option("--seed", type=SEED, help="Seed of the split.")
@click.option("--root", "roots", multiple=True, metavar="[DATASET=]DIR", help="Your download.")
@click.option("--manifest", type=A_FILE, help="Its CSV file; only images with a row there count.")
@click.option("--out", type=PATH, help="Write the rows that are left here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@placed
def command(  # noqa: PLR0913 (click hands over each option as an argument)
    made: Path,
    task: str,
    seed: int | None,
    roots: tuple[str, ...],
    manifest: Path | None,
    out: Path | None,
    as_json: bool,
    root: Path,
    store: Path,
) -> None:
    """Say which images of SET must not be trained on for TASK, and by which rule.

    SET is a folder of images with a CSV file (file, sources and the other columns of synthetic.csv), with
    JSON files as in synthetic-derm, or with names as in the cgDDI release,
    <healthy>_with_<disease>_from_<tone>_<donor>.png. An image without a row is read by its file or name.
    Exit codes: 0 all may be used, 1 some may not, 2 the request was wrong.
    """
    from tonegap.synthetic.external_audit import audit_set
    from tonegap.synthetic.real_images import read_truth

    described = read_set(made, manifest)
    asked = read_task(root, task)
    dataset = read_dataset(root, asked.dataset_id)
    data_root = parse_roots(roots, (dataset.id,)).get(dataset.id) or own_root(dataset)
    if data_root is None and dataset.file.drawn is None:
        raise BadRequest(f"{task}: pass --root {dataset.id}=DIR, your copy of {dataset.file.title}")
    number = asked.seeds[0] if seed is None else seed
    truth = read_truth(asked, number, dataset, data_root, Store(store))
    found = audit_set(described, truth)
    if out is not None:
        _write(out, made, found)
    if as_json:
        names = ("image_id", "rule", "held_out", "partition", "via")
        document = {
            "schema": "tonegap/outside-audit@1",
            "images": len(described.rows),
            "described_by": described.described_by,
            "pictures_compared": truth.pictures,
            "rows": dict(found.counts),
            "strangers": found.strangers,
            "refused": [{n: getattr(finding, n) for n in names} for finding in found.refused],
        }
        put_json(document)
    else:
        n = Counter(truth.held_out.values())
        say(
            f"{described.folder}: {len(described.rows)} images, described by {described.described_by}"
        )
        say(f"held out: {n['test']} test and {n['validation']} validation images")
        if not truth.pictures:
            say("no image of the data set is here: only names are followed, no picture compared")
        for rule, count in found.counts.items():
            say(f"{count:>9,}  {rule}")
        for finding in found.refused[:_SHOWN]:
            say(f"refused: {finding.sentence}")
        if len(found.refused) > _SHOWN:
            say(f"refused: and {len(found.refused) - _SHOWN} more; --json lists all")
    if found.refused:
        click.get_current_context().exit(1)


def _write(path: Path, made: Path, found: "ExternalAudit") -> None:
    """Writes the rows that are left, in the columns of synthetic.csv."""
    rows = []
    for row in found.kept:
        sources = " ".join(found.sources[row.image_id])
        said = {**row.cells, "image_id": row.image_id, "sources": sources}
        said.setdefault("file", row.path.relative_to(made).as_posix())
        rows.append([said.get(name, "") for name in COLUMNS])
    with file_errors(BadRequest, f"--out {path}: cannot be written"):
        write_atomic(path, csv_bytes(COLUMNS, rows))
