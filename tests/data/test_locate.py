"""Which file is which image."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tonegap.data.locate import Located, locate_images
from tonegap.data.metadata import Metadata, read_metadata
from tonegap.errors import BadData
from tonegap.rooms.dataset import Dataset

Write = Callable[..., None]


@pytest.fixture
def locate(clinic: Dataset) -> Callable[[], Located]:
    def _locate() -> Located:
        metadata = read_metadata(clinic, clinic.folder)
        return locate_images(clinic, metadata, clinic.folder)

    return _locate


def test_images_are_found_in_any_one_folder(
    clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
) -> None:
    write_pictures(clinic.folder / "x" / "deep", ["a1.png", "a2.png", "a4.jpg"])
    found = locate()
    assert found.folder == clinic.folder / "x" / "deep"
    assert {i: p.name for i, p in found.paths.items()} == {
        "a1": "a1.png",
        "a2": "a2.png",
        "a4": "a4.jpg",
    }


def test_the_first_declared_name_wins(
    clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
) -> None:
    write_pictures(clinic.folder, ["a1.jpg", "a1.png"])
    assert locate().paths["a1"].name == "a1.png"
    assert locate().extra == ()


def test_the_fullest_folder_wins_and_the_rest_is_named(
    clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
) -> None:
    write_pictures(clinic.folder / "few", ["a1.png", "a3.png"])
    write_pictures(clinic.folder / "most", ["a1.png", "a2.png", "a4.png"])
    found = locate()
    assert found.folder == clinic.folder / "most"
    assert set(found.paths) == {"a1", "a2", "a4"}
    assert found.elsewhere == {"a3": clinic.folder / "few"}


def test_image_files_that_no_row_names_are_extra(
    clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
) -> None:
    write_pictures(clinic.folder, ["a1.png", "b1.png"])
    (clinic.folder / "notes.txt").write_text("no image")
    assert [p.name for p in locate().extra] == ["b1.png"]


def test_no_folder_holds_any_image(locate: Callable[[], Located]) -> None:
    assert locate() == Located(None, {}, {}, {}, ())


def test_a_name_from_another_column_may_have_folders(
    clinic: Dataset, write_pictures: Write, read_rows: Callable[..., Metadata]
) -> None:
    metadata = read_rows(
        "picture no,what,skin,bad,other name", "a,wart,1,no,one/p.png", "b,wart,1,no,two/p.png"
    )
    write_pictures(clinic.folder / "all", ["one/p.png", "two/p.png", "two/q.png"])
    found = locate_images(clinic, metadata, clinic.folder)
    assert found.folder == clinic.folder / "all"
    assert found.paths == {
        "a": clinic.folder / "all" / "one" / "p.png",
        "b": clinic.folder / "all" / "two" / "p.png",
    }
    assert [p.name for p in found.extra] == ["q.png"]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "x/../../secret.png"])
def test_a_name_that_leads_out_is_refused(
    clinic: Dataset, read_rows: Callable[..., Metadata], name: str
) -> None:
    metadata = read_rows("picture no,what,skin,bad,other name", f"a,wart,1,no,{name}")
    with pytest.raises(BadData, match=r"image a has the file name .*inside the image folder"):
        locate_images(clinic, metadata, clinic.folder)


def test_a_loop_of_links_ends(
    clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
) -> None:
    write_pictures(clinic.folder / "x", ["a1.png"])
    (clinic.folder / "x" / "again").symlink_to(clinic.folder)
    assert set(locate().paths) == {"a1"}


def test_hidden_files_are_no_images(
    clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
) -> None:
    write_pictures(clinic.folder, ["a1.png", "._a1.png"])
    assert locate().extra == ()


def test_masks_are_not_taken_for_images(
    phantom: Dataset, tmp_path: Path, write_pictures: Write
) -> None:
    (tmp_path / "metadata.csv").write_text(
        "image_id,label,tone,malignant,half\np1,wart,I,False,pool\np2,wart,I,False,pool\n"
    )
    write_pictures(tmp_path / "images", ["p1.png", "masks/p1.png", "masks/p2.png"])
    found = locate_images(phantom, read_metadata(phantom, tmp_path), tmp_path)
    assert found.paths == {"p1": tmp_path / "images" / "p1.png"}
    assert found.elsewhere == {}


def test_drawn_images_below_real_metadata_are_refused(
    clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
) -> None:
    drawn = clinic.folder / "drawn"
    write_pictures(drawn / "images", ["a1.png"])
    (drawn / "stand-in.json").write_text("{}")
    with pytest.raises(BadData, match=r"holds drawn stand-ins, but .* is read as real metadata"):
        locate()
