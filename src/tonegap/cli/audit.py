"""`tonegap audit`: may a synthetic set that was made elsewhere be trained on, for this task and seed?"""

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import store_option, suite_root_option
from tonegap.cli.terminal import put, say
from tonegap.errors import BadRequest

if TYPE_CHECKING:
    from tonegap.synthetic.external_audit import ExternalAudit, RealImages
    from tonegap.synthetic.external_set import ExternalSet

_SHOWN = 20
_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("audit")
@click.argument("made", metavar="SET", type=_folder)
@click.option("--task", required=True, help="The task it is to be trained on for.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of the split.")
@click.option("--root", "roots", multiple=True, metavar="[DATASET=]DIR", help="Your download.")
@click.option("--manifest", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path), help="Write the rows that are left here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@suite_root_option
@store_option
def command(  # noqa: PLR0913 (click hands over each option as an argument)
    made: Path,
    task: str,
    seed: int | None,
    roots: tuple[str, ...],
    manifest: Path | None,
    out: Path | None,
    as_json: bool,
    suite_root: Path | None,
    store: Path | None,
) -> None:
    """Say which images of SET must not be trained on for TASK, and by which rule.

    SET is a folder of images with a CSV file (file, sources and the other columns of synthetic.csv), or
    with names as in the cgDDI release: <healthy>_with_<disease>_from_<tone>_<donor>.png.
    Exit codes: 0 all may be used, 1 some may not, 2 the request was wrong.
    """
    from tonegap.synthetic.external_audit import audit_set
    from tonegap.synthetic.external_set import read_set

    described = read_set(made, manifest)
    truth = _truth(task, seed, roots, suite_root, store)
    found = audit_set(described, truth)
    if out is not None:
        _write(out, found)
    if as_json:
        put(_json(described, truth, found) + "\n")
    else:
        for line in _lines(described, truth, found):
            say(line)
    if found.refused:
        click.get_current_context().exit(1)


def _truth(
    task_id: str,
    seed: int | None,
    roots: tuple[str, ...],
    suite_root: Path | None,
    store_folder: Path | None,
) -> "RealImages":
    """What the set is compared with, from the user's download or the suite's own phantoms."""
    from tonegap.cli.requests import parse_roots
    from tonegap.data.metadata import own_root
    from tonegap.declared.dataset import read_dataset
    from tonegap.declared.root import default_store, find_root
    from tonegap.declared.task import read_task
    from tonegap.store.store import Store
    from tonegap.synthetic.real_images import read_truth

    root = find_root(suite_root)
    task = read_task(root, task_id)
    dataset = read_dataset(root, task.dataset_id)
    data_root = parse_roots(roots, (dataset.id,)).get(dataset.id) or own_root(dataset)
    if data_root is None and dataset.file.drawn is None:
        raise BadRequest(
            f"{task_id}: pass --root {dataset.id}=DIR, your copy of {dataset.file.title}"
        )
    store = Store(store_folder or default_store(root))
    return read_truth(task, task.seeds[0] if seed is None else seed, dataset, data_root, store)


def _write(path: Path, found: "ExternalAudit") -> None:
    """Writes the rows that are left, in the columns of synthetic.csv."""
    from tonegap.files import write_atomic
    from tonegap.synthetic.external_set import COLUMNS

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in found.kept:
        sources = " ".join(found.sources[row.image_id])
        said = {**row.cells, "image_id": row.image_id, "sources": sources}
        said.setdefault("file", row.path.name)
        table.writerow([said.get(name, "") for name in COLUMNS])
    try:
        write_atomic(path, text.getvalue().encode())
    except OSError as e:
        raise BadRequest(f"--out {path}: cannot be written: {e.strerror}") from None


def _lines(described: "ExternalSet", truth: "RealImages", found: "ExternalAudit") -> list[str]:
    n = Counter(truth.held_out.values())
    lines = [
        f"{described.folder}: {len(described.rows)} images, described by {described.described_by}",
        f"held out: {n['test']} test and {n['validation']} validation images",
    ]
    if not truth.pictures:
        lines.append(
            "no image of the data set is here: only names are followed, no picture compared"
        )
    lines += [f"{count:>9,}  {rule}" for rule, count in found.counts.items()]
    lines += [f"refused: {finding.sentence}" for finding in found.refused[:_SHOWN]]
    if len(found.refused) > _SHOWN:
        lines.append(f"refused: and {len(found.refused) - _SHOWN} more; --json lists all")
    return lines


def _json(described: "ExternalSet", truth: "RealImages", found: "ExternalAudit") -> str:
    document = {
        "schema": "tonegap/outside-audit@1",
        "images": len(described.rows),
        "described_by": described.described_by,
        "pictures_compared": truth.pictures,
        "rows": dict(found.counts),
        "strangers": found.strangers,
        "refused": [
            {
                "image_id": finding.image_id,
                "rule": finding.rule,
                "held_out": finding.held_out,
                "partition": finding.partition,
                "via": finding.via,
            }
            for finding in found.refused
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False)
