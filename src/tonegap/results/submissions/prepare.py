"""Checks a submission and lays it out as a folder that can be put into a store whole."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest
from tonegap.files import write_atomic
from tonegap.formats.submission import FILE, SCHEMA, Refused, Submission
from tonegap.lines import one_line
from tonegap.results.bundle.archive import memory_for
from tonegap.results.bundle.exposure import keep_declared
from tonegap.results.bundle.verify import open_bundle, read_bundled
from tonegap.results.submissions.checks import (
    KnownRecords,
    not_here,
    read_known,
    renamed,
    repeated_runs,
    seed_remarks,
    unlike_here,
)
from tonegap.results.submissions.predictions import SUITE, lay_out, read_card
from tonegap.results.submissions.stored import file_digests
from tonegap.store.layout import HERE
from tonegap.store.read import read_suites
from tonegap.store.store import Store
from tonegap.untrusted import bounded_memory, refused

_LONGEST = 300  # letters of a title


@contextlib.contextmanager
def prepared(store: Store, path: Path, root: Path) -> Iterator[tuple[Path, Submission] | Refused]:
    """A bundle or a card's folder, checked, as a folder ready to be stored; gone after the block.

    Refused where a bundle does not verify, or cannot be set beside this store's results. Raises BadRequest or
    BadPredictions for a path, a card or a file that is not as it must be.
    """
    known = read_known(store.folder)
    files = [p for p in path.iterdir() if p.is_file()] if path.is_dir() else [path]
    with store.work_folder("submission") as work:
        out = work / "made"
        out.mkdir()
        with refused(str(path)), bounded_memory(sum(map(memory_for, files))):
            found = (
                _from_card(path, known, out)
                if path.is_dir()
                else _from_bundle(path, root, known, out)
            )
        if isinstance(found, Refused):
            yield found
            return
        write_atomic(out / FILE, msgspec.json.format(msgspec.json.encode(found, order="sorted")))
        yield out, found


def _from_card(path: Path, known: KnownRecords, out: Path) -> Submission:
    """A card's folder laid out as a store, with what the card says of how its predictions were made."""
    card = read_card(path)
    runs = lay_out(path, card, known, out)
    for problem in repeated_runs(out, *read_suites(out, [SUITE])):
        raise BadRequest(f"{path}: {problem}; leave one of them out")
    uses = {"labels": card.test_labels_used, "tones": card.test_tones_used}
    used = " and ".join(word for word, was in uses.items() if was) or "no label or tone"
    about = [f"split: {card.split}", f"epoch by {card.selection}"]
    about += [f"by the card {used} of test images used", *([card.notes] if card.notes else [])]
    return Submission(
        schema=SCHEMA,
        kind="predictions",
        title=card.label,
        suite=SUITE,
        runs=runs,
        files=file_digests(out),
        authors=card.authors,
        paper=card.paper,
        code=card.code,
        about="; ".join([*about, *seed_remarks(runs, known.runs)]),
    )


def _from_bundle(path: Path, root: Path, known: KnownRecords, out: Path) -> Submission | Refused:
    manifest, problems = open_bundle(path, out)
    suite_run = read_bundled(out, manifest.suite)
    if not problems:  # else its content is not worth a second look
        problems = tuple(unlike_here(out, suite_run, root, known))
    if not problems:
        theirs = [run.record for run in suite_run.runs if run.record]
        ours = [run.record for run in known.runs if run.record]
        both = [(known.store, known.store, ours), (path, out, theirs)]
        problems = tuple(why for place, why in renamed(both) if place == path)
    if problems:
        return Refused(tuple(one_line(problem) for problem in problems))
    keep_declared(root, (run.record for run in suite_run.runs if run.record), out / HERE)
    runs = tuple(run.id for run in suite_run.runs if run.record)
    records = [run.record for run in suite_run.runs if run.record]
    return Submission(
        schema=SCHEMA,
        kind="bundle",
        title=one_line(manifest.title)[:_LONGEST],
        suite=manifest.suite,
        runs=runs,
        files=file_digests(out),
        about="; ".join(
            [
                "every number of it was computed again here",
                *(
                    f"{label} is not here, so what it does is its own word"
                    for label in not_here(root, records)
                ),
                *seed_remarks(runs, known.runs),
            ]
        ),
    )
