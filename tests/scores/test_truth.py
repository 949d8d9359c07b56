"""Truth files: a label and a tone for each image, or one sentence that says what is wrong."""

import pyarrow as pa
import pyarrow.parquet
import pytest

from tonegap.errors import BadPredictions, BadRequest
from tonegap.scores.truth import read_truth, tones_as

HEADER = "image_id,label,tone\n"


def truth_of(folder, content):
    path = folder / "t.csv"
    path.write_text(content, encoding="utf-8")
    return read_truth(path)


def refusal(folder, content):
    with pytest.raises(BadPredictions) as e:
        truth_of(folder, content)
    return str(e.value).removeprefix(f"{folder / 't.csv'}: ")


def test_tones_are_types_and_an_empty_cell_is_unknown(tmp_path):
    truth = truth_of(tmp_path, HEADER + "01,nevus,1\n02,nevus,6.0\n03,acne,\n04,acne,IV\n")

    assert truth.ids == ("01", "02", "03", "04")
    assert truth.labels == ("nevus", "nevus", "acne", "acne")
    assert truth.tones == ("I", "VI", None, "IV")


def test_tones_may_be_groups(tmp_path):
    truth = truth_of(tmp_path, HEADER + "1,a,I-II\n2,a,34\n3,a,\n")

    assert truth.tones == ("I-II", "III-IV", None)


def test_other_columns_are_left_out(tmp_path):
    truth = truth_of(tmp_path, "p_x,tone,image_id,qc,label\nhm,1,i,ok,a\n")

    assert (truth.ids, truth.labels, truth.tones) == (("i",), ("a",), ("I",))


def test_parquet_with_integer_tones_and_holes_is_read(tmp_path):
    table = pa.table({"image_id": ["a", "b"], "label": ["x", "y"], "tone": [3.0, None]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")

    assert read_truth(tmp_path / "t.parquet").tones == ("III", None)


WANTED = "; wanted 1 to 6, I to VI, M1 to M10, a group such as V-VI, or an empty cell where it is unknown"

BAD = {
    "tone 0": (
        HEADER + "a,x,1\nb,x,0\n",
        f"cells that are no skin tone (1: 0 in row 2, b){WANTED}",
    ),
    "tone -1": (HEADER + "a,x,-1\n", f"cells that are no skin tone (1: -1 in row 1, a){WANTED}"),
    "tone nan": (HEADER + "a,x,nan\n", f"cells that are no skin tone (1: nan in row 1, a){WANTED}"),
    "many bad tones": (
        HEADER + "".join(f"{i},x,9\n" for i in range(5)),
        "cells that are no skin tone "
        f"(5, first: 9 in row 1, 0, 9 in row 2, 1, 9 in row 3, 2){WANTED}",
    ),
    "both axes": (
        HEADER + "a,x,1\nb,x,I-II\nc,x,2\n",
        "mixes skin types (2 rows) and tone groups (1 rows); write one of the two for all images",
    ),
    "two scales": (
        HEADER + "a,x,V\nb,x,M5\n",
        "mixes Fitzpatrick and Monk tones; write one of the two for all images",
    ),
    "missing columns": (
        "image_id,fitzpatrick\na,1\n",
        "missing columns (2: label, tone); wanted image_id, label, tone",
    ),
    "repeated ids": (HEADER + "a,x,1\na,x,1\nb,x,1\n", "images with more than one row (1: a)"),
    "spaces around an id": (
        HEADER + "a ,x,1\n",
        "ids with spaces around them (1: 'a '); remove them",
    ),
    "no label": (HEADER + "a,,1\n", "images without a label (1: a)"),
    "spaces around a label": (
        HEADER + "a, x,1\n",
        "labels with spaces around them (1: ' x' of a); remove them",
    ),
    "no id": (HEADER + ",x,1\n", "rows without an image_id (1: row 1)"),
    "no rows": (HEADER, "has no rows"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_truth_is_refused_with_one_sentence(tmp_path, kind):
    content, sentence = BAD[kind]

    assert refusal(tmp_path, content) == sentence


def test_numbers_as_labels_in_parquet_are_refused(tmp_path):
    table = pa.table({"image_id": ["a"], "label": [1], "tone": ["1"]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")

    with pytest.raises(BadPredictions, match="label holds int64, and it must hold text"):
        read_truth(tmp_path / "t.parquet")


def test_types_pool_to_groups_and_unknown_stays_unknown():
    assert tones_as(["I", "II", None, "IV", "VI"], "groups") == (
        "I-II", "I-II", None, "III-IV", "V-VI",
    )  # fmt: skip


@pytest.mark.parametrize("axis", [None, "types"])
def test_types_stay_types(axis):
    assert tones_as(["I", None], axis) == ("I", None)


def test_groups_stay_groups_unless_types_are_asked_for():
    assert tones_as(["I-II"], None) == ("I-II",)
    assert tones_as(["I-II"], "groups") == ("I-II",)
    with pytest.raises(BadRequest, match="do not follow from them"):
        tones_as(["I-II"], "types")
