"""Metadata files as users have them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tonegap.data.metadata import Metadata, malignant_flags, read_metadata
from tonegap.declared.dataset import Dataset
from tonegap.errors import BadData

Read = Callable[..., Metadata]
HEADER = "picture no,what,skin,bad"


def test_cells_stay_text(read_rows: Read) -> None:
    metadata = read_rows(HEADER, "007,NA,1,no", "008,1.0,2,no")
    assert metadata.ids == ("007", "008")
    assert metadata.columns["what"] == ("NA", "1.0")


def test_rows_keep_the_order_of_the_file(read_rows: Read) -> None:
    assert read_rows(HEADER, "z,a,1,no", "b,a,1,no").ids == ("z", "b")


@pytest.mark.parametrize(("end", "encoding"), [("\r\n", "utf-8"), ("\n", "utf-8-sig")])
def test_crlf_and_a_byte_order_mark_change_nothing(
    read_rows: Read, end: str, encoding: str
) -> None:
    metadata = read_rows(HEADER, "a,wart,6,no", end=end, encoding=encoding)
    assert metadata.ids == ("a",)
    assert metadata.columns["bad"] == ("no",)
    assert metadata.tones["nurse"] == ("VI",)


def test_a_declared_unknown_tone_and_an_empty_cell_are_none(read_rows: Read) -> None:
    metadata = read_rows(HEADER, "a,wart,?,no", "b,wart,,no", "c,wart,III,no")
    assert metadata.tones["nurse"] == (None, None, "III")


def test_words_and_numbers_are_read_as_declared(tmp_path: Path, clinic: Dataset) -> None:
    words = {"fair": "M1-3", "dark": "M9"}
    axis = msgspec.structs.replace(clinic.file.tones["nurse"], scale="monk", words=words)
    file = msgspec.structs.replace(clinic.file, tones={"nurse": axis})
    told = replace(clinic, file=file)
    (tmp_path / "rows.csv").write_text(
        f"{HEADER}\na,wart,fair,no\nb,wart,dark,no\nc,wart,10,no\nd,wart,?,no\n"
    )
    assert read_metadata(told, tmp_path).tones["nurse"] == ("M1-3", "M9", "M10", None)
    (tmp_path / "rows.csv").write_text(f"{HEADER}\na,wart,VI,no\n")
    with pytest.raises(BadData, match=r"skin is 'VI'; wanted .*1 to 10, M1 to M10, fair, dark"):
        read_metadata(told, tmp_path)


@pytest.mark.parametrize("cell", ["0", "-1", "7", "light"])
def test_another_tone_cell_is_an_error_that_names_its_line(read_rows: Read, cell: str) -> None:
    with pytest.raises(BadData, match=rf"rows\.csv: line 3: skin is '{cell}'"):
        read_rows(HEADER, "a,wart,1,no", f"b,wart,{cell},no")


def test_spellings_become_the_canonical_cell(read_rows: Read) -> None:
    metadata = read_rows(HEADER, "a,wart,1,y", "b,wart,1,0", "c,wart,1,")
    assert metadata.columns["bad"] == ("yes", "no", "")


def test_an_undeclared_spelling_is_an_error(read_rows: Read) -> None:
    with pytest.raises(BadData, match="line 2: bad is 'maybe'; wanted one of 'yes'"):
        read_rows(HEADER, "a,wart,1,maybe")


def test_an_older_header_is_the_same_column(read_rows: Read) -> None:
    metadata = read_rows("picture no,what,old skin,bad", "a,wart,2,no")
    assert metadata.schema == "old"
    assert metadata.columns["skin"] == ("2",)
    assert metadata.tones["nurse"] == ("II",)


def test_a_layout_without_an_optional_column_lacks_its_tone_axis(read_rows: Read) -> None:
    assert set(read_rows(HEADER, "a,wart,1,no").tones) == {"nurse"}
    metadata = read_rows(f"{HEADER},second skin", "a,wart,1,no,V")
    assert metadata.tones == {"nurse": ("I",), "machine": ("V",)}


def test_undeclared_columns_and_an_unnamed_index_are_left_out(read_rows: Read) -> None:
    metadata = read_rows(f",{HEADER},mood", "0,a,wart,1,no,glad")
    assert set(metadata.columns) == {"picture no", "what", "skin", "bad"}


def test_malignant_comes_from_the_declared_column(read_rows: Read, clinic: Dataset) -> None:
    metadata = read_rows(HEADER, "a,wart,1,yes", "b,wart,1,no", "c,wart,1,")
    assert malignant_flags(clinic, metadata) == (True, False, None)


BAD_FILES = {
    "empty": ((), "the file is empty"),
    "blank": (("", ""), "the file is empty"),
    "header alone": ((HEADER,), "found a header and no row"),
    "semicolons": (("picture no;what;skin;bad", "a;wart;1;no"), "separated by semicolons"),
    "tabs": (("picture no\twhat\tskin\tbad", "a\twart\t1\tno"), "separated by tabs"),
    "missing column": (("picture no,what,bad", "a,wart,no"), "no column 'skin' or 'old skin'"),
    "two missing": (("picture no,bad", "a,no"), r"no column 'what' \(and 1 other declared column"),
    "column twice": ((f"{HEADER},what", "a,wart,1,no,x"), "two columns 'what'"),
    "short row": ((HEADER, "a,wart,1,no", "b,wart"), "line 3: 2 cells; the header has 4"),
    "open quote": ((HEADER, 'a,"wart,1,no'), "not valid CSV"),
    "empty id": ((HEADER, "a,wart,1,no", ",wart,1,no"), "line 3: picture no is empty"),
    "repeated id": (
        (HEADER, *(f"{i},wart,1,no" for i in "abcdabcd")),
        r"4 ids in picture no occur more than once \(first: a, b, c, …\)",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_one_sentence(read_rows: Read, kind: str) -> None:
    lines, sentence = BAD_FILES[kind]
    with pytest.raises(BadData, match=sentence):
        read_rows(*lines)


def test_another_encoding_is_named(read_rows: Read) -> None:
    with pytest.raises(BadData, match="is not UTF-8"):
        read_rows(HEADER, "a,Fußpilz,1,no", encoding="latin-1")


def test_an_absent_file_says_licence_and_access(clinic: Dataset, tmp_path: Path) -> None:
    with pytest.raises(BadData) as caught:
        read_metadata(clinic, tmp_path / "clinic" / "nowhere")
    for text in ("no rows.csv here or below", "Licence: ask the clinic", "Access: walk in"):
        assert text in str(caught.value)


def test_the_file_may_lie_below_the_root(clinic: Dataset, tmp_path: Path) -> None:
    assert read_metadata(clinic, tmp_path).path == clinic.folder / "rows.csv"


def test_two_files_below_the_root_are_not_guessed_between(clinic: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "rows.csv").write_bytes((clinic.folder / "rows.csv").read_bytes())
    with pytest.raises(BadData, match=r"found clinic/rows\.csv and copy/rows\.csv; wanted one"):
        read_metadata(clinic, tmp_path)


def test_the_marker_makes_it_a_stand_in_from_above_too(clinic: Dataset, tmp_path: Path) -> None:
    assert not read_metadata(clinic, clinic.folder).stand_in
    (clinic.folder / "stand-in.json").write_text("{}")
    assert read_metadata(clinic, clinic.folder).stand_in
    assert read_metadata(clinic, tmp_path).stand_in


def test_a_half_drawn_stand_in_is_refused(clinic: Dataset) -> None:
    (clinic.folder / "stand-in.part.json").write_text("{}")
    with pytest.raises(BadData, match="not complete; run the same"):
        read_metadata(clinic, clinic.folder)


def test_a_cell_that_is_no_tone_is_told_where_to_name_it(read_rows: Read) -> None:
    said = (
        "'none' says that nobody knows, name it in `unknown` of \\[tones.nurse\\] in dataset.toml"
    )
    with pytest.raises(BadData, match=said):
        read_rows(HEADER, "a,wart,none,no")
