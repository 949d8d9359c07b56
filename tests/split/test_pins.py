"""Pins: what moved is named; what is not pinned is taken as it comes; a pin changes nothing else."""

import base64
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tonegap.data.metadata import Metadata
from tonegap.declared.task import Pin, Task, read_task, task_ids
from tonegap.errors import BadSplit, BadSuiteFolder
from tonegap.files import sha256_lines
from tonegap.split.partition import new_partition, partition, unchecked_partition
from tonegap.split.pins import append_pin, libraries, pin_of

WriteTask = Callable[..., Task]
RANDOM = (
    'rule = "value-holdout"\nseeds = [0, 1]\ncolumn = "half"\ntrain = ["pool"]\ntest = ["probe"]',
    'rule = "random-holdout"\nseeds = [0, 1]\ntest_fraction = 0.25',
)


def pinned(task: Task, metadata: Metadata, seed: int = 0) -> Task:
    append_pin(task, unchecked_partition(task, metadata, seed), seed)
    return read_task(task.path.parents[3], task.id)


def with_pin(task: Task, key: str, **changes: str) -> Task:
    pin: Pin = msgspec.structs.replace(task.file.pins[key], **changes)
    return replace(task, file=msgspec.structs.replace(task.file, pins={key: pin}))


def with_cell(metadata: Metadata, column: str, row: int, cell: str) -> Metadata:
    cells = list(metadata.columns[column])
    cells[row] = cell
    return replace(metadata, columns={**metadata.columns, column: tuple(cells)})


def swapped(metadata: Metadata, a: int, b: int) -> Metadata:
    """The same metadata with two rows exchanged."""
    order = list(range(len(metadata.ids)))
    order[a], order[b] = b, a
    return replace(
        metadata,
        ids=tuple(metadata.ids[i] for i in order),
        columns={k: tuple(c[i] for i in order) for k, c in metadata.columns.items()},
        tones={k: tuple(t[i] for i in order) for k, t in metadata.tones.items()},
    )


def test_a_task_without_pins_is_taken_as_it_comes(write_task: WriteTask, eight: Metadata) -> None:
    made = partition(write_task(), eight, 12345)
    assert made.members("test") == ("q0", "q1", "q2", "q3")
    assert made.sizes == {"train": 3, "validation": 1, "test": 4, "unused": 0}


def test_pin_digests_are_of_the_sorted_ids(write_task: WriteTask, eight: Metadata) -> None:
    pin = pin_of(partition(write_task(), eight, 0))
    assert pin.test == sha256_lines(["q0", "q1", "q2", "q3"])
    assert pin.unused == sha256_lines([])
    assert pin.ids == sha256_lines(["p0", "p1", "p2", "p3", "q0", "q1", "q2", "q3"])


def test_a_pin_holds_no_id(write_task: WriteTask, eight: Metadata) -> None:
    pin = pin_of(partition(write_task(), eight, 0))
    codes = zlib.decompress(base64.b64decode(pin.assignment))
    assert sorted(codes) == [0, 0, 0, 1, 2, 2, 2, 2]


def test_a_moved_image_is_named_with_both_partitions(
    write_task: WriteTask, eight: Metadata
) -> None:
    task = pinned(write_task(("strata = []", 'strata = ["tone"]')), eight)
    moved = with_cell(eight, "half", 5, "spare")
    with pytest.raises(BadSplit) as e:
        partition(task, moved, 0)
    text = str(e.value)
    assert text.startswith("mine/task, the published split: 1 image is not where the pin in ")
    assert "(q1 test -> unused)" in text
    assert f", with {libraries()}; compare small.csv with the released file" in text
    assert "labels, tones, groups and order of rows count" in text


def test_other_releases_than_those_of_the_pin_are_named(
    write_task: WriteTask, eight: Metadata
) -> None:
    task = with_pin(pinned(write_task(), eight), "published", made_with="pandas 0.1")
    with pytest.raises(BadSplit, match=r"install the releases of the pin \(pandas 0.1\)"):
        partition(task, with_cell(eight, "half", 5, "spare"), 0)


def test_the_first_three_of_many_are_named(write_task: WriteTask, eight: Metadata) -> None:
    task = pinned(write_task(), eight)
    unused = eight
    for row in (4, 5, 6, 7):
        unused = with_cell(unused, "half", row, "probe" if row == 4 else "spare")
    with pytest.raises(
        BadSplit, match="q1 test -> unused, q2 test -> unused, q3 test -> unused\\)"
    ):
        partition(task, unused, 0)


def test_two_rows_in_another_order_move_images(write_task: WriteTask, eight: Metadata) -> None:
    task = pinned(write_task(RANDOM), eight)
    made = partition(task, eight, 0)
    test, train = made.parts.index("test"), made.parts.index("train")
    with pytest.raises(BadSplit, match=f"{eight.ids[test]} test -> "):
        partition(task, swapped(eight, test, train), 0)


def test_the_order_of_rows_is_free_where_the_rule_ignores_it(
    write_task: WriteTask, eight: Metadata
) -> None:
    task = pinned(write_task(), eight)
    made, other = partition(task, eight, 0), partition(task, swapped(eight, 0, 7), 0)
    assert dict(zip(made.ids, made.parts, strict=True)) == dict(
        zip(other.ids, other.parts, strict=True)
    )


def test_other_rows_are_counted(write_task: WriteTask, eight: Metadata) -> None:
    task = pinned(write_task(), eight)
    fewer = replace(
        eight,
        ids=eight.ids[:7],
        columns={k: c[:7] for k, c in eight.columns.items()},
        tones={k: t[:7] for k, t in eight.tones.items()},
    )
    with pytest.raises(BadSplit, match=r"the metadata has other rows .*found 7 ids, wanted 8"):
        partition(task, fewer, 0)


def test_a_pin_that_was_edited_names_ids(write_task: WriteTask, eight: Metadata) -> None:
    task = with_pin(pinned(write_task(), eight), "published", test="0" * 64)
    with pytest.raises(
        BadSuiteFolder, match=r"pins.published.test is not .* \(first: q0, q1, q2\)"
    ):
        partition(task, eight, 0)


@pytest.mark.parametrize(
    "assignment", ["", "!", "AAAA", base64.b64encode(zlib.compress(b"\x09" * 8)).decode()]
)
def test_a_damaged_assignment_is_an_error(
    assignment: str, write_task: WriteTask, eight: Metadata
) -> None:
    task = with_pin(pinned(write_task(), eight), "published", assignment=assignment)
    with pytest.raises(BadSuiteFolder, match=r"pins\.published\.assignment is damaged"):
        partition(task, eight, 0)


def test_any_seed_gives_the_one_published_split(write_task: WriteTask, eight: Metadata) -> None:
    task = pinned(write_task(), eight)
    assert partition(task, eight, 99) == partition(task, eight, 0)


def test_a_seed_without_a_pin_is_refused_where_others_have_one(
    write_task: WriteTask, eight: Metadata
) -> None:
    task = pinned(write_task(RANDOM), eight, seed=0)
    with pytest.raises(BadSplit, match=r"no pin for seed 1; pinned are 0; .* --seed 1 --pin"):
        partition(task, eight, 1)


def test_pinning_leaves_the_rest_of_the_file_as_it_is(
    write_task: WriteTask, eight: Metadata
) -> None:
    task = write_task(RANDOM, ("For a test.", "For a test. # –\t é"))
    before = task.path.read_bytes()
    both = pinned(pinned(task, eight, 0), eight, 1)
    assert both.path.read_bytes().startswith(before)
    assert list(both.file.pins) == ["0", "1"]
    assert partition(both, eight, 1) == unchecked_partition(task, eight, 1)


def test_who_cannot_remake_an_old_pin_cannot_add_one(
    write_task: WriteTask, eight: Metadata
) -> None:
    task = pinned(write_task(RANDOM), eight, 0)
    made = partition(task, eight, 0)
    moved = swapped(eight, made.parts.index("test"), made.parts.index("train"))
    with pytest.raises(BadSplit, match="not where the pin"):
        new_partition(task, moved, 1)


def test_pinning_works_without_a_last_line_end(write_task: WriteTask, eight: Metadata) -> None:
    task = write_task()
    task.path.write_bytes(task.path.read_bytes().rstrip())
    assert list(pinned(task, eight).file.pins) == ["published"]


def test_every_seed_of_every_shipped_task_is_pinned(project: Path) -> None:
    tasks = [read_task(project, i) for i in task_ids(project)]
    missing = [(t.id, s) for t in tasks for s in t.seeds if t.pin_key(s) not in t.file.pins]
    assert missing == []
