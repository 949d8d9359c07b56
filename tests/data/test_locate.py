"""Which file is which image."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from tonegap.data.decode import FORMATS
from tonegap.data.index import index_images
from tonegap.data.locate import IMAGE_SUFFIXES, Located, locate_images
from tonegap.data.metadata import Metadata, read_metadata
from tonegap.declared.dataset import Dataset
from tonegap.errors import BadData

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
    for name in ("b2.ppm", "b3.JP2"):
        (clinic.folder / name).write_bytes(b"")
    assert [p.name for p in locate().extra] == ["b1.png", "b2.ppm", "b3.JP2"]


def test_an_image_file_is_what_has_a_name_of_an_accepted_format() -> None:
    of_formats = {s for s, name in Image.registered_extensions().items() if name in FORMATS}
    assert set(IMAGE_SUFFIXES) == of_formats


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
    with pytest.raises(BadData, match=r"holds phantom stand-ins, but .* is read as real metadata"):
        locate()


class TestMasksAreNoImages:
    @pytest.mark.parametrize(
        "folder",
        ["images/masks", "masks", "images/Mask", "lesion_masks", "GroundTruth", "seg/segmentation"],
    )
    def test_a_missing_image_is_missing_where_its_mask_is_there(
        self, clinic: Dataset, write_pictures: Write, locate: Callable[[], Located], folder: str
    ) -> None:
        # Nobody declares the masks, and there are more of them than images.
        write_pictures(clinic.folder / "images", ["a1.png", "a2.png", "a3.png"])
        write_pictures(clinic.folder / folder, ["a1.png", "a2.png", "a3.png", "a4.png"])
        found = locate()
        assert found.folder == clinic.folder / "images"
        assert set(found.paths) == {"a1", "a2", "a3"}
        assert found.elsewhere == {}

    def test_masks_alone_are_no_images(
        self, clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
    ) -> None:
        write_pictures(clinic.folder / "masks", ["a1.png", "a2.png"])
        assert (locate().folder, locate().paths) == (None, {})

    def test_a_nested_folder_of_the_same_names_is_not_taken(
        self, clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
    ) -> None:
        write_pictures(clinic.folder / "photos", ["a1.png", "a2.png"])
        write_pictures(clinic.folder / "photos" / "small", ["a1.png", "a2.png", "a3.png"])
        found = locate()
        assert found.folder == clinic.folder / "photos"
        assert found.elsewhere == {"a3": clinic.folder / "photos" / "small"}
        assert set(found.also) == {"a1", "a2"}

    def test_thumbnails_beside_photographs_are_not_taken(
        self, clinic: Dataset, picture: Callable, locate: Callable[[], Located]
    ) -> None:
        for folder, names, size in (
            ("photos", ("a1", "a2"), (400, 300)),
            ("thumbs", ("a1", "a2", "a3"), (40, 30)),
        ):
            (clinic.folder / folder).mkdir()
            for name in names:
                picture(1, size).save(clinic.folder / folder / f"{name}.png")
        assert locate().folder == clinic.folder / "photos"

    def test_a_sample_above_the_full_folder_does_not_win(
        self, clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
    ) -> None:
        write_pictures(clinic.folder, ["a1.png"])
        write_pictures(clinic.folder / "images", ["a1.png", "a2.png", "a3.png"])
        assert locate().folder == clinic.folder / "images"


class TestOtherSpellings:
    def test_another_case_of_the_suffix(
        self, clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
    ) -> None:
        write_pictures(clinic.folder, ["a1.PNG", "a2.Jpg"])
        assert {i: p.name for i, p in locate().paths.items()} == {"a1": "a1.PNG", "a2": "a2.Jpg"}
        assert locate().extra == ()

    def test_another_unicode_form(
        self, clinic: Dataset, write_pictures: Write, read_rows: Callable[..., Metadata]
    ) -> None:
        metadata = read_rows("picture no,what,skin,bad", "M\u00fcller,wart,1,no")
        write_pictures(clinic.folder, ["Mu\u0308ller.png"])
        assert set(locate_images(clinic, metadata, clinic.folder).paths) == {"M\u00fcller"}

    def test_a_backslash_between_folders(
        self, clinic: Dataset, write_pictures: Write, read_rows: Callable[..., Metadata]
    ) -> None:
        metadata = read_rows("picture no,what,skin,bad,other name", "a,wart,1,no,one\\p.png")
        write_pictures(clinic.folder, ["one/p.png"])
        assert set(locate_images(clinic, metadata, clinic.folder).paths) == {"a"}

    def test_a_backslash_that_leads_out_is_refused(
        self, clinic: Dataset, read_rows: Callable[..., Metadata]
    ) -> None:
        metadata = read_rows("picture no,what,skin,bad,other name", "a,wart,1,no,..\\p.png")
        with pytest.raises(BadData, match="inside the image folder"):
            locate_images(clinic, metadata, clinic.folder)

    def test_a_file_that_is_one_images_is_never_anothers(
        self, clinic: Dataset, write_pictures: Write, read_rows: Callable[..., Metadata]
    ) -> None:
        metadata = read_rows(
            "picture no,what,skin,bad,other name", "a,wart,1,no,x.png", "b,wart,1,no,x.PNG"
        )
        write_pictures(clinic.folder, ["x.PNG"])
        assert set(locate_images(clinic, metadata, clinic.folder).paths) == {"b"}

    def test_two_files_of_other_spellings_are_named(
        self, clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
    ) -> None:
        write_pictures(clinic.folder, ["a1.PNG", "a1.Png", "a2.png", "a2.PNG"])
        found = locate()
        assert set(found.paths) == {"a2"}  # one of its two files has its very name
        assert found.ambiguous == {"a1": "a1.PNG and a1.Png"}


class TestSeveralFolders:
    @pytest.fixture
    def parts(self, clinic: Dataset) -> Dataset:
        file = msgspec.structs.replace(clinic.file, image_folders=("part_*",))
        return Dataset(clinic.id, clinic.folder, file)

    def test_images_are_found_over_all_of_them(self, parts: Dataset, write_pictures: Write) -> None:
        write_pictures(
            parts.folder, ["part_1/a1.png", "part_2/a2.png", "part_2/a3.png", "other/a4.png"]
        )
        found = locate_images(parts, read_metadata(parts, parts.folder), parts.folder)
        assert {i: p.parent.name for i, p in found.paths.items()} == {
            "a1": "part_1",
            "a2": "part_2",
            "a3": "part_2",
        }
        assert found.elsewhere == {"a4": parts.folder / "other"}

    def test_a_name_in_two_of_them_is_named_and_not_read(
        self, parts: Dataset, write_pictures: Write, tmp_path: Path
    ) -> None:
        write_pictures(parts.folder, ["part_1/a1.png", "part_2/a1.png", "part_2/a2.png"])
        metadata = read_metadata(parts, parts.folder)
        index = index_images(parts, metadata, parts.folder, tmp_path / "cache", 1)
        assert set(index.paths) == {"a2"}
        problem = next(p for p in index.problems if p.image_id == "a1")
        assert (problem.kind, problem.text) == (
            "two files of its name",
            "part_1/a1.png and part_2/a1.png",
        )

    def test_declared_folders_without_an_image_are_refused(
        self, parts: Dataset, write_pictures: Write
    ) -> None:
        write_pictures(parts.folder, ["images/a1.png"])
        with pytest.raises(BadData, match=r"image_folders declares 'part_\*'; .* lie in 'images'"):
            locate_images(parts, read_metadata(parts, parts.folder), parts.folder)


def test_an_entry_that_cannot_be_looked_at_is_named_alone(
    clinic: Dataset, write_pictures: Write, tmp_path: Path
) -> None:
    write_pictures(clinic.folder, ["a1.png"])
    (clinic.folder / "a2.png").symlink_to("a2.png")
    metadata = read_metadata(clinic, clinic.folder)
    index = index_images(clinic, metadata, clinic.folder, tmp_path / "cache", 1)
    assert set(index.paths) == {"a1"}
    kinds = {p.image_id: (p.kind, p.text) for p in index.problems}
    assert kinds["a2"] == ("unreadable", "Too many levels of symbolic links")
    assert kinds["a3"][0] == "missing"


def test_where_nothing_has_a_name_all_image_files_are_extra(
    clinic: Dataset, write_pictures: Write, locate: Callable[[], Located]
) -> None:
    write_pictures(clinic.folder, ["x/IMG_1.png", "y/IMG_2.jpg"])
    assert sorted(p.name for p in locate().extra) == ["IMG_1.png", "IMG_2.jpg"]
