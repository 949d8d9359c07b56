"""What is said of a table's images."""

from records import plain_record

from tonegap.formats.record import EntryId, GroupLeak, Leaks, PartitionId, SyntheticId
from tonegap.report.phrases import split_note
from tonegap.report.table_notes import border_note, images_note
from tonegap.results.model import LeaderboardTable, Row, SeedResult


def table(*records):
    """A table of one entry; its view, metrics and ranks play no part in what is said of images."""
    seeds = tuple(SeedResult(r.seed, "k", r, None) for r in records)
    row = Row(EntryId("none", "erm", "cnn4"), False, seeds, (), {}, None, "")
    return LeaderboardTable("d/t", None, (), (), ("", "", ""), (row,), (), {})


def record(seed, n_copies, n_of_groups=None, **fields):
    parts = {"test": PartitionId(1500, {}, "d" * 64), "validation": PartitionId(100, {}, "d" * 64)}
    groups = {} if n_of_groups is None else {"patient_id": GroupLeak(n_of_groups, 0, 12)}
    leaks = Leaks(1, n_copies, {}, groups)
    return plain_record(seed=seed, partitions=parts, leaks=leaks, **fields)


def test_copies_across_the_border_are_counted_once_for_seeds_that_share_them():
    assert border_note(table(record(0, 4), record(1, 4))) == (
        "Of 1,500 test images 4 have a near-duplicate in training or validation."
    )


def test_images_of_patients_are_counted_where_the_data_set_says_who_belongs_together():
    assert border_note(table(record(0, 4, 9), record(2, 4, 9), record(1, 0, 15))) == (
        "At seed 0, 2 of 1,500 test images 4 have a near-duplicate in training or validation; test images of patients "
        "in training: 9 (0.6 %), 12 pairs of one patient; at seed 1 of 1,500 test images 0 have a near-duplicate in "
        "training or validation; test images of patients in training: 15 (1.0 %), 12 pairs of one patient."
    )


def test_images_left_out_for_want_of_a_tone_are_said():
    assert border_note(table(record(0, 0, n_without_tone=804))).endswith(
        "; 804 images of unknown tone are left out of the task."
    )


def test_nothing_is_said_of_a_table_without_results():
    assert border_note(table()) == ""


def leaking(seed, **groups):
    parts = {"test": PartitionId(200, {}, "d" * 64), "validation": PartitionId(100, {}, "d" * 64)}
    leaks = {f"{name}_id": GroupLeak(n, 0, n) for name, n in groups.items()}
    return plain_record(seed=seed, partitions=parts, leaks=Leaks(0, 0, {}, leaks))


def test_the_title_names_the_column_that_leaks_most_first_and_seeds_without_a_leak():
    # Of 200 test images 20 and 0 are of a lesion in training, 78 and 50 of a patient.
    both = table(leaking(0, lesion=20, patient=78), leaking(1, lesion=0, patient=50))
    assert split_note(both) == (
        "[split by image, not by patient or lesion: 25.0 to 39.0 % of test images are of a patient in training, "
        "0.0 to 10.0 % of a lesion in training]"
    )


def test_the_title_is_silent_on_a_column_that_never_leaks():
    assert split_note(table(leaking(0, lesion=0, patient=0))) == ""
    assert "lesion" not in split_note(table(leaking(0, lesion=0, patient=2)))


def test_entries_whose_method_made_no_image_are_named_and_no_others():
    of = EntryId("tone-shift", "erm", "cnn4")
    made = [SyntheticId(n, {}, "e" * 64) for n in (0, 3, 0)]
    records = [record(s, 0, entry=of, synthetic=m) for s, m in enumerate(made)]
    assert images_note(table(record(0, 0), *records)) == (
        "0 synthetic images were made, and real images alone trained: tone-shift + erm (cnn4) (seed 0, 2)."
    )
    assert images_note(table(record(0, 0), records[1])) is None
