"""Predictions files, good and bad: exactly the images asked for, or one sentence that says why."""

import os
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tonegap.errors import BadPredictions
from tonegap.scores import reading
from tonegap.scores.predictions import join, parse_predictions, read_predictions
from tonegap.scores.truth import Truth

GOOD = "image_id,p_benign,p_malignant\n000001,0.25,0.75\n000002,1,0\n"


def write(folder, content, name="p.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(folder, content, name="p.csv", **wanted):
    """The one sentence with which the file is refused."""
    path = write(folder, content, name)
    with pytest.raises(BadPredictions) as e:
        read_predictions(path, **wanted)
    text = str(e.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def test_a_good_file_gives_classes_ids_and_probabilities(tmp_path):
    found = read_predictions(write(tmp_path, GOOD))

    assert found.classes == ("benign", "malignant")
    assert found.ids == ("000001", "000002")
    assert (found.epochs, found.epoch_column) == ((0,), False)
    assert found.p.tolist() == [[[0.25, 0.75], [1.0, 0.0]]]


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
        GOOD.removesuffix("\n").encode(),
        GOOD.replace("000001", '"000001"').encode(),
    ],
    ids=["crlf", "byte order mark", "both", "no last newline", "quoted"],
)
def test_harmless_variants_are_read_the_same(tmp_path, content):
    found = read_predictions(write(tmp_path, content))

    assert found.ids == ("000001", "000002")
    assert found.p.tolist() == [[[0.25, 0.75], [1.0, 0.0]]]


def test_ids_that_look_like_nothing_are_still_ids(tmp_path):
    found = read_predictions(write(tmp_path, "image_id,p_a,p_b\nNA,1,0\nnan,1,0\n1e5,1,0\n"))

    assert found.ids == ("NA", "nan", "1e5")


def test_parquet_is_told_by_content_and_float32_is_fine(tmp_path):
    table = pa.table(
        {
            "image_id": pa.array(["b", "a"]).dictionary_encode(),
            "p_x": pa.array([0.1, 1.0], pa.float32()),
            "p_y": pa.array([0.9, 0.0], pa.float32()),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "p.csv")

    found = read_predictions(tmp_path / "p.csv")

    assert found.ids == ("b", "a")
    assert found.p.dtype == np.float64
    assert found.p[0, 0].tolist() == pytest.approx([0.1, 0.9])


def test_epochs_are_sorted_and_ids_in_the_order_asked_for(tmp_path):
    content = "epoch,p_a,p_b,image_id\n10,0,1,y\n2,1,0,x\n2,0.5,0.5,y\n10,0.25,0.75,x\n"

    found = read_predictions(write(tmp_path, content), classes=["b", "a"], ids=["x", "y"])

    assert (found.epochs, found.epoch_column) == ((2, 10), True)
    assert found.p.tolist() == [[[0, 1], [0.5, 0.5]], [[0.75, 0.25], [1, 0]]]


HEADER = "image_id,p_a,p_b\n"
EPOCHS = "epoch,image_id,p_a,p_b\n"

BAD = {
    "empty file": ("", "is empty; wanted a CSV with a header, or Parquet"),
    "header only": (HEADER, "has no rows"),
    "no image_id": (
        "id,p_a,p_b\n1,0,1\n",
        "has no column image_id (its columns: id, p_a, p_b); "
        "wanted image_id, p_<class>…, and epoch if there are several",
    ),
    "unknown columns": (
        "image_id,p_a,p_b,label,x\n1,0,1,a,b\n",
        "unknown columns (2: label, x); wanted image_id, epoch, p_<class>…",
    ),
    "repeated column": ("image_id,p_a,p_a\n1,0,1\n", "several columns of one name (1: p_a)"),
    "one class": (
        "image_id,p_a\n1,1\n",
        "wanted a column p_<class> for each of two classes or more (its columns: image_id, p_a)",
    ),
    "class without a name": (
        "image_id,p_,p_b\n1,0,1\n",
        "wanted a column p_<class> for each of two classes or more (its columns: image_id, p_, p_b)",
    ),
    "semicolons": (
        "image_id;p_a;p_b\n1;0,5;0,5\n",
        "columns are separated by semicolons; wanted commas",
    ),
    "an error page": (
        "<!DOCTYPE html>\n<html>\n",
        "has no column image_id (its columns: <!DOCTYPE html>); "
        "wanted image_id, p_<class>…, and epoch if there are several",
    ),
    "utf-16": (
        GOOD.encode("utf-16"),
        "is not UTF-8 text, and no Parquet file either; it begins as UTF-16 does: save it as UTF-8, or write Parquet",
    ),
    "utf-16 without its mark": (
        GOOD.encode("utf-16-le"),
        "is neither a CSV nor a Parquet file; it holds NUL, as UTF-16 without its mark does: "
        "save it as UTF-8, or write Parquet",
    ),
    "latin-1 id": (
        HEADER.encode() + b"caf\xe9,0,1\n",
        "is not UTF-8 text; save it as UTF-8, or write Parquet",
    ),
    "an image": (
        b"\x89PNG\r\n\x1a\n\0\0",
        "is not UTF-8 text, and no Parquet file either; save it as UTF-8, or write Parquet",
    ),
    "zeros": (
        b"\0" * 100,
        "is neither a CSV nor a Parquet file; it holds NUL, as UTF-16 without its mark does: save it as UTF-8, or "
        "write Parquet",
    ),
    "damaged parquet": (b"PAR1 and then nothing", "is a damaged Parquet file ("),
    "ragged rows": (
        HEADER + "1,0,1\n2,0\n3,0,1,1\n",
        "lines without the header's 3 cells (2: line 3 has 2, line 4 has 4)",
    ),
    "repeated ids": (
        HEADER + "1,0,1\n2,0,1\n1,0,1\n1,1,0\n",
        "images with more than one row in an epoch (1: 1); "
        "every image needs exactly one row in every epoch",
    ),
    "spaces around ids": (
        HEADER + " 1,0,1\n2 ,0,1\n",
        "ids with spaces around them (2: ' 1', '2 '); remove them",
    ),
    "empty ids": (HEADER + "1,0,1\n,0,1\n", "rows without an image_id (1: row 2)"),
    "no number": (HEADER + "1,0,1\n2,x,1\n", "cells of p_a that are no numbers (1: 'x' of 2)"),
    "no number in two epochs": (
        EPOCHS + "1,a,x,1\n2,a,y,1\n",
        "cells of p_a that are no numbers (2: 'x' of a, 'y' of a)",
    ),
    "a blank first line": ("\n" + GOOD, "its first line is empty; wanted a header"),
    "one long line of something": (b"x" * 200_000, "is not a readable CSV (field larger"),
    "decimal commas": (
        HEADER + '1,"0,5","0,5"\n',
        "cells of p_a that are no numbers (1: '0,5' of 1)",
    ),
    "nan": (
        HEADER + "1,0,1\n2,nan,1\n3,,1\n4,NaN,1\n5,NA,1\n",
        "images with an empty or NaN probability (4, first: 2, 3, 4)",
    ),
    "infinite": (
        HEADER + "1,inf,0\n",
        "images with a probability outside [0, 1] (1: 1)",
    ),
    "outside": (
        HEADER + "1,-0.1,1.1\n2,0,1\n3,1.5,-0.5\n",
        "images with a probability outside [0, 1] (2: 1, 3)",
    ),
    "sum": (
        HEADER + "1,0.5,0.6\n2,0,1\n3,0.5,0.4997\n",
        "images whose probabilities do not sum to 1 within 0.0001 "
        "(2: 1 sums to 1.1, 3 sums to 0.9997)",
    ),
    "epoch is no integer": (
        EPOCHS + "1.5,1,0,1\n,2,0,1\n3,3,0,1\n",
        "epochs that are no integers (2: '1.5' in row 1, '' in row 2)",
    ),
    "an epoch lacks an image": (
        EPOCHS + "1,a,0,1\n1,b,0,1\n2,b,0,1\n",
        "images without a row in epoch 2, of 2 (1: a); "
        "every image needs exactly one row in every epoch",
    ),
    "a first line without end": (
        b"a" * (2 << 20),
        "is neither a CSV nor a Parquet file; its first line does not end: save it as UTF-8, or write Parquet",
    ),
}


LIBRARY_WORDS = {"is a damaged Parquet file (", "is not a readable CSV (field larger"}


@pytest.mark.parametrize("kind", BAD)
def test_bad_file_is_refused_with_one_sentence(tmp_path, kind):
    content, sentence = BAD[kind]

    text = refusal(tmp_path, content)

    # What a library adds in brackets is its own.
    assert text == sentence or (sentence in LIBRARY_WORDS and text.startswith(sentence))


def test_missing_ids_are_counted_and_the_first_three_named(tmp_path):
    text = refusal(tmp_path, HEADER + "e,0,1\n", ids=list("abcde"))

    assert text == (
        "images without a row, of 5 (4, first: a, b, c); "
        "every image needs exactly one row in every epoch"
    )


def test_extra_ids_are_named(tmp_path):
    text = refusal(tmp_path, HEADER + "a,0,1\nb,0,1\nz,0,1\n", ids=["a"])

    assert text == "images that were not asked for (2: b, z)"


def test_ids_that_lost_their_zeros_are_not_taken_for_the_others(tmp_path):
    text = refusal(tmp_path, HEADER + "1,0,1\n", ids=["000001"])

    assert text == "images that were not asked for (1: 1)"


def test_a_class_asked_for_needs_a_column(tmp_path):
    text = refusal(tmp_path, GOOD, classes=["benign", "malignant", "unclear"])

    assert text == "classes without a column (1: p_unclear)"


def test_a_column_of_no_class_is_refused(tmp_path):
    text = refusal(tmp_path, GOOD, classes=["benign"])

    assert text == "columns of no class (1: p_malignant)"


def test_ids_cannot_move_the_cursor_of_a_terminal(tmp_path):
    text = refusal(tmp_path, HEADER + "\x1b[2Ja,0,1\n", ids=["b"])

    assert text == r"images that were not asked for (1: '\x1b[2Ja')"


def test_numbers_as_ids_in_parquet_are_refused(tmp_path):
    table = pa.table({"image_id": [1, 2], "p_a": [0.0, 1.0], "p_b": [1.0, 0.0]})
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")

    with pytest.raises(BadPredictions, match="image_id holds int64, and it must hold text"):
        read_predictions(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("p_a", [True, False], "p_a holds bool, and it must hold numbers"),
        ("p_a", [None, 1.0], r"empty or NaN probability \(1: x\)"),
        ("p_a", [None, "1"], r"p_a that are no numbers \(1: None of x\)"),
        ("epoch", [None, "1"], r"epochs that are no integers \(1: None in row 1\)"),
        ("epoch", [1.0, 1.0], "epoch holds double, and it must hold integers"),
        ("epoch", [None, 1], r"epochs that are no integers \(1: None in row 1\)"),
        ("image_id", [None, "y"], r"rows without an image_id \(1: row 1\)"),
    ],
)
def test_wrong_column_types_of_a_table_are_refused(column, values, words):
    columns = {"image_id": ["x", "y"], "p_a": [0.0, 1.0], "p_b": [1.0, 0.0]}

    with pytest.raises(BadPredictions, match=words):
        parse_predictions(pa.table(columns | {column: values}), None, None)


def test_many_epochs_of_one_image_each_do_not_need_a_grid_of_all():
    n = 200_000
    table = pa.table(
        {
            "image_id": [f"{i}" for i in range(n)],
            "epoch": np.arange(n),
            "p_a": np.zeros(n),
            "p_b": np.ones(n),
        }
    )

    with pytest.raises(BadPredictions, match="images without a row in epoch 0, of 200,000"):
        parse_predictions(table, None, None)


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "none.csv"

    with pytest.raises(BadPredictions, match=re.escape(f"{path}: cannot be read (No such file")):
        read_predictions(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(BadPredictions, match="cannot be read"):
        read_predictions(tmp_path)


def test_a_csv_over_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as f:
        f.write(HEADER.encode())
        os.truncate(f.fileno(), reading.MAX_CSV_BYTES + 1)

    with pytest.raises(BadPredictions, match=r"2,147,483,649 bytes.*keep fewer epochs"):
        read_predictions(path)


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_long_id_that_parquet_holds_once_for_many_rows_is_refused_before_it_is_spelled_out(
    tmp_path, monkeypatch, kind
):
    ids = pa.array(["x" * 1000] * 1000)
    table = pa.table({"image_id": ids.cast(kind), "p_a": [0.5] * 1000, "p_b": [0.5] * 1000})
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    assert (tmp_path / "p.parquet").stat().st_size < 10_000
    monkeypatch.setattr(reading, "MAX_CSV_BYTES", 999_999)
    with pytest.raises(BadPredictions, match=r"holds 1,000,000 bytes of text, and at most 999,999"):
        read_predictions(tmp_path / "p.parquet")


@pytest.mark.parametrize("value", [[[1]], pa.array([b"ab"], pa.binary(2))])
def test_a_parquet_with_cells_that_have_no_bound_is_refused(tmp_path, value):
    table = pa.table({"image_id": ["i"], "p_a": [1.0], "p_b": value})
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(BadPredictions, match=r"columns of neither texts nor numbers .*p_b holds"):
        read_predictions(tmp_path / "p.parquet")


def test_a_parquet_that_unpacks_to_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    table = pa.table({"image_id": ["x"] * 100, "p_a": [0.0] * 100, "p_b": [1.0] * 100})
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    monkeypatch.setattr(reading, "MAX_CELLS", 299)

    with pytest.raises(BadPredictions, match="100 rows of 3 columns, and at most 299 cells"):
        read_predictions(tmp_path / "p.parquet")


TWO = "image_id,p_a,p_b\nx,0,1\ny,1,0\n"


def test_join_is_by_id_not_by_order(tmp_path):
    predictions = read_predictions(write(tmp_path, TWO))

    joined = join(predictions, Truth(("y", "x"), ("a", "b"), (None, "VI")))

    assert joined.y.tolist() == [1, 0]
    assert joined.tones == ("VI", None)
    assert joined.p.tolist() == predictions.p.tolist()


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [
        (
            Truth(("x", "y", "z"), ("a", "a", "a"), (None,) * 3),
            "truth: images without a prediction (1: z)",
        ),
        (
            Truth(("x",), ("a",), (None,)),
            "truth: predicted images without a row (1: y); "
            "add them, or leave them out of the predictions",
        ),
        (
            Truth(("x", "y"), ("a", "c"), (None, None)),
            "truth: labels without a p_… column in the predictions (1: c)",
        ),
    ],
)
def test_join_refuses_what_only_one_side_has(tmp_path, truth, sentence):
    predictions = read_predictions(write(tmp_path, TWO))

    with pytest.raises(BadPredictions) as e:
        join(predictions, truth)

    assert str(e.value) == sentence
