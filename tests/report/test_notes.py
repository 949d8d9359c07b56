"""What is said of a table's images."""

from types import SimpleNamespace

from records import plain_record

from tonegap.formats.record import Leaks, PartitionId
from tonegap.report.notes import border_note


def table(*records):
    return SimpleNamespace(all_rows=[SimpleNamespace(records=records)])


def record(seed, n_copies, n_of_groups=None):
    parts = {"test": PartitionId(1500, {}, "d" * 64)}
    return plain_record(seed=seed, partitions=parts, leaks=Leaks(1, n_copies, {}, n_of_groups))


def test_copies_across_the_border_are_counted_once_for_seeds_that_share_them():
    assert border_note(table(record(0, 4), record(1, 4))) == (
        "Of 1,500 test images 4 have a near-duplicate in training or validation."
    )


def test_images_of_patients_are_counted_where_the_data_set_says_who_belongs_together():
    assert border_note(table(record(0, 4, 9), record(2, 4, 9), record(1, 0, 7))) == (
        "At seed 0, 2 of 1,500 test images 4 have a near-duplicate in training or validation, 9 are of a patient or "
        "lesion in training or validation; at seed 1 of 1,500 test images 0 have a near-duplicate in training or "
        "validation, 7 are of a patient or lesion in training or validation."
    )


def test_nothing_is_said_of_a_table_without_results():
    assert border_note(table()) == ""
