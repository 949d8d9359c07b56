"""Croissant descriptions, read by the standard's own reader."""

import json
import logging

import mlcroissant
import pytest

from tonegap.cli.main import main
from tonegap.data.drawn import drawn_metadata
from tonegap.data.metadata import parse_metadata
from tonegap.declared.dataset import dataset_ids, read_dataset
from tonegap.declared.root import find_root
from tonegap.declared.task import read_task, task_ids
from tonegap.files import sha256_file, sha256_lines
from tonegap.report.exports.croissant import croissant, metadata_file
from tonegap.split.partition import partition

# What the reader's own libraries warn of.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")

ROOT = find_root(None)
NO_DATE = 'Property "https://schema.org/datePublished" is recommended, but does not exist.'


def described(dataset_id, task_id=None, file=None):
    task = read_task(ROOT, task_id) if task_id else None
    return croissant(read_dataset(ROOT, dataset_id), task, file)


def read(content):
    logging.getLogger("absl").setLevel(logging.ERROR)
    return mlcroissant.Dataset(jsonld=json.loads(content))


def warnings_of(content):
    return sorted(text.partition("] ")[2] for text in read(content).metadata.ctx.issues.warnings)


def records(content, of):
    return [
        {name.partition("/")[2]: value for name, value in record.items()}
        for record in read(content).records(of)
    ]


@pytest.mark.parametrize("task_id", [t for t in task_ids(ROOT) if not t.startswith("phantom/")])
def test_a_task_of_a_published_data_set_has_neither_errors_nor_warnings(task_id):
    assert warnings_of(described(task_id.split("/")[0], task_id)) == []


def test_a_drawn_data_set_lacks_only_a_date_that_it_does_not_have():
    assert warnings_of(described("phantom", "phantom/smoke")) == [NO_DATE]


@pytest.mark.parametrize("dataset_id", [d for d in dataset_ids(ROOT) if d != "phantom"])
def test_a_data_set_alone_has_neither_errors_nor_warnings(dataset_id):
    content = described(dataset_id)
    assert warnings_of(content) == []
    assert [one["@id"] for one in json.loads(content)["recordSet"]] == ["images"]


def test_sizes_and_digests_are_those_of_the_partition():
    task, dataset = read_task(ROOT, "phantom/smoke"), read_dataset(ROOT, "phantom")
    made = partition(task, drawn_metadata(dataset), 0)
    wanted = [
        {
            "name": part,
            "seed": "published",
            "images": len(made.members(part)),
            "ids_sha256": sha256_lines(sorted(made.members(part))),
        }
        for part in ("train", "validation", "test", "unused")
    ]
    assert records(described("phantom", "phantom/smoke"), "splits") == wanted
    assert [row["images"] for row in wanted] == [1275, 225, 900, 0]


def test_a_seeded_task_has_a_row_for_each_partition_of_each_pin():
    task = read_task(ROOT, "fitzpatrick17k/skin-diff-2024")
    rows = records(described("fitzpatrick17k", task.id), "splits")
    assert {(row["seed"], row["name"]) for row in rows} == {
        (key, part) for key in task.file.pins for part in ("train", "validation", "test", "unused")
    }
    assert {sum(r["images"] for r in rows if r["seed"] == key) for key in task.file.pins} == {16577}


def test_renamed_labels_are_named_beside_their_class():
    rows = records(described("ddi", "ddi/fairdisco"), "classes")
    assert rows == [
        {"name": "benign", "positive": False, "labels": "False"},
        {"name": "malignant", "positive": True, "labels": "True"},
    ]


def copy_of_phantom(folder, n=None):
    """Metadata as the suite draws it, or its first rows, written to a folder."""
    dataset = read_dataset(ROOT, "phantom")
    columns = drawn_metadata(dataset).columns
    lines = [",".join(row) for row in zip(*columns.values(), strict=True)][:n]
    path = folder / "metadata.csv"
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return parse_metadata(dataset, path)


def test_a_reader_finds_the_rows_in_a_copy_beside_the_description(tmp_path):
    dataset, task = read_dataset(ROOT, "phantom"), read_task(ROOT, "phantom/smoke")
    rows = copy_of_phantom(tmp_path)
    for file in (None, metadata_file(dataset, rows, task)):
        (tmp_path / "croissant.json").write_bytes(described("phantom", "phantom/smoke", file))
        found = list(mlcroissant.Dataset(str(tmp_path / "croissant.json")).records("images"))
        assert [row["images/image_id"].decode() for row in found] == list(rows.ids)
        assert [row["images/tone"].decode() for row in found] == list(rows.columns["tone"])
        assert [row["images/label"].decode() for row in found] == list(rows.columns["label"])


def test_an_older_layout_is_read_under_its_own_headers(tmp_path):
    dataset = read_dataset(ROOT, "fitzpatrick17k")
    path = tmp_path / "fitzpatrick17k.csv"
    path.write_text(
        "md5hash,fitzpatrick,label,nine_partition_label,three_partition_label,qc,url,url_alphanum\n"
        "aa,5,acne,inflammatory,non-neoplastic,,,a\n"
    )
    content = croissant(dataset, None, metadata_file(dataset, parse_metadata(dataset, path), None))
    (tmp_path / "croissant.json").write_bytes(content)
    (row,) = mlcroissant.Dataset(str(tmp_path / "croissant.json")).records("images")
    assert row == {
        "images/image_id": b"aa",
        "images/label": b"acne",
        "images/fitzpatrick_scale": b"5",
    }


def test_a_copy_with_other_rows_than_the_pins_is_refused(tmp_path, capsys):
    copy_of_phantom(tmp_path, 8)
    assert exit_code(["data", "croissant", "phantom/smoke", "--root", tmp_path]) == 2
    assert "the metadata has other rows than phantom/smoke" in capsys.readouterr().err


def test_a_description_holds_no_id():
    content = described("phantom", "phantom/smoke").decode()
    ids = drawn_metadata(read_dataset(ROOT, "phantom")).ids
    assert not [image_id for image_id in ids if image_id in content]


def test_who_labelled_the_tones_is_said_or_said_to_be_unknown():
    real = json.loads(described("fitzpatrick17k", "fitzpatrick17k/groh-random"))
    assert "Tones (fitzpatrick_scale): Scale AI." in real["rai:dataAnnotationProtocol"]
    other = json.loads(described("ddi", "ddi/fairdisco"))
    assert other["rai:dataAnnotationProtocol"] == [
        "Labels: diagnoses were confirmed by pathology.",
        "Tones (skin_tone): who labelled them is not declared.",
    ]


MINIMAL = {
    "rai:dataLimitations",
    "rai:dataBiases",
    "rai:personalSensitiveInformation",
    "rai:dataUseCases",
    "rai:dataSocialImpact",
    "rai:hasSyntheticData",
    "prov:wasDerivedFrom",
    "prov:wasGeneratedBy",
}


def test_the_fields_that_a_submission_asks_for_are_there():
    drawn = json.loads(described("phantom", "phantom/smoke"))
    photographs = json.loads(described("pad-ufes-20-sample", "pad-ufes-20-sample/malignant"))
    # Of photographs nobody is named who made them, and phantoms come from no data set and show no person.
    assert MINIMAL - set(photographs) == {"prov:wasGeneratedBy"}
    assert MINIMAL - set(drawn) == {"prov:wasDerivedFrom", "rai:personalSensitiveInformation"}
    assert photographs["rai:hasSyntheticData"] is False
    assert photographs["prov:wasDerivedFrom"] == "https://doi.org/10.17632/zr7vgbcyr2.1"
    assert photographs["rai:dataBiases"] == [
        "Tones are not equally frequent (fitspatrick): 1.0 42, 2.0 216, 3.0 95, 4.0 24, 5.0 2, 6.0 1."
    ]


def test_the_same_declaration_gives_the_same_bytes():
    assert described("ddi", "ddi/fairdisco") == described("ddi", "ddi/fairdisco")


def exit_code(arguments):
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    return done.value.code or 0


def test_the_command_prints_the_description_with_the_digest_of_a_copy(tmp_path, capsysbinary):
    copy_of_phantom(tmp_path)
    assert exit_code(["data", "croissant", "phantom/smoke", "--root", tmp_path]) == 0
    (file,) = json.loads(capsysbinary.readouterr().out)["distribution"]
    assert file["sha256"] == sha256_file(tmp_path / "metadata.csv")


def test_an_unknown_task_is_refused(capsys):
    assert exit_code(["data", "croissant", "phantom/none"]) == 2
    assert "no task 'phantom/none'" in capsys.readouterr().err
