"""`tonegap data check`: everything in one listing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from PIL import Image

from tonegap.checks.download import DataCheck, ToneRow, _contradictions, check_data
from tonegap.checks.listing import json_listing, text_listing
from tonegap.checks.readiness import Readiness, check_tasks
from tonegap.data.labels import saying_nothing, spelling_pairs
from tonegap.data.metadata import Metadata, first_three, parse_metadata
from tonegap.data.published_counts import compare_counts, compare_rows
from tonegap.declared.dataset import Dataset, PublishedCounts
from tonegap.declared.task import read_task
from tonegap.formats.record import GroupLeak
from tonegap.split.id_lists import IdList, ListedImages

Write = Callable[..., None]


@pytest.fixture
def check(clinic: Dataset, tmp_path: Path) -> Callable[[], DataCheck]:
    return lambda: check_data(clinic, clinic.folder, tmp_path / "cache", 1, [])


@pytest.fixture
def damaged(clinic: Dataset, write_pictures: Write) -> Path:
    """a1 whole, a2 an error page, a3 equal to a1, a4 missing, b1 in no row."""
    write_pictures(clinic.folder / "x", {"a1.png": 1, "a3.png": 1, "b1.png": 2})
    (clinic.folder / "x" / "a2.png").write_text("<html>gone</html>")
    return clinic.folder / "x"


def test_every_finding_has_count_and_names(damaged: Path, check: Callable[[], DataCheck]) -> None:
    found = {f.kind: (f.count, f.first) for f in check().findings}
    assert found == {
        "not an image": (1, ("a2 (an HTML or XML page)",)),
        "missing": (1, ("a4",)),
        "extra": (1, ("b1.png",)),
        "same content as another": (1, ("a3 = a1",)),
        "copy with another label": (1, ("a3 'melanoma', its copy a1 'wart'",)),
    }


def test_an_id_with_blanks_is_quoted(
    clinic: Dataset, check: Callable[[], DataCheck], damaged: Path
) -> None:
    rows = clinic.folder / "rows.csv"
    rows.write_text(rows.read_text().replace("a4", "a4 "))
    assert {f.kind: f.first for f in check().findings}["missing"] == ("'a4 '",)
    assert first_three(["a b", "c", " d"]) == "a b, c, ' d'"


def test_losses_are_counted_by_tone(damaged: Path, check: Callable[[], DataCheck]) -> None:
    # a1 and a3 are I, a2 is VI, a4 unknown.
    none = {"not an image": 0, "missing": 0}
    none |= {"same content as another": 0, "copy with another label": 0}
    copy = {"same content as another": 1, "copy with another label": 1}
    assert check().tones == (
        ToneRow("nurse", "I", 2, 2, {**none, **copy}),
        ToneRow("nurse", "VI", 1, 0, {**none, "not an image": 1}),
        ToneRow("nurse", "unknown", 1, 0, {**none, "missing": 1}),
    )


def test_a_near_duplicate_is_told_from_an_equal_file(
    clinic: Dataset, picture: Callable, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    write_pictures(clinic.folder, {"a1.png": 1, "a2.png": 2, "a3.png": 1})
    picture(1).resize((128, 96)).save(clinic.folder / "a4.png")
    found = {f.kind: f.first for f in check().findings}
    assert found == {
        "same content as another": ("a3 = a1",),
        "near-duplicate of another": ("a4 ≈ a1",),
        "copy with another label": (
            "a3 'melanoma', its copy a1 'wart'",
            "a4 'melanoma', its copy a1 'wart'",
        ),
    }


def test_the_text_holds_findings_tones_and_licence(
    damaged: Path, check: Callable[[], DataCheck]
) -> None:
    text = text_listing(check())
    for line in (
        "  licence: ask the clinic",
        "  usable: 2 of 4",
        "  not an image: 1 (first: a2 (an HTML or XML page))",
        "  this layout has no tone axis machine",
        "By tone (nurse)",
    ):
        assert line in text.splitlines()
    assert "VI              1       0    0.0" in text


def test_without_any_image_the_access_is_shown(check: Callable[[], DataCheck]) -> None:
    found = check()
    assert not found.is_usable
    assert text_listing(found).endswith("How to get the images: walk in")


def test_a_whole_data_set_is_usable_and_has_no_finding(
    clinic: Dataset, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    write_pictures(clinic.folder, ["a1.png", "a2.png", "a3.png", "a4.png"])
    found = check()
    assert found.is_usable
    assert json_listing(found)["findings"] == []


def test_a_missing_image_stops_the_tasks_that_use_it(
    project: Path, phantom: Dataset, phantom_metadata: Metadata
) -> None:
    task = read_task(project, "phantom/smoke")
    assert check_tasks([task], phantom_metadata, phantom_metadata.ids)[0].reason == ""
    answer = check_tasks([task], phantom_metadata, phantom_metadata.ids[1:])[0]
    assert answer.n_images == 2400
    assert "1 of the 2,400 images it uses are missing or broken (first: p00001)" in answer.reason


@pytest.fixture(scope="module")
def phantom_metadata(phantom: Dataset) -> Metadata:
    from tonegap.data.drawn import drawn_metadata

    return drawn_metadata(phantom)


def test_a_task_whose_tone_axis_is_lacking_says_so(
    project: Path, fitzpatrick17k: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "fitzpatrick17k.csv"
    path.write_text(
        "md5hash,fitzpatrick,label,nine_partition_label,three_partition_label,qc,url,url_alphanum\n"
        "x,1,psoriasis,inflammatory,non-neoplastic,,u,u.jpg\n"
    )
    answer = check_tasks(
        [read_task(project, "fitzpatrick17k/skin-diff-2025")],
        parse_metadata(fitzpatrick17k, path),
        ["x"],
    )[0]
    assert answer.reason


PUBLISHED = PublishedCounts(
    source="a paper",
    rows=4,
    distinct={"what": 3},
    counts={"skin": {"1": 2, "6": 1, "?": 1}, "second skin": {"1": 4}},
    empty={"bad": 1},
)


def test_published_counts_are_compared_one_by_one(read_rows: Callable[..., Metadata]) -> None:
    metadata = read_rows("picture no,what,skin,bad", "a,x,1,y", "b,y,6,", "c,,6,n", "d,x,2,n")
    wrong = [
        (c.column, c.value, c.published, c.found)
        for c in compare_counts(PUBLISHED, metadata)
        if not c.agrees
    ]
    assert wrong == [
        ("what", "distinct values", 3, 2),
        ("skin", "1", 2, 1),
        ("skin", "6", 1, 2),
        ("skin", "?", 1, 0),
        ("skin", "2", 0, 1),
    ]


def test_the_real_metadata_has_every_published_count(
    fitzpatrick17k: Dataset, real_csv: Path
) -> None:
    published = fitzpatrick17k.file.published
    assert published is not None
    metadata = parse_metadata(fitzpatrick17k, real_csv)
    counts = compare_counts(published, metadata)
    # rows 1, distinct 3, empty 2, tones 7 + 7, three partitions, qc 5, nine partitions
    assert len(counts) == 1 + 3 + 2 + 7 + 7 + 3 + 5 + 9
    assert [c for c in counts if not c.agrees] == []
    assert compare_rows(published, metadata) == "those of the released file, in its order"
    assert metadata.tones["fitzpatrick_scale"].count(None) == 565
    assert metadata.tones["fitzpatrick_centaur"].count("VI") == 562


def test_another_order_of_the_real_rows_is_noticed(
    fitzpatrick17k: Dataset, real_csv: Path, tmp_path: Path
) -> None:
    lines = real_csv.read_text(encoding="utf-8").splitlines(keepends=True)
    published = fitzpatrick17k.file.published
    assert published is not None

    def rows(*parts: list[str]) -> str:
        path = tmp_path / "fitzpatrick17k.csv"
        path.write_text("".join(line for part in parts for line in part), encoding="utf-8")
        return compare_rows(published, parse_metadata(fitzpatrick17k, path))

    assert rows(lines[:1], lines[:0:-1]).startswith("those of the released file in another order")
    assert rows(lines[:-1]) == "not those of the released file"


def test_metadata_with_ddis_counts_has_every_published_count(
    ddi: Dataset, ddi_rows: Callable[..., list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "ddi_metadata.csv"
    path.write_text("\n".join(ddi_rows("malignancy(malig=1)")) + "\n")
    published = ddi.file.published
    assert published is not None
    counts = compare_counts(published, parse_metadata(ddi, path))
    assert {(c.column, c.value): c.found for c in counts} == {
        ("", "rows"): 656,
        ("disease", "distinct values"): 78,
        ("skin_tone", "12"): 208,
        ("skin_tone", "34"): 241,
        ("skin_tone", "56"): 207,
        ("malignant", "True"): 171,
        ("malignant", "False"): 485,
    }
    assert all(c.agrees for c in counts)


def test_one_lost_image_is_never_shown_as_all_of_them(
    clinic: Dataset, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    ids = [f"b{i}" for i in range(2001)]
    rows = ["picture no,what,skin,bad", *(f"{i},wart,1,no" for i in ids)]
    (clinic.folder / "rows.csv").write_text("\n".join(rows) + "\n")
    write_pictures(clinic.folder, ["b0.png"])
    for image_id in ids[1:-1]:
        (clinic.folder / f"{image_id}.png").hardlink_to(clinic.folder / "b0.png")
    assert "I        2,001   2,000  99.9  " in text_listing(check())


def test_what_was_done_to_pixels_is_said(
    clinic: Dataset, picture: Callable, check: Callable[[], DataCheck]
) -> None:
    grey = np.asarray(picture(1).convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(clinic.folder / "a1.png")
    glass = picture(2).convert("RGBA")
    glass.putalpha(100)
    glass.save(clinic.folder / "a2.png")
    picture(3).save(clinic.folder / "a3.png")
    found = {f.kind: (f.first, f.unusable) for f in check().findings}
    assert found["16-bit grey, scaled to 8 bits"] == (("a1",), False)
    assert found["transparent, shown on white"] == (("a2",), False)


def test_a_mask_that_a_run_would_refuse_is_named(
    clinic: Dataset, write_pictures: Write, tmp_path: Path
) -> None:
    write_pictures(clinic.folder, ["a1.png", "a2.png"])  # 64 x 48
    (clinic.folder / "masks").mkdir()
    Image.new("L", (64, 48), 255).save(clinic.folder / "masks" / "a1.png")
    Image.new("L", (48, 64), 1).save(clinic.folder / "masks" / "a2.png")
    file = msgspec.structs.replace(clinic.file, masks=("masks/{picture no}.png",))
    masked = Dataset(clinic.id, clinic.folder, file)
    found = check_data(masked, masked.folder, tmp_path / "cache", 1, []).findings
    assert {f.kind: f.first for f in found}["unusable mask"] == (
        "a2 (48 × 64 pixels, not in the proportion of its image (64 × 48 when upright); "
        "mask_stretched = true declares that such masks mean the whole image)",
    )


def test_every_unusable_mask_is_named(
    clinic: Dataset, write_pictures: Write, tmp_path: Path
) -> None:
    ids = [f"b{i:02}" for i in range(40)]
    rows = ["picture no,what,skin,bad", *(f"{i},wart,1,no" for i in ids)]
    (clinic.folder / "rows.csv").write_text("\n".join(rows) + "\n")
    write_pictures(clinic.folder, [f"{i}.png" for i in ids])
    (clinic.folder / "masks").mkdir()
    for image_id in ids[:-1]:
        (clinic.folder / "masks" / f"{image_id}.png").symlink_to("nowhere.png")
    file = msgspec.structs.replace(clinic.file, masks=("masks/{picture no}.png",))
    found = check_data(Dataset(clinic.id, clinic.folder, file), clinic.folder, tmp_path, 1, [])
    masks = json_listing(found)["masks"]
    assert isinstance(masks, dict)
    assert masks["unusable"] == dict.fromkeys(ids[:-1], "No such file or directory")
    # 39 in all: b00 to b02 come first, then 36, of which 30 are named.
    text = text_listing(found)
    assert "and 36 more: b03, b04, " in text
    assert ", b32, … (--json names all)\n" in text


def test_no_image_says_what_names_were_wanted(
    clinic: Dataset, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    write_pictures(clinic.folder, ["IMG_1.png"])
    text = text_listing(check())
    assert "that is named {picture no}.png or {picture no}.jpg or {other name}" in text
    assert "  extra: 1 (first: IMG_1.png)" in text.splitlines()
    names = "looked for a1.png or a1.jpg, found IMG_1.png"
    assert f"  {names}: see file_names in dataset.toml" in text.splitlines()


def test_copies_that_contradict_each_other_are_named(
    clinic: Dataset, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    # a1 and a2 are both "wart" but I and VI; a3, "melanoma" and I, is the same file.
    write_pictures(clinic.folder, {"a1.png": 1, "a2.png": 1, "a3.png": 1, "a4.png": 2})
    found = {f.kind: f.first for f in check().findings}
    assert found["copy with another label"] == ("a3 'melanoma', its copy a1 'wart'",)
    assert found["copy with another tone (nurse)"] == ("a2 'VI', its copy a1 'I'",)


def test_a_type_in_its_group_and_a_blank_label_are_no_contradiction(
    clinic: Dataset, write_pictures: Write, tmp_path: Path
) -> None:
    # One picture five times: III-IV, III, III-IV again, IV, and one of no tone; its labels are wart, blank or nan.
    tones = ("III-IV", "III", "III-IV", "IV", None)
    metadata = Metadata(
        tmp_path / "m.csv",
        "",
        "",
        ("a", "b", "c", "d", "e"),
        {clinic.file.label_column: ("wart", "", "nan", "wart", " ")},
        {"nurse": tones},
        False,
    )
    index = SimpleNamespace(groups=dict.fromkeys("abcde", 0))
    found = {f.kind: f.first for f in _contradictions(clinic, metadata, index)}
    assert found == {"copy with another tone (nurse)": ("d 'IV', its copy b 'III'",)}


def test_labels_of_no_class_and_shared_patients_are_counted(tmp_path: Path) -> None:
    ids = [f"i{k:02}" for k in range(20)]
    cells = ["yes", "no"] * 9 + ["maybe", "maybe"]
    metadata = Metadata(
        tmp_path / "m.csv",
        "",
        "",
        tuple(ids),
        {"label": tuple(cells)},
        {"tone": ("I", "VI") * 10},
        False,
        {"patient": tuple("p" if k % 5 else "" for k in range(20))},
    )
    (tmp_path / "benchmarks" / "mine" / "tasks").mkdir(parents=True)
    (tmp_path / "benchmarks" / "mine" / "tasks" / "t.toml").write_text(
        'title = "t"\nabout = "a"\n[labels]\ncolumn = "label"\nclasses = ["no", "yes"]\n'
        '[tones]\naxis = "tone"\nscored = ["I", "VI"]\n[split]\nrule = "random-holdout"\n'
        'seeds = [0]\ntest_fraction = 0.5\n[validation]\nrule = "carve"\nstrata = []\n'
        "[scores]\nmin_support = 1\n"
    )
    answer = check_tasks([read_task(tmp_path, "mine/t")], metadata, ids)[0]
    assert answer.reason == ""
    assert answer.no_class == {"maybe": 2}
    assert answer.sizes["test"] == 9  # half of the 18 that take part
    # Only images without a patient (0, 5, 10 and 15) may be alone in the test set.
    assert 5 <= answer.leaks["patient"].n_test_images <= 9
    # Of the classes' 18 images i00 to i17 none has a tone that is unknown, but i00 and i02 ("yes") where blank.
    blank = replace(metadata, tones={"tone": (None, "VI", None, *metadata.tones["tone"][3:])})
    keeping = tmp_path / "benchmarks" / "mine" / "tasks" / "t.toml"
    keeping.write_text(keeping.read_text().replace("[split]", "keep_unknown = true\n[split]"))
    task = read_task(tmp_path, "mine/t")
    gone = ListedImages(IdList(tmp_path / "l", "", ("i00", "i01")), frozenset({"i00", "i01"}), ())
    unknown = check_tasks([task], blank, ids, [gone])[0].unknown
    assert unknown is not None
    assert unknown.by_class == {"no": (8, 0), "yes": (7, 1)}
    assert answer.leak_shares["patient"][0] == 100 * answer.leaks["patient"].n_test_images / 9
    assert "4 of 18 images have no patient: leaks among them are not known" in (
        answer.leaks["patient"].text("patient", 9, 2)
    )


VALUES = (
    'title = "t"\nabout = "a"\n[labels]\ncolumn = "label"\nclasses = ["no", "yes"]\n'
    '[tones]\naxis = "tone"\nscored = ["I", "VI"]\n[split]\nrule = "value-holdout"\nseeds = [0]\n'
    'column = "half"\ntrain = ["pool"]\ntest = ["probe"]\n'
    '[validation]\nrule = "carve"\nfraction = 0.5\nstrata = []\n[scores]\nmin_support = 1\n'
)


@pytest.fixture
def of_value(tmp_path: Path) -> Callable[..., Readiness]:
    """The answer on a task that splits 20 images by value: 8 each of pool and probe, and 4 of the cell that is given.

    Two of each eight, and three of the four, have no tone.
    """
    (tmp_path / "benchmarks" / "mine" / "tasks").mkdir(parents=True)

    def answer(cell: str, text: str = VALUES) -> Readiness:
        (tmp_path / "benchmarks" / "mine" / "tasks" / "t.toml").write_text(text)
        tones = (("I", "VI", "I", "VI", "I", "VI", None, None) * 2, ("I", None, None, None))
        metadata = Metadata(
            tmp_path / "m.csv",
            "",
            "",
            tuple(f"i{k:02}" for k in range(20)),
            {
                "label": ("yes", "yes", "no", "no") * 5,
                "half": ("pool",) * 8 + ("probe",) * 8 + (cell,) * 4,
            },
            {"tone": tones[0] + tones[1]},
            False,
        )
        return check_tasks([read_task(tmp_path, "mine/t")], metadata, metadata.ids)[0]

    return answer


def test_unknown_tones_are_counted_among_images_in_use(of_value: Callable[..., Readiness]) -> None:
    answer = of_value("spare")
    assert answer.reason == ""
    assert answer.unknown is not None
    # All four are of each eight's last two, whose label is no.
    assert answer.unknown.text == "images of unknown tone: 4 of 16, kept (no 4 of 8, yes 0 of 8)"
    assert answer.unused_values == {"spare": 4}
    assert answer.unused_lines == ("images that the split by half leaves unused: 4 ('spare' 4)",)


def test_unknown_tones_that_a_task_leaves_out_are_counted_still(
    of_value: Callable[..., Readiness],
) -> None:
    leaving = VALUES.replace("[split]", "keep_unknown = false\n[split]")
    unknown = of_value("probe", leaving).unknown
    assert unknown is not None
    assert unknown.text == ("images of unknown tone: 7 of 20, left out (no 6 of 10, yes 1 of 10)")


def test_another_spelling_of_a_value_is_counted_and_refused(
    of_value: Callable[..., Readiness], check: Callable[[], DataCheck], damaged: Path
) -> None:
    answer = of_value("Probe")
    assert "4 'Probe' beside 'probe'" in answer.reason
    found = replace(check(), tasks=(answer,))
    line = "    images that the split by half leaves unused: 4 ('Probe' 4)"
    assert line in text_listing(found).splitlines()
    (task,) = json_listing(found)["tasks"]
    assert task["unused_by_split_value"] == {"Probe": 4}


def test_a_value_that_no_row_has_is_named(of_value: Callable[..., Readiness]) -> None:
    more = VALUES.replace('["probe"]', '["probe", "second site"]')
    assert "no row of the value 'second site' of split.test" in of_value("spare", more).reason


def test_leaks_of_a_task_with_several_seeds_say_the_seed_and_the_range(
    check: Callable[[], DataCheck], damaged: Path
) -> None:
    # Of 10 test images 4 have their patient in training at seed 3, none at seed 5.
    leak = GroupLeak(4, 0, 4, 0, 40)
    task = Readiness(
        "clinic/t",
        40,
        "",
        {},
        {"test": 10, "validation": 5},
        {"patient_id": leak},
        {"patient_id": {3: 40.0, 5: 0.0}},
    )
    assert (
        "    test images of patients in training: 4 (40.0 %), 4 pairs of one patient "
        "(seed 3; over 2 seeds 0.0 to 40.0 %)"
    ) in text_listing(replace(check(), tasks=(task,))).splitlines()


def test_a_task_that_leaks_at_no_seed_says_so_once(
    check: Callable[[], DataCheck], damaged: Path
) -> None:
    leaks, shares = {"patient_id": GroupLeak(0, 0, 0, 0, 40)}, {"patient_id": {0: 0.0, 1: 0.0}}
    task = Readiness("clinic/t", 40, "", {}, {"test": 10, "validation": 5}, leaks, shares)
    assert "    test images of patients in training: none (in none of 2 seeds)" in (
        text_listing(replace(check(), tasks=(task,))).splitlines()
    )


def test_how_many_training_images_methods_see_is_said(
    tmp_path: Path,
    of_value: Callable[..., Readiness],
    check: Callable[[], DataCheck],
    damaged: Path,
) -> None:
    seen = of_value("spare")
    assert seen.n_unseen == 0
    rows = Metadata(
        tmp_path / "m.csv",
        "",
        "",
        tuple(f"i{k:02}" for k in range(16)),
        {"label": ("yes", "no") * 8, "half": ("pool",) * 8 + ("probe",) * 8},
        {"tone": ("I", "I", "VI", "VI") * 4},
        False,
        # Patient 1 is in both halves, with six images of pool; of the others each image is alone, or unknown.
        {"patient": ("1",) * 6 + ("2", " ") + (" 1", "3") + ("", "nan") * 3},
    )
    task = check_tasks([read_task(tmp_path, "mine/t")], rows, rows.ids)[0]
    n = task.sizes["train"]
    assert 1 <= task.n_unseen < n
    line = f"    methods see {n - task.n_unseen} of {n} training images: the others are of patients or lesions held out"
    assert line in text_listing(replace(check(), tasks=(task,))).splitlines()
    path = tmp_path / "benchmarks" / "mine" / "tasks" / "t.toml"
    path.write_text(path.read_text() + "[leaks]\nmethods_see_groups = true\n")
    assert check_tasks([read_task(tmp_path, "mine/t")], rows, rows.ids)[0].n_unseen == 0


def test_a_class_without_a_training_image_is_said(
    tmp_path: Path, of_value: Callable[..., Readiness]
) -> None:
    of_value("spare")
    rows = Metadata(
        tmp_path / "m.csv",
        "",
        "",
        tuple(f"i{k:02}" for k in range(16)),
        {"label": ("no",) * 8 + ("no", "yes") * 4, "half": ("pool",) * 8 + ("probe",) * 8},
        {"tone": ("I", "I", "VI", "VI") * 4},
        False,
    )
    (task,) = check_tasks([read_task(tmp_path, "mine/t")], rows, rows.ids)
    assert "no training image is of 'yes': nothing can learn it" in task.unused_lines


def test_where_no_patient_is_known_no_leak_is_said_to_be_none() -> None:
    assert GroupLeak(0, 0, 0, 3, 40).text("patient_id", 10, 5) == (
        "test images of patients in training: none known; "
        "3 of 40 images have no patient_id: leaks among them are not known"
    )
    assert GroupLeak(0, 0, 0, 0, 40).text("patient_id", 10, 5).endswith("in training: none")


def test_group_ids_that_differ_in_spelling_alone_are_paired() -> None:
    cells = [
        "P1",
        "P1",
        "p1",
        "12",
        "12.0",
        "é",
        "e\u0301",
        " P1 ",
        "nan",
        "",
        "P-2",
        "P_2",
        "1",
        "01",
    ]
    assert spelling_pairs(cells) == [("P1", "p1"), ("12", "12.0"), ("é", "e\u0301")]


def test_group_ids_that_say_nothing_are_counted_where_they_join_images() -> None:
    cells = ["unknown", "unknown ", "NA", "None", "-", "-", "-", "nan", "nan", "", "", "P1", "P1"]
    assert saying_nothing(cells) == {"-": 3, "unknown": 2}


def test_group_ids_that_say_nothing_are_a_warning(
    clinic: Dataset, check: Callable[[], DataCheck], damaged: Path
) -> None:
    found = replace(check(), unsaid_groups={"patient_id": {"-": 1200}})
    assert (
        "  WARNING: patient_id: '-' joins 1,200 images in one group; where it says that nobody knows, leave the cell "
        "blank"
    ) in text_listing(found).splitlines()
    assert json_listing(found)["group_cells_that_say_nothing"] == {"patient_id": {"-": 1200}}


def test_spellings_of_group_ids_are_a_warning(
    check: Callable[[], DataCheck], damaged: Path
) -> None:
    found = replace(check(), spelled_groups={"patient_id": [("P1", "p1")]})
    assert (
        "  WARNING: patient_id: 1 pair of ids that differ in spelling alone count as two ('P1' and 'p1')"
    ) in text_listing(found).splitlines()


def test_labels_are_crossed_with_unknown_tone_where_no_task_asks(
    check: Callable[[], DataCheck], damaged: Path
) -> None:
    # a4, a melanoma, has no tone: of known tone one image in three is malignant, of all one in two.
    found = check()
    assert found.unknown["nurse"].by_class == {"melanoma": (1, 1), "wart": (2, 0)}
    listing = text_listing(found)
    assert "Labels of unknown tone (nurse)" in listing
    assert "melanoma       2             1  50.0" in listing
    assert "WARNING: leaving them out would move malignant from 50.0 to 33.3 % of images" in listing
    assert json_listing(found)["unknown_tone"]["nurse"]["images"] == 1


def test_images_in_several_folders_are_said_to_be_read_by_declaring_these(
    clinic: Dataset, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    write_pictures(clinic.folder / "part_1", {"a1.png": 1, "a2.png": 2})
    write_pictures(clinic.folder / "part_2", {"a3.png": 3})
    assert 'image_folders = ["part_1", "part_2"]' in text_listing(check())


def test_many_folders_are_proposed_by_a_pattern_that_takes_no_other(
    clinic: Dataset, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    for i in (1, 2, 3, 4):
        write_pictures(clinic.folder / f"part_1{i}", {f"a{i}.png": i})
    assert 'image_folders = ["part_*"]' in text_listing(check())
    write_pictures(clinic.folder / "part_11" / "masks", {"a1.png": 1})
    listing = text_listing(check())
    assert 'image_folders = ["part_11", "part_12", "part_13", …]' in listing


def test_a_hidden_name_is_said_to_be_there(
    clinic: Dataset, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    rows = "picture no,what,skin,bad\n.a1,wart,1,no\na2,wart,6,no\n.a3,wart,1,no\n"
    (clinic.folder / "rows.csv").write_text(rows)
    write_pictures(clinic.folder / "images", {".a1.png": 1, "a2.png": 2})
    assert {f.kind: f.first for f in check().findings} == {
        "hidden by the dot in front of its name": (".a1 (.a1.png: rename it)",),
        "missing": (".a3",),
    }


def test_a_folder_of_masks_is_never_proposed_for_images(
    clinic: Dataset, write_pictures: Write, check: Callable[[], DataCheck]
) -> None:
    write_pictures(clinic.folder / "images", {"a1.png": 1, "a2.png": 2})
    write_pictures(clinic.folder / "masks", {"a1.png": 1, "a2.png": 2, "a3.png": 3})
    found = check()
    assert {f.kind: f.first for f in found.findings} == {"missing": ("a3", "a4")}
    assert "image_folders" not in text_listing(found)


def test_unusable_masks_of_training_images_are_said_of_a_task_and_stop_none(
    project: Path,
    phantom: Dataset,
    phantom_metadata: Metadata,
    damaged: Path,
    check: Callable[[], DataCheck],
) -> None:
    task = read_task(project, "phantom/smoke")
    ids = phantom_metadata.ids
    whole = check_tasks([task], phantom_metadata, ids)[0]
    # All 2,400 have an unusable mask: of interest are those of training images.
    answer = check_tasks([task], phantom_metadata, ids, (), ids)[0]
    assert (answer.reason, answer.n_bad_masks) == ("", whole.sizes["train"])
    found = replace(check(), tasks=(replace(answer, n_bad_masks=2),))
    assert (
        "  phantom/smoke: can be run, but by no method that needs masks: 2 masks of its training images "
        "cannot be used"
    ) in text_listing(found).splitlines()
    assert found.is_usable
