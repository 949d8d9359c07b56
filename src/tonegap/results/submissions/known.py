"""What this store knows of its tasks, to hold external submissions against: a record and a truth for each seed.

The mistake it exists to prevent: somebody else's numbers ranked beside ours though they answer another
question, or were scored against another truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tonegap.errors import BadRequest
from tonegap.formats.matrix import Cell
from tonegap.formats.record import Record
from tonegap.formats.truth import TaskTruth, decode_truth
from tonegap.results.bundle.agreement import Said, said_of, truths_of
from tonegap.results.questions import question_of
from tonegap.store.layout import truth_unit
from tonegap.store.read import read_suites


@dataclass(frozen=True, slots=True)
class KnownRecords:
    """The records of a store that name a truth, one for each task, seed, question and truth; and all of its cells."""

    store: Path
    records: tuple[Record, ...]
    cells: tuple[Cell, ...]

    def of_task(self, task: str) -> tuple[Record, ...]:
        """Those of one task, full ones before those on a part of its images. Raises BadRequest if there is none."""
        found = [record for record in self.records if record.task == task]
        if not found:
            there = ", ".join(sorted({record.task for record in self.records})) or "none"
            raise BadRequest(
                f"{self.store}: {task} never ran in this store, so nothing here can confirm its truth (there are: "
                f"{there}); run a suite with it first, one control is enough"
            )
        return tuple(
            sorted(found, key=lambda r: r.data.subset is not None or bool(r.data.exclusions))
        )

    def truth(self, record: Record) -> TaskTruth:
        """The truth that a record was scored against."""
        path = self.store / truth_unit(record.truth_sha256)
        return decode_truth(path.read_bytes(), record.truth_sha256, str(path))


def read_known(store: Path) -> KnownRecords:
    """What the suites that ran in a store know. Raises BadRequest if none ran."""
    cells = tuple(cell for run in read_suites(store) for cell in run.cells)
    found = {
        (r.task, r.seed, question_of(r), r.truth_sha256): r
        for cell in cells
        if (r := cell.record) and (store / truth_unit(r.truth_sha256)).is_file()
    }
    return KnownRecords(store, tuple(found.values()), cells)


def own_truths(store: Path) -> dict[str, Said]:
    """Label and tone of each image by task, as the suites that ran in a store were scored; none where none ran."""
    try:
        known = read_known(store).records
    except BadRequest:
        return {}
    tasks = {record.task for record in known}
    return {
        task: said_of(task, truths_of(store, [r for r in known if r.task == task]))[0]
        for task in sorted(tasks)
    }


def differences(record: Record, known: KnownRecords) -> Iterator[str]:
    """What makes an external record answer another question, or use other data, than this store's own."""
    ours = [r for r in known.of_task(record.task) if question_of(r) == question_of(record)]
    if not ours:
        yield _other_question(record, known.of_task(record.task)[0])
        return
    same_seed = [r for r in ours if r.seed == record.seed]
    candidates = same_seed or ours
    if record.truth_sha256 not in {r.truth_sha256 for r in candidates}:
        yield (
            f"scored against the truth {record.truth_sha256[:12]}…, and this store has "
            f"{candidates[0].truth_sha256[:12]}…: labels, tones or images of the test set differ"
        )
    if same_seed and not any(_data(r) == _data(record) for r in same_seed):
        yield "ran on other images, metadata, partitions or near-duplicates than this store's own results of that seed"


def _data(record: Record) -> object:
    return record.data, record.partitions, record.leaks


def _other_question(record: Record, ours: Record) -> str:
    theirs, here = question_of(record), question_of(ours)
    names = [n for n in here.__slots__ if getattr(theirs, n) != getattr(here, n)]
    listed = ", ".join(f"{n} is {getattr(theirs, n)}, here {getattr(here, n)}" for n in names)
    return f"answers another question: {listed}"
