"""Each rule on a handful of images whose partitions can be read off."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from tonegap.data.metadata import Metadata
from tonegap.declared.split_rules import (
    DrawnValidation,
    GroupedHoldout,
    GroupedKFold,
    RandomHoldout,
    RandomThreeWay,
    ReferenceImages,
    TextHoldout,
    ToneHoldout,
    ValueHoldout,
)
from tonegap.declared.task import Task
from tonegap.errors import BadData, BadSplit, BadSuiteFolder
from tonegap.split.id_lists import left_out, read_list
from tonegap.split.labels import spelling
from tonegap.split.leaks import group_leaks
from tonegap.split.partition import new_partition, partition
from tonegap.split.published import published_parts, unused_lines, unused_values
from tonegap.split.rows import SelectedRows, rows_of
from tonegap.split.unknown_tones import unknown_tones

WriteTask = Callable[..., Task]
Small = Callable[..., Metadata]


def rows_from(metadata: Metadata) -> SelectedRows:
    index = tuple(range(len(metadata.ids)))
    return SelectedRows(metadata, index, metadata.columns["label"], metadata.tones["tone"])


def test_value_hold_out_leaves_other_values_unused(small: Small) -> None:
    metadata = small("wxyz", "aaaa", ["I"] * 4, qc=["", "1 sure", "2 less", "1 sure"])
    rule = ValueHoldout(seeds=(0,), column="qc", train=("",), test=("1 sure",))
    assert published_parts(rule, rows_from(metadata), 0) == ["train", "test", "unused", "test"]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            ("Train", "test "),
            "1 'Train' beside 'train', 1 'test ' beside 'test'; list them in split",
        ),
        (("TEST", "TEST"), "2 'TEST' beside 'test'"),
        ((" ", "other"), "1 ' ' beside ''"),
    ],
)
def test_value_hold_out_refuses_another_spelling(
    small: Small, cells: tuple[str, str], words: str
) -> None:
    rule = ValueHoldout(seeds=(0,), column="half", train=("train", ""), test=("test",))
    metadata = small("vwxyz", "aaaaa", ["I"] * 5, half=["train", "", "test", *cells])
    with pytest.raises(BadSplit) as e:
        published_parts(rule, rows_from(metadata), 0)
    assert (
        f"small.csv: half has values that differ in spelling alone from those of the split: {words}"
        in (str(e.value))
    )


def test_value_hold_out_takes_spellings_that_are_listed(small: Small) -> None:
    half = ["train", "Train", "test", "TEST"]
    rule = ValueHoldout(
        seeds=(0,), column="half", train=("train", "Train"), test=("test",), unused=("TEST", "none")
    )
    metadata = small("wxyz", "aaaa", ["I"] * 4, half=half)
    assert published_parts(rule, rows_from(metadata), 0) == ["train", "train", "test", "unused"]


def test_value_hold_out_refuses_a_value_that_no_row_has(small: Small) -> None:
    rule = ValueHoldout(seeds=(0,), column="half", train=("train",), test=("test", "held out"))
    metadata = small("xyz", "aaa", ["I"] * 3, half=["train", "test", ""])
    words = "half has no row of the value 'held out' of split.test; it has: '', 'test', 'train'"
    with pytest.raises(BadSplit, match=words):
        published_parts(rule, rows_from(metadata), 0)


def test_images_that_a_split_by_value_leaves_unused_are_counted_by_value(
    write_task: WriteTask, small: Small
) -> None:
    # p3 has a class that the task does not take.
    half = ["pool", "spare", "Spare", "spare", "probe", "spare", "none"]
    metadata = small(["p0", "p1", "p2", "p3", "q0", "q1", "q2"], "abacbab", ["I"] * 7, half=half)
    task = write_task()
    values = unused_values(task, metadata)
    assert values == {"spare": 2, "Spare": 1, "none": 1}
    assert unused_lines(task, values) == [
        "images that the split by half leaves unused: 4 ('spare' 2, 'Spare' 1, 'none' 1)"
    ]
    assert unused_lines(task, {}) == []


def test_tone_hold_out_tests_all_other_tones_and_the_unknown(small: Small) -> None:
    metadata = small("wxyz", "aaaa", ["I", "II", "VI", None])
    rule = ToneHoldout(seeds=(0,), train=("I", "II"))
    assert published_parts(rule, rows_from(metadata), 0) == ["train", "train", "test", "test"]


def test_tone_hold_out_drops_labels_of_one_side(small: Small) -> None:
    metadata = small("vwxyz", "aabac", ["I", "VI", "I", "VI", "VI"])
    rule = ToneHoldout(seeds=(0,), train=("I",), common="label")
    parts = published_parts(rule, rows_from(metadata), 0)
    assert parts == ["train", "test", "unused", "test", "unused"]


def test_text_hold_out_leaves_an_empty_cell_unused(small: Small) -> None:
    urls = ["http://one/1", "http://two/1", "", "http://three"]
    rule = TextHoldout(seeds=(0,), column="url", train="one", test="two")
    metadata = small("wxyz", "aaaa", ["I"] * 4, url=urls)
    parts = published_parts(rule, rows_from(metadata), 0)
    assert parts == ["train", "test", "unused", "unused"]


def test_random_hold_out_keeps_the_shares_of_the_stratum(small: Small) -> None:
    metadata = small([f"i{n}" for n in range(20)], "a" * 10 + "b" * 10, ["I"] * 20)
    rule = RandomHoldout(seeds=(0,), test_fraction=0.2, stratify="label", random_state=3)
    parts = published_parts(rule, rows_from(metadata), 0)
    assert (parts[:10].count("test"), parts[10:].count("test")) == (2, 2)
    assert parts == published_parts(rule, rows_from(metadata), 1)


def test_random_hold_out_without_a_state_follows_the_seed(small: Small) -> None:
    metadata = small([f"i{n}" for n in range(20)], "a" * 20, ["I"] * 20)
    rule = RandomHoldout(seeds=(0,), test_fraction=0.2)
    first, second = (published_parts(rule, rows_from(metadata), seed) for seed in (0, 1))
    assert first.count("test") == second.count("test") == 4
    assert first != second


def test_random_three_way_halves_what_is_held_out(small: Small) -> None:
    metadata = small([f"i{n}" for n in range(20)], "a" * 20, ["I"] * 20)
    rule = RandomThreeWay(seeds=(0,), held_out_fraction=0.2, random_state=3)
    parts = published_parts(rule, rows_from(metadata), 0)
    assert [parts.count(p) for p in ("train", "validation", "test")] == [16, 2, 2]


def test_random_three_way_on_sorted_ids_is_the_same_for_any_order_of_rows(small: Small) -> None:
    ids = [f"i{n:02}" for n in range(20)]
    rule = RandomThreeWay(
        seeds=(0,), held_out_fraction=0.2, random_state=5, halving_state=6, sorted_ids=True
    )
    one, other = (
        dict(
            zip(
                order,
                published_parts(rule, rows_from(small(order, "a" * 20, ["I"] * 20)), 0),
                strict=True,
            )
        )
        for order in (ids, ids[::-1])
    )
    assert one == other


def test_text_hold_out_drops_rare_labels_before_it_draws_validation(small: Small) -> None:
    labels = "a" * 8 + "b" * 3 + "ab"
    urls = ["one"] * 11 + ["two"] * 2
    drawn = DrawnValidation(fraction=0.25, random_state=0, stratify="label")
    rule = TextHoldout(
        seeds=(0,),
        column="url",
        train="one",
        test="two",
        common="label",
        at_least=4,
        validation=drawn,
    )
    metadata = small([f"i{n:02}" for n in range(13)], labels, ["I"] * 13, url=urls)
    parts = published_parts(rule, rows_from(metadata), 0)
    assert [parts[:8].count(p) for p in ("train", "validation")] == [6, 2]
    assert parts[8:] == ["unused"] * 3 + ["test", "unused"]


def test_a_stratum_of_one_is_named(small: Small) -> None:
    metadata = small([f"i{n}" for n in range(9)], "aaaabbbbc", ["I"] * 9)
    rule = RandomHoldout(seeds=(0,), test_fraction=0.5, stratify="label", random_state=3)
    with pytest.raises(BadSplit, match="'c' of label has one image, which cannot be on both sides"):
        published_parts(rule, rows_from(metadata), 0)


@pytest.mark.parametrize(("joins", "dark_training"), [(True, 2), (False, 0)])
def test_light_references_are_used_nowhere(joins: bool, dark_training: int, small: Small) -> None:
    tones = ["I", "II", "I", "V", "VI", "V", "III"] * 2
    metadata = small([f"i{n}" for n in range(14)], "a" * 7 + "b" * 7, tones)
    rule = ReferenceImages(
        seeds=(0,),
        light=("I", "II"),
        dark=("V", "VI"),
        references=1,
        within="class",
        dark_in_training=joins,
    )
    parts = published_parts(rule, rows_from(metadata), 0)
    light = [p for p, t in zip(parts, tones, strict=True) if t in {"I", "II"}]
    dark = [p for p, t in zip(parts, tones, strict=True) if t in {"V", "VI"}]
    assert (light.count("train"), light.count("unused")) == (4, 2)
    assert (dark.count("test"), dark.count("train")) == (4, dark_training)
    assert [parts[6], parts[13]] == ["unused", "unused"]


def test_too_few_images_for_references_are_an_error(small: Small) -> None:
    metadata = small("wxyz", "aabb", ["I", "VI", "I", "VI"])
    rule = ReferenceImages(
        seeds=(0,),
        light=("I",),
        dark=("VI",),
        references=2,
        within="class",
        dark_in_training=True,
    )
    with pytest.raises(BadSplit, match="2 reference images cannot be drawn within each class"):
        published_parts(rule, rows_from(metadata), 0)


def test_a_stratum_of_one_image_is_an_error(small: Small) -> None:
    metadata = small("wxyz", "aaab", ["I"] * 4)
    rule = RandomHoldout(seeds=(0,), test_fraction=0.5, stratify="label")
    with pytest.raises(BadSplit, match="4 images cannot be split"):
        published_parts(rule, rows_from(metadata), 0)


@pytest.mark.parametrize("rule", [RandomHoldout, RandomThreeWay])
def test_a_share_that_leaves_nothing_is_an_error(small: Small, rule: type) -> None:
    metadata = small("wx", "ab", ["I"] * 2)
    shares = {RandomHoldout: "test_fraction", RandomThreeWay: "held_out_fraction"}
    share = {shares[rule]: 0.99, "random_state": 0}
    with pytest.raises(
        BadSplit, match=r"images cannot be split with a share of 0.\d+ held out: With n_samples"
    ):
        published_parts(rule(seeds=(0,), stratify="", **share), rows_from(metadata), 0)


def test_a_missing_column_names_those_there_are(small: Small) -> None:
    metadata = small("wxyz", "aaab", ["I"] * 4)
    with pytest.raises(BadSplit, match="column 'url', this layout \\(small\\) has: label"):
        rows_from(metadata).cells("url")


def test_labels_outside_the_classes_take_no_part(write_task: WriteTask, small: Small) -> None:
    metadata = small("wxyz", "abcb", ["I"] * 4)
    rows = rows_of(write_task(), metadata)
    assert rows.ids == ("w", "x", "z")


def test_an_unknown_tone_takes_part_unless_left_out(write_task: WriteTask, small: Small) -> None:
    metadata = small("wxyz", "abab", ["I", None, "VI", "I"])
    assert rows_of(write_task(), metadata).ids == ("w", "x", "y", "z")
    without = write_task(('scored = ["I", "VI"]', 'scored = ["I", "VI"]\nkeep_unknown = false'))
    assert rows_of(without, metadata).ids == ("w", "y", "z")


def test_a_class_without_an_image_is_an_error(write_task: WriteTask, small: Small) -> None:
    with pytest.raises(BadSplit, match="takes part in mine/task is 'b'; label has: a, c"):
        rows_of(write_task(), small("wxyz", "aaac", ["I"] * 4))


def test_renamed_cells_are_the_classes(write_task: WriteTask, small: Small) -> None:
    task = write_task(
        ('column = "label"', 'column = "label"\nrename = { True = "b", False = "a" }')
    )
    rows = rows_of(task, small("xy", ["True", "False"], ["I", "I"]))
    assert rows.classes == ("b", "a")


def test_all_classes_are_those_of_the_partitions(write_task: WriteTask, eight: Metadata) -> None:
    task = write_task(('classes = ["a", "b"]\npositive = ["b"]', 'classes = "all"'))
    assert task.classes == ()
    halves = ("pool",) * 4 + ("probe",) * 2 + ("spare",) * 2
    columns = {"label": ("b", "a", "b", "a", "b", "a", "never", "never"), "half": halves}
    made = partition(task, replace(eight, columns=columns), 0)
    assert made.classes == ("a", "b")


def test_positive_classes_can_follow_from_another_column(
    write_task: WriteTask, eight: Metadata
) -> None:
    where = 'positive_where = { column = "kind", value = "bad" }'
    task = write_task(('positive = ["b"]', where))
    kinds = {"kind": ("bad", "good") * 4}
    made = partition(task, replace(eight, columns={**eight.columns, **kinds}), 0)
    assert made.positive == ("a",)


def test_a_class_that_is_positive_in_part_is_an_error(
    write_task: WriteTask, eight: Metadata
) -> None:
    where = 'positive_where = { column = "kind", value = "bad" }'
    task = write_task(('positive = ["b"]', where))
    kinds = {"kind": ("bad",) + ("good",) * 7}
    with pytest.raises(BadSplit, match="some images of class 'a' have kind 'bad' and some have"):
        partition(task, replace(eight, columns={**eight.columns, **kinds}), 0)


def test_an_empty_test_set_is_an_error(write_task: WriteTask, eight: Metadata) -> None:
    # All that is in the probe is of no class of the task.
    none = {"label": (*eight.columns["label"][:4], *"cccc")}
    with pytest.raises(BadSplit, match="mine/task has no test image"):
        partition(write_task(), replace(eight, columns={**eight.columns, **none}), 0)


def test_labels_are_given_for_used_images_only(write_task: WriteTask, eight: Metadata) -> None:
    made = partition(write_task(('test = ["probe"]', 'test = ["probe"]')), eight, 0)
    assert made.labels == eight.columns["label"]
    task = write_task(('classes = ["a", "b"]', 'classes = ["b", "c"]'))
    columns = {**eight.columns, "label": ("b", "c", "c", "a", "b", "c", "a", "a")}
    labels = partition(task, replace(eight, columns=columns), 0).labels
    assert labels == ("b", "c", "c", None, "b", "c", None, None)


class TestLabelsOfOtherSpelling:
    @pytest.mark.parametrize("other", ["B", "b ", " b", "\uff42"])
    def test_one_beside_a_declared_class_is_refused(
        self, write_task: WriteTask, small: Small, other: str
    ) -> None:
        metadata = small("wxyz", ["a", "b", other, "c"], ["I"] * 4, half=["pool"] * 4)
        with pytest.raises(BadSplit, match=r"spelling alone: 1 .* beside 'b'; map them"):
            rows_of(write_task(), metadata)

    def test_five_of_seven_are_named_and_the_others_counted(
        self, write_task: WriteTask, small: Small
    ) -> None:
        others = ["B", "b ", " b", "\uff42", "B ", " B", "\uff22"]
        metadata = small("qrstuvwxy", ["a", "b", *others], ["I"] * 9, half=["pool"] * 9)
        with pytest.raises(BadSplit) as e:
            rows_of(write_task(), metadata)
        assert str(e.value).count(" beside 'b'") == 5
        assert "1 'B ' beside 'b' and 2 more; map them" in str(e.value)

    def test_a_whole_number_may_come_as_a_fraction(
        self, write_task: WriteTask, small: Small
    ) -> None:
        task = write_task(('["a", "b"]', '["0", "1"]'), ('positive = ["b"]', 'positive = ["1"]'))
        metadata = small("wxyz", ["0", "1", "1.0", "10"], ["I"] * 4, half=["pool"] * 4)
        with pytest.raises(BadSplit, match=r"spelling alone: 1 '1\.0' beside '1'"):
            rows_of(task, metadata)

    def test_mapped_or_excluded_on_purpose_it_is_taken_or_left(
        self, write_task: WriteTask, small: Small
    ) -> None:
        metadata = small("wxyz", ["a", "b", "B", "c"], ["I"] * 4, half=["pool"] * 4)
        mapped = write_task(('positive = ["b"]', 'positive = ["b"]\nrename = { B = "b" }'))
        assert rows_of(mapped, metadata).classes == ("a", "b", "b")
        left = write_task(('positive = ["b"]', 'positive = ["b"]\nexclude = ["B"]'))
        assert rows_of(left, metadata).classes == ("a", "b")

    def test_without_declared_classes_two_spellings_are_refused(
        self, write_task: WriteTask, small: Small
    ) -> None:
        task = write_task(('["a", "b"]', '"all"'), ('positive = ["b"]', ""))
        metadata = small("vwxyz", ["yes", "yes", "YES", "no", "no"], ["I"] * 5, half=["pool"] * 5)
        with pytest.raises(BadSplit, match="spelling alone: 2 'yes', 1 'YES'"):
            rows_of(task, metadata)

    def test_blank_and_nan_are_no_classes(self, write_task: WriteTask, small: Small) -> None:
        task = write_task(('["a", "b"]', '"all"'), ('positive = ["b"]', ""))
        metadata = small("vwxyz", ["a", " ", "nan", "NaN", ""], ["I"] * 5, half=["pool"] * 5)
        assert rows_of(task, metadata).ids == ("v",)

    @pytest.mark.parametrize(
        "pair", [("-1", "1"), ("grade 1", "grade 10"), ("benign", "malignant"), ("1.5", "1.50")]
    )
    def test_other_labels_are_other_labels(self, pair: tuple[str, str]) -> None:
        assert spelling(pair[0]) != spelling(pair[1])


class TestGroups:
    RULE = GroupedHoldout(seeds=(0,), columns=("patient",), test_fraction=0.2)
    FOLDS = GroupedKFold(seeds=(0,), columns=("patient",), folds=5)

    @staticmethod
    def clinic(small: Small, n: int = 100, **more: list[str]) -> Metadata:
        """Two images for each patient, and as many of either label."""
        patients = [f"p{i // 2}" for i in range(n)]
        labels = ["a" if i // 2 % 2 else "b" for i in range(n)]
        ids = [f"i{i:03}" for i in range(n)]
        return small(ids, labels, ["I"] * n, **{"patient": patients, **more})

    def test_no_patient_is_on_two_sides(self, small: Small) -> None:
        metadata = self.clinic(small)
        for seed in range(10):
            parts = published_parts(self.RULE, rows_from(metadata), seed)
            sides = {(p, part) for p, part in zip(metadata.columns["patient"], parts, strict=True)}
            assert len(sides) == 50
            # Pairs make up exactly a fifth of 100 images.
            assert [parts.count(part) for part in ("train", "test")] == [80, 20]

    def test_shares_hold_within_class_and_tone(self, small: Small) -> None:
        metadata = self.clinic(small)
        parts = published_parts(self.RULE, rows_from(metadata), 1)
        for label in "ab":
            own = zip(parts, metadata.columns["label"], strict=True)
            assert [part for part, name in own if name == label].count("test") == 10

    def test_folds_test_on_every_image_once_and_on_no_patient_twice(self, small: Small) -> None:
        metadata = self.clinic(small)
        tested: list[str] = []
        for seed in range(5):
            parts = published_parts(self.FOLDS, rows_from(metadata), seed)
            assert parts.count("test") == 20
            sides = {(p, part) for p, part in zip(metadata.columns["patient"], parts, strict=True)}
            assert len(sides) == 50
            tested += [i for i, part in zip(metadata.ids, parts, strict=True) if part == "test"]
        assert sorted(tested) == sorted(metadata.ids)
        again = published_parts(self.FOLDS, rows_from(metadata), 5)
        assert again != published_parts(self.FOLDS, rows_from(metadata), 0)  # another shuffle

    def test_validation_takes_whole_patients_out_of_training(
        self, write_task: WriteTask, small: Small
    ) -> None:
        task = write_task(
            (
                TASK_SPLIT,
                'rule = "grouped-k-fold"\nseeds = [0, 1]\nfolds = 5\ncolumns = ["patient"]',
            ),
            ('rule = "carve"', 'rule = "grouped-carve"\ncolumns = ["patient"]'),
        )
        metadata = self.clinic(small)
        made = partition(task, metadata, 1)
        assert made.sizes == {"train": 60, "validation": 20, "test": 20, "unused": 0}
        sides = set(zip(metadata.columns["patient"], made.parts, strict=True))
        assert len(sides) == 50

    def test_a_fold_without_an_image_is_named(self, write_task: WriteTask, small: Small) -> None:
        # Two patients fill two of five folds.
        rule = 'rule = "grouped-k-fold"\nseeds = [0]\nfolds = 5\ncolumns = ["patient"]'
        task = write_task((TASK_SPLIT, rule))
        with pytest.raises(BadSplit, match=r"task, seed 4 \(fold 5 of 5\) has no test image"):
            partition(task, self.clinic(small, 4), 4)

    def test_any_of_several_columns_keeps_images_together(self, small: Small) -> None:
        # One chain: i0 and i1 share a patient, i1 and i2 a lesion; the others are alone.
        metadata = small(
            [f"i{i}" for i in range(10)],
            "a" * 10,
            ["I"] * 10,
            patient=["p", "p", *[""] * 8],
            lesion=["", "l", "l", *[" "] * 7],
        )
        rule = structs.replace(self.RULE, columns=("patient", "lesion"))
        for seed in range(20):
            parts = published_parts(rule, rows_from(metadata), seed)
            assert len(set(parts[:3])) == 1

    def test_a_seed_gives_the_same_and_another_seed_another_split(self, small: Small) -> None:
        rows = rows_from(self.clinic(small))
        first = published_parts(self.RULE, rows, 0)
        assert published_parts(self.RULE, rows, 0) == first
        assert published_parts(self.RULE, rows, 1) != first

    @pytest.mark.parametrize("rule", [RULE, FOLDS])
    def test_the_order_of_rows_moves_no_image(
        self, rule: GroupedHoldout | GroupedKFold, small: Small
    ) -> None:
        metadata = self.clinic(small)
        turned = small(
            metadata.ids[::-1],
            metadata.columns["label"][::-1],
            ["I"] * 100,
            patient=metadata.columns["patient"][::-1],
        )
        first = published_parts(rule, rows_from(metadata), 3)
        assert published_parts(rule, rows_from(turned), 3) == first[::-1]

    def test_without_groups_it_is_said_what_to_declare(self, small: Small) -> None:
        rule = structs.replace(self.RULE, columns=())
        with pytest.raises(BadSplit, match="name the columns of patient or lesion as `groups`"):
            published_parts(rule, rows_from(self.clinic(small)), 0)

    def test_one_fold_and_published_validation_are_refused(self, write_task: WriteTask) -> None:
        folds = 'rule = "grouped-k-fold"\nseeds = [0]\nfolds = '
        with pytest.raises(BadSuiteFolder, match=r"split.folds: found 1, wanted 2 or more"):
            write_task((TASK_SPLIT, f"{folds}1"))
        with pytest.raises(BadSuiteFolder, match="belongs to the split rules"):
            write_task(
                (TASK_SPLIT, f"{folds}5"),
                ('rule = "carve"\nfraction = 0.25\nstrata = []', 'rule = "published"'),
            )


TASK_SPLIT = """\
rule = "value-holdout"
seeds = [0, 1]
column = "half"
train = ["pool"]
test = ["probe"]"""


def test_images_of_patients_on_both_sides_are_counted_by_column(
    write_task: WriteTask, small: Small
) -> None:
    # p1 to p3 in the pool. q0 is of patient 1 too, q1 has p2's lesion, q2 has nobody's, q3 is unused.
    columns = {
        "patient": ("1", "2", "3", "1", "", "5", "3"),
        "lesion": ("", "l2", "", "", "l2", "", ""),
    }
    metadata = small(
        ["p1", "p2", "p3", "q0", "q1", "q2", "q3"],
        ["a", "b", "a", "a", "b", "a", "c"],
        ["I"] * 7,
        half=["pool"] * 3 + ["probe"] * 4,
        **columns,
    )
    made = partition(write_task(), metadata, 0)
    assert group_leaks(metadata, made) == {}
    leaks = group_leaks(replace(metadata, groups=columns), made)
    assert {name: (leak.n_test_images, leak.n_pairs) for name, leak in leaks.items()} == {
        "patient": (1, 1),
        "lesion": (1, 1),
    }
    assert leaks["patient"].text("patient_id", 3, 1) == (
        "test images of patients in training: 1 (33.3 %), 1 pair of one patient; "
        "1 of 6 images has no patient_id: leaks among them are not known"
    )


def test_a_published_column_of_three_values_is_taken_as_it_is(
    write_task: WriteTask, eight: Metadata
) -> None:
    task = write_task(
        ('test = ["probe"]', 'validation = ["val"]\ntest = ["probe"]'),
        ('rule = "carve"\nfraction = 0.25\nstrata = []', 'rule = "published"'),
    )
    halves = ("pool", "pool", "val", "val", *("probe",) * 4)
    made = partition(task, replace(eight, columns={**eight.columns, "half": halves}), 0)
    assert made.parts == ("train", "train", "validation", "validation", *("test",) * 4)


class TestLists:
    RULE = ((TASK_SPLIT, 'rule = "pinned"\nseeds = [0]'),)

    def test_a_list_is_the_split_and_what_it_lacks_is_unused(
        self, write_task: WriteTask, eight: Metadata, tmp_path: Path
    ) -> None:
        parts = ["train", "train", "train", "train", "test", "test", "test"]
        lines = [f"{i},{part}" for i, part in zip(eight.ids, parts, strict=False)]
        path = tmp_path / "list.csv"
        path.write_text("\n".join(["image_id,partition", *lines]))
        made = new_partition(write_task(*self.RULE), eight, 0, read_list(path, eight))
        assert made.sizes == {"train": 3, "validation": 1, "test": 3, "unused": 1}

    def test_a_list_with_validation_images_is_not_carved_anew(
        self, write_task: WriteTask, eight: Metadata
    ) -> None:
        parts = ("train", "train", "validation", "validation", "test", "test", "test", "test")
        listed = dict(zip(eight.ids, parts, strict=True))
        with pytest.raises(BadSplit, match=r"the list puts 2 of its images into validation, and"):
            new_partition(write_task(*self.RULE), eight, 0, listed)
        kept = ('rule = "carve"\nfraction = 0.25\nstrata = []', 'rule = "published"')
        assert new_partition(write_task(*self.RULE, kept), eight, 0, listed).parts == parts

    def test_listed_images_of_no_class_are_counted(
        self, write_task: WriteTask, eight: Metadata
    ) -> None:
        labels = ("a", "b", "c", *eight.columns["label"][3:])
        other = replace(eight, columns={**eight.columns, "label": labels})
        listed = dict.fromkeys(eight.ids[:4], "train") | dict.fromkeys(eight.ids[4:7], "test")
        made = new_partition(write_task(*self.RULE), other, 0, listed)
        assert left_out(listed, made)[0].endswith(": 1 of 7 are unused (first: p2)")
        whole = new_partition(write_task(*self.RULE), eight, 0, listed)
        assert left_out(listed, whole) == []

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("image_id,fold\np0,train", "no column 'partition'"),
            ("image_id,partition\np0,dev", "line 2: partition is 'dev'"),
            ("image_id,partition\np0,train\np0,test", "line 3: p0 is listed in two partitions"),
            ("image_id,partition\nx9,train", r"1 of 1 listed ids are none of .*x9"),
        ],
    )
    def test_another_table_is_refused(
        self, eight: Metadata, tmp_path: Path, text: str, said: str
    ) -> None:
        path = tmp_path / "list.csv"
        path.write_text(text)
        with pytest.raises(BadData, match=said):
            read_list(path, eight)


class TestUnknownTones:
    # Of eight a's two have no tone, of eight b's six: 50 % of all images are b, with a tone 2 of 8.
    LABELS = ("a", "b") * 8
    TONES = tuple(None if (label == "a") == (i < 4) else "I" for i, label in enumerate(LABELS))

    def test_classes_are_crossed_with_unknown_tone(
        self, write_task: WriteTask, small: Small
    ) -> None:
        ids = [f"i{i:02}" for i in range(16)]
        metadata = small(ids, self.LABELS, self.TONES, half=["pool", "pool", "probe", "probe"] * 4)
        kept = unknown_tones(write_task(), metadata)
        assert kept.by_class == {"a": (6, 2), "b": (2, 6)}
        assert kept.text == "images of unknown tone: 8 of 16, kept (b 6 of 8, a 2 of 8)"
        assert kept.moved == "leaving them out would move b from 50.0 to 25.0 % of images"

    def test_dropped_ones_are_counted_and_kept_ones_take_part(
        self, write_task: WriteTask, small: Small
    ) -> None:
        ids = [f"i{i:02}" for i in range(16)]
        metadata = small(ids, self.LABELS, self.TONES, half=["pool", "pool", "probe", "probe"] * 4)
        assert partition(write_task(), metadata, 0).sizes["unused"] == 0
        task = write_task(('scored = ["I", "VI"]', 'scored = ["I", "VI"]\nkeep_unknown = false'))
        made = partition(task, metadata, 0)
        assert (made.sizes["unused"], made.n_without_tone) == (8, 8)


class TestTonesThatCannotBeScored:
    """Types are scored by group, and a group with too few images is hidden where it would be tested."""

    CHANGES = (('scored = ["I", "VI"]', 'scored = ["I-II", "III-IV"]\nnot_scored = ["V-VI"]'),)

    def test_a_test_image_of_such_a_tone_has_none_and_a_training_image_keeps_it(
        self, write_task: WriteTask, small: Small
    ) -> None:
        metadata = small(
            ["p0", "p1", "p2", "p3", "q0", "q1", "q2", "q3"],
            ["a", "b"] * 4,
            ["I", "II", "VI", "V", "III", "IV", "V", None],
            half=["pool"] * 4 + ["probe"] * 4,
        )
        made = partition(write_task(*self.CHANGES), metadata, 0)
        assert made.tones[:4] == ("I-II", "I-II", "V-VI", "V-VI")
        assert made.tones[4:] == ("III-IV", "III-IV", None, None)
