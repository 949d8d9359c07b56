"""`tonegap audit` on sets made elsewhere."""

import csv
import json
import shutil

import pytest
from faces import CHANGES, picture

from tonegap.synthetic.source_names import KnownImages


@pytest.fixture
def made(tmp_path):
    """An empty folder for a set."""
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


@pytest.fixture
def audit(tonegap, rooms, download, made, tmp_path):
    """Audits the set for the clinic's task; returns the exit code and, from JSON, what was found."""

    def run(*more):
        words = ["audit", made, "--task", "clinic/two", "--root", download]
        words += ["--suite-root", rooms.root, "--store", tmp_path / "store"]
        code = tonegap(*words, "--json", *more)
        return code, json.loads(tonegap.out) if code < 2 else tonegap.err

    return run


def table(made, *rows, header="file,label,tone,sources"):
    (made / "synthetic.csv").write_text("\n".join([header, *rows]) + "\n")


@pytest.mark.parametrize("change", CHANGES)
def test_a_planted_test_image_is_found_and_refused_by_name(audit, made, change):
    picture(900).save(made / "good.png")
    CHANGES[change](picture(19)).save(made / "planted.png")
    code, found = audit()
    assert code == 1
    assert [(r["image_id"], r["held_out"]) for r in found["refused"]] == [("planted", "c19")]


def test_a_clean_set_ends_with_0(audit, made):
    picture(900).save(made / "good.png")
    table(made, "good.png,folliculitis,VI,c00")
    assert audit()[0] == 0


def test_the_same_file_is_told_from_a_copy(audit, made, download):
    shutil.copy(download / "c19.png", made)
    assert audit()[1]["refused"][0]["rule"] == "same file"


def test_an_image_nearer_to_its_own_source_is_no_leak(audit, made, download):
    """A training image that is a crop of a test image would be withheld; its own copy is its own."""
    picture(0).save(made / "copy.png")
    table(made, "copy.png,folliculitis,VI,c00")
    assert audit()[0] == 0


def test_a_source_in_the_test_set_is_refused(audit, made):
    picture(900).save(made / "a.png")
    table(made, "a.png,folliculitis,VI,c00 c20")
    code, found = audit()
    assert (code, found["refused"][0]["via"]) == (1, "c20")


def test_a_source_whose_copy_is_in_the_test_set_is_refused(audit, made, download):
    CHANGES["mirrored"](picture(20)).save(download / "c00.png")
    picture(900).save(made / "a.png")
    table(made, "a.png,folliculitis,VI,c00")
    refused = audit()[1]["refused"][0]
    assert (refused["held_out"], refused["via"]) == ("c20", "c00")


def test_a_learned_part_trained_on_a_test_image_is_refused(audit, made):
    picture(900).save(made / "a.png")
    part = {"file": "lora.safetensors", "sha256": "0" * 64, "sources": ["c00", "c21"]}
    (made / "model").mkdir()
    lineage = {"schema": "tonegap/lineage@1", "parts": {"lora": part}}
    (made / "model" / "lineage.json").write_text(json.dumps(lineage))
    table(made, "a.png,folliculitis,VI,,lora", header="file,label,tone,sources,models")
    assert audit()[1]["refused"][0]["via"] == "c21"


def test_each_rule_says_how_many_rows_it_drops(audit, made):
    """c20 is a test image with label basal cell carcinoma; c00 to c02 are not held out."""
    names = [
        "c00_with_psoriasis_from_dark_c20",  # the donor
        "c20_with_basal_cell_carcinoma_from_dark_c01",  # reconstructs it
        "c20_with_psoriasis_from_dark_c01",  # neither of cgDDI's, but its canvas is a test image
        "c00_with_psoriasis_from_dark_c01",
    ]
    for k, name in enumerate(names):
        picture(900 + k).save(made / f"{name}.png")
    code, found = audit("--out", made.parent / "kept.csv")
    rows = found["rows"]
    assert code == 1
    assert [rows[key] for key in list(rows)[:3]] == [1, 1, 2]
    assert rows["dropped by tonegap's rule"] == 3
    with (made.parent / "kept.csv").open() as f:
        (kept,) = csv.DictReader(f)
    assert kept["image_id"] == names[3]
    assert kept["sources"] == "c00 c01"
    # The tone in the name is the donor's; the skin, and its tone, are those of c00.
    assert kept["tone"] == "I"


def test_synthetic_derm_is_read_by_the_files_beside_its_images(audit, made):
    """c20 is a test image; a fine-tuned network has seen others as well, of which nobody says which."""
    for k, (photograph, method) in enumerate(
        [("c20", "pretrained_inpaint"), ("c00", "pretrained_inpaint"), ("c01", "finetune_inpaint")]
    ):
        picture(900 + k).save(made / f"{k}.png")
        told = {"label": "psoriasis", "method": method, "submethod": "inpaint"}
        (made / f"{k}.json").write_text(json.dumps(told | {"md5hash": photograph}))
    code, found = audit("--out", made.parent / "kept.csv")
    assert code == 1
    assert [(r["image_id"], r["held_out"]) for r in found["refused"]] == [("0", "c20")]
    assert found["rows"]["of these, nobody says what they were made from"] == 1
    with (made.parent / "kept.csv").open() as f:
        kept = [(row["label"], row["tone"], row["sources"]) for row in csv.DictReader(f)]
    assert kept == [("psoriasis", "I", "c00"), ("psoriasis", "I", "c01 ?")]


def test_images_without_a_row_are_audited_by_their_names(audit, made):
    for k, name in enumerate(["a", "c00_with_psoriasis_from_dark_c20"]):
        picture(900 + k).save(made / f"{name}.png")
    (made / "._a.png").write_bytes(b"what another system leaves beside a.png")
    table(made, "a.png,folliculitis,VI,c00")
    code, found = audit()
    assert (code, found["images"]) == (1, 2)
    assert [(r["image_id"][:3], r["via"]) for r in found["refused"]] == [("c00", "c20")]


def test_the_rows_that_are_left_are_a_manifest_of_the_same_set(audit, made):
    """c20 is a test image; both images lie in a folder of their own."""
    (made / "mapped").mkdir()
    for k, donor in enumerate(("c01", "c20")):
        picture(900 + k).save(made / "mapped" / f"c00_with_psoriasis_from_I_{donor}.png")
    kept = made.parent / "kept.csv"
    assert audit("--out", kept)[0] == 1
    code, found = audit("--manifest", kept)
    assert (code, found["images"]) == (0, 1)
    assert found["described_by"] == "kept.csv (1 image without a row left out)"


def test_a_learned_part_of_unknown_origin_makes_an_image_one_of_unknown_origin(audit, made):
    picture(900).save(made / "a.png")
    part = {"file": "lora.safetensors", "sha256": "0" * 64, "sources": ["?"]}
    (made / "model").mkdir()
    lineage = {"schema": "tonegap/lineage@1", "parts": {"lora": part}}
    (made / "model" / "lineage.json").write_text(json.dumps(lineage))
    table(made, "a.png,folliculitis,VI,c00,lora", header="file,label,tone,sources,models")
    code, found = audit()
    assert (code, found["refused"]) == (0, [])
    assert found["rows"]["of these, nobody says what they were made from"] == 1


def test_a_row_may_name_every_training_image(audit, made):
    """As a method's own synthetic.csv may: the csv module would stop at 131,072 characters."""
    picture(900).save(made / "a.png")
    table(made, f"a.png,folliculitis,VI,{' '.join(['c00'] * 40_000)}")
    assert audit()[0] == 0


def test_metadata_alone_follows_names(audit, made, download):
    for path in download.glob("*.png"):
        path.unlink()
    picture(900).save(made / "c00_with_psoriasis_from_dark_c20.png")
    code, found = audit()
    assert (code, found["pictures_compared"]) == (1, False)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("../x.png,a,VI,c00", "is not a path below"),
        ("gone.png,a,VI,c00", "there is no file 'gone.png'"),
        ("a.png,a,VI", "wanted 4 fields"),
    ],
)
def test_a_bad_manifest_ends_with_2(audit, made, row, words):
    picture(900).save(made / "a.png")
    table(made, row)
    code, said = audit()
    assert code == 2
    assert words in said


def test_a_folder_without_images_ends_with_2(audit):
    code, said = audit()
    assert code == 2
    assert "no images" in said


def test_what_is_no_image_ends_with_2(audit, made):
    (made / "a.png").write_text("<html>")
    code, said = audit()
    assert code == 2
    assert "not a readable image" in said


def test_text_names_what_is_refused(tonegap, rooms, download, made, tmp_path):
    picture(19).save(made / "planted.png")
    words = ["audit", made, "--task", "clinic/two", "--root", f"clinic={download}"]
    assert tonegap(*words, "--suite-root", rooms.root, "--store", tmp_path / "store") == 1
    assert "refused: planted shows test image c19" in tonegap.out


class TestOtherSpellings:
    """c20 is a test image, c00 and c01 are not held out; none of them is shown by the picture."""

    @pytest.mark.parametrize(
        "cell",
        [
            "c20.png",
            "images/c20.png",
            "C20",
            "c00,c20",
            "c00;c20",
            "c00|c20.PNG",
            "images\\c20.png",
            "['c00' 'c20']",
            "c00 ? c20",
            "./some/where/C20.JPEG",
        ],
    )
    def test_a_test_image_is_one_however_it_is_spelled(self, audit, made, cell):
        picture(900).save(made / "a.png")
        table(made, f'a.png,folliculitis,VI,"{cell}"')
        code, found = audit()
        assert code == 1
        assert [(r["held_out"], r["via"]) for r in found["refused"]] == [("c20", "c20")]

    @pytest.mark.parametrize("cell", ["c00.png", "images/C00.png", "c00,c01", "c00; c01"])
    def test_a_training_image_is_kept_and_written_as_the_data_set_spells_it(
        self, audit, made, cell
    ):
        picture(900).save(made / "a.png")
        table(made, f'a.png,folliculitis,VI,"{cell}"')
        code, found = audit("--out", made.parent / "kept.csv")
        assert (code, found["refused"]) == (0, [])
        with (made.parent / "kept.csv").open() as f:
            (kept,) = csv.DictReader(f)
        assert kept["sources"] == ("c00 c01" if "c01" in cell else "c00")

    @pytest.mark.parametrize("cell", ["someone_else", "c00 c99", "c0", "c00,c99.png", "nan"])
    def test_a_source_that_nobody_knows_is_refused(self, audit, made, cell):
        picture(900).save(made / "a.png")
        table(made, f'a.png,folliculitis,VI,"{cell}"')
        code, found = audit()
        assert code == 1
        assert found["rows"]["kept"] == 0
        assert found["refused"][0]["rule"] == "source is no image of the data set"
        assert found["refused"][0]["via"] == found["strangers"][0]

    def test_a_learned_part_of_strangers_is_refused(self, audit, made):
        picture(900).save(made / "a.png")
        part = {"file": "lora.safetensors", "sha256": "0" * 64, "sources": ["c00", "x.jpg"]}
        (made / "model").mkdir()
        lineage = {"schema": "tonegap/lineage@1", "parts": {"lora": part}}
        (made / "model" / "lineage.json").write_text(json.dumps(lineage))
        table(made, "a.png,folliculitis,VI,,lora", header="file,label,tone,sources,models")
        code, found = audit()
        assert (code, found["strangers"]) == (1, ["x.jpg"])

    @pytest.mark.parametrize("cell", ["?", "", '" "'])
    def test_the_unknown_mark_alone_or_nothing_is_counted_and_kept(self, audit, made, cell):
        picture(900).save(made / "a.png")
        table(made, f"a.png,folliculitis,VI,{cell}")
        code, found = audit()
        assert code == 0
        assert found["rows"]["of these, nobody says what they were made from"] == 1


def test_a_name_of_a_file_means_the_image_whose_id_no_file_can_have():
    known = KnownImages(["eczema/a 1.png", "eczema_a_2"], {})
    assert known.known_as("eczema_a_1") == "eczema/a 1.png"
    assert known.known_as("eczema_a_2") == "eczema_a_2"


def test_a_name_that_two_images_have_is_not_looked_up_by_less_of_it():
    """`aa.jpg` is two images' without case and suffix; `aa` alone would be one's."""
    assert KnownImages(["Aa.jpg", "aa.jpg.png"], {}).known_as("aa.jpg") == ""


def test_a_name_that_two_images_have_means_none():
    known = KnownImages(["A", "a", "x/7", "y/7"], {})
    assert known.known_as("a") == "a"
    assert known.known_as("a.png") == ""
    assert known.known_as("7.png") == ""
    assert known.known_as("x/7.png") == "x/7"
