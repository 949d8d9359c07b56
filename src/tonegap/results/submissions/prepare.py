"""What somebody sent, checked, as a folder that can go on the shelf whole."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest
from tonegap.files import write_atomic
from tonegap.formats.submission import FILE, SCHEMA, Refused, Submission
from tonegap.lines import one_line
from tonegap.results.bundle.archive import memory_for
from tonegap.results.submissions.bundled import open_bundle
from tonegap.results.submissions.card import SubmissionCard, read_card
from tonegap.results.submissions.declared import not_here, repeated_runs, seed_remarks
from tonegap.results.submissions.known import KnownRecords, read_known
from tonegap.results.submissions.predicted import SUITE, lay_out
from tonegap.results.submissions.shelf import file_digests
from tonegap.store.read import read_suites
from tonegap.store.store import Store
from tonegap.untrusted import bounded_memory, refused

_LONGEST = 300  # letters of a title


@contextlib.contextmanager
def prepared(store: Store, path: Path, root: Path) -> Iterator[tuple[Path, Submission] | Refused]:
    """A bundle or a card's folder, checked, as a folder ready to be shelved; gone after the block.

    Refused where a bundle does not verify, or cannot be set beside this store's results. Raises BadRequest or
    BadPredictions for a path, a card or a file that is not as it must be.
    """
    known = read_known(store.folder)
    with store.work_folder("submission") as work:
        out = work / "made"
        out.mkdir()
        with refused(str(path)), bounded_memory(_memory_for(path)):
            found = (
                _from_card(path, known, out)
                if path.is_dir()
                else _from_bundle(path, root, known, out)
            )
        if isinstance(found, Refused):
            yield found
            return
        content = msgspec.json.format(msgspec.json.encode(found, order="sorted"))
        write_atomic(out / FILE, content)
        yield out, found


def _from_card(path: Path, known: KnownRecords, out: Path) -> Submission:
    card = read_card(path)
    cells = lay_out(path, card, known, out)
    for problem in repeated_runs(out, *read_suites(out, [SUITE])):
        raise BadRequest(f"{path}: {problem}; leave one of them out")
    return Submission(
        schema=SCHEMA,
        kind="predictions",
        title=card.label,
        suite=SUITE,
        cells=cells,
        files=file_digests(out),
        authors=card.authors,
        paper=card.paper,
        code=card.code,
        about="; ".join([*_about(card), *seed_remarks(cells, known.cells)]),
    )


def _about(card: SubmissionCard) -> Iterator[str]:
    """What the card says of how its predictions were made."""
    yield f"split: {card.split}"
    yield f"epoch by {card.selection}"
    uses = {"labels": card.test_labels_used, "tones": card.test_tones_used}
    used = " and ".join(word for word, was in uses.items() if was)
    yield f"by the card {used or 'no label or tone'} of test images used"
    if card.notes:
        yield card.notes


def _from_bundle(path: Path, root: Path, known: KnownRecords, out: Path) -> Submission | Refused:
    manifest, problems = open_bundle(path, root, known, out)
    if problems:
        return Refused(problems)
    (run,) = read_suites(out, [manifest.suite])
    cells = tuple(cell.id for cell in run.cells if cell.record)
    records = [cell.record for cell in run.cells if cell.record]
    return Submission(
        schema=SCHEMA,
        kind="bundle",
        title=one_line(manifest.title)[:_LONGEST],
        suite=manifest.suite,
        cells=cells,
        files=file_digests(out),
        about="; ".join(
            [
                "every number of it was computed again here",
                *(
                    f"{label} is not here, so what it does is its own word"
                    for label in not_here(root, records)
                ),
                *seed_remarks(cells, known.cells),
            ]
        ),
    )


def _memory_for(path: Path) -> int:
    """As for a bundle, over all files of a folder."""
    files = [path] if path.is_file() else [p for p in path.iterdir() if p.is_file()]
    return sum(map(memory_for, files))
