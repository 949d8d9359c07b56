"""Which test images an entry misses, by tone; pictures only where the data set's declaration allows them."""

import base64
import io
import re
from pathlib import Path

import msgspec
import pytest
from PIL import Image
from report_files import contents
from two_entries import TRUTH, board_of, fill_two_entries, fill_with_photographs

from tonegap.data.drawn import ensure_drawn
from tonegap.data.index import index_images
from tonegap.data.metadata import read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.formats.record import DataId
from tonegap.report.pages import entry_page
from tonegap.report.pages.missed import Gallery
from tonegap.scores.evidence.missed_images import N_LISTED, MissedImage, MissedOfTone

ROOT = Path(__file__).parents[2]
SAMPLE = "pad-ufes-20-sample"


def missed_of(*ids):
    images = tuple(MissedImage(i, "benign", ("malignant",), 1, 1) for i in ids)
    return [MissedOfTone("I-II", images, len(ids), len(ids))]


@pytest.fixture
def sample(tmp_path):
    """The photographs of the project as a record names them, and the ids of two."""
    dataset = read_dataset(ROOT, SAMPLE)
    return named(dataset, dataset.folder, tmp_path)


def named(dataset, folder, cache):
    """The images in a folder as a record names them, and the ids of two."""
    metadata = read_metadata(dataset, folder)
    index = index_images(dataset, metadata, folder, cache / "index", workers=1)
    drawn = dataset.file.drawn is not None
    return DataId(dataset.id, metadata.sha256, index.digest, False, drawn), metadata.ids[:2]


def test_pictures_are_small_copies_with_source_and_licence(sample, tmp_path):
    data, ids = sample
    shown = Gallery(ROOT, tmp_path).shown(data, missed_of(*ids, "of-nobody"))
    assert list(shown.pictures) == list(ids)
    picture = Image.open(io.BytesIO(base64.b64decode(shown.pictures[ids[0]])))
    assert (picture.format, picture.size) == ("JPEG", (64, 64))
    assert shown.licence.startswith("CC BY 4.0")
    assert "Pacheco" in shown.source


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metadata_sha256": "0" * 64}, "another version of the data set"),
        ({"images_sha256": "0" * 64}, "another version of the data set"),
        ({"stand_in": True}, "not beside this report"),
        ({"data_set": "ddi"}, "does not say that pages may show its images"),
        ({"data_set": "fitzpatrick17k"}, "does not say that pages may show its images"),
        ({"data_set": "phantom"}, "not beside this report"),
        ({"data_set": "pad-ufes-20"}, "not beside this report"),
        ({"data_set": "of-nobody"}, "not declared here"),
    ],
)
def test_without_images_or_leave_to_show_them_there_are_none_and_a_reason(
    sample, tmp_path, change, why
):
    data, ids = sample
    other = msgspec.structs.replace(data, **change)
    shown = Gallery(ROOT, tmp_path).shown(other, missed_of(*ids))
    assert shown.pictures == {}
    assert why in shown.why
    assert shown.named == (other.data_set in (SAMPLE, "phantom", "pad-ufes-20"))


@pytest.fixture
def drawn(tmp_path):
    """A suite root with a small drawn data set, its store, and the folder of the images in that."""
    declared = (ROOT / "benchmarks/phantom/dataset.toml").read_text()
    small = re.sub(r"(?m)^images = \d+", "images = 4", declared).replace(
        "size_px = 64", "size_px = 16"
    )
    home = tmp_path / "root/benchmarks/phantom"
    home.mkdir(parents=True)
    (home / "dataset.toml").write_text(small)
    (tmp_path / "root/pyproject.toml").write_text("[tool.tonegap]\n")
    store = tmp_path / "runs"
    folder = ensure_drawn(read_dataset(tmp_path / "root", "phantom"), store / "drawn", workers=1)
    return tmp_path / "root", store, folder


def test_images_drawn_by_other_code_are_shown_while_they_are_those_tested(drawn, tmp_path):
    root, store, folder = drawn
    data, ids = named(read_dataset(root, "phantom"), folder, tmp_path)
    folder.rename(folder.with_name(f"phantom-{'0' * 16}"))
    assert list(Gallery(root, store).shown(data, missed_of(*ids)).pictures) == list(ids)


def test_other_pictures_under_the_same_ids_are_not_shown(drawn, tmp_path):
    root, store, folder = drawn
    data, ids = named(read_dataset(root, "phantom"), folder, tmp_path)
    picture = next((folder / "images").glob(f"{ids[0]}*"))
    Image.new("RGB", (16, 16), "red").save(picture)
    shown = Gallery(root, store).shown(data, missed_of(*ids))
    assert (shown.pictures, shown.why) == (
        {},
        "the images at hand are of another version of the data set",
    )


@pytest.fixture
def photographs(tmp_path):
    """The page of an entry on photographs of the project."""
    source = fill_with_photographs(tmp_path)
    files = contents(entry_page.files(board_of(source), source))
    return next(c for path, c in files.items() if "erm" in path and path.endswith(".html")).decode()


def test_a_page_with_leave_has_pictures_with_classes_source_and_licence(photographs):
    part = photographs.partition('<h2 id="missed">')[2].partition("</section>")[0]
    assert part.count("<img ") == 2 * N_LISTED
    assert part.count('src="data:image/jpeg;base64,') == 2 * N_LISTED
    assert "taken for" in part
    assert "licence: CC BY 4.0" in part
    assert "Ids alone" not in part
    assert len(photographs) < 300_000


def test_a_page_without_leave_has_ids_and_seeds_and_neither_pictures_nor_labels(tmp_path):
    source = fill_two_entries(tmp_path)
    files = contents(entry_page.files(board_of(source), source))
    page = next(c for path, c in files.items() if "erm" in path and path.endswith(".html")).decode()
    part = page.partition('<h2 id="missed">')[2].partition("</section>")[0]
    # 40 test images of each tone, two seeds of answers at random: three in four are missed in one or both.
    counts = re.findall(r"<h3>(\S+): (\d+) of (\d+) images missed in one seed or more", part)
    assert [(tone, n) for tone, _, n in counts] == [("I-II", "40"), ("V-VI", "40")]
    ids = re.findall(r'<th scope="row"><code>(\w+)</code></th>', part)
    assert len(ids) == 2 * N_LISTED
    assert set(ids) <= set(TRUTH.test.ids)
    assert "Ids alone: the data set is not declared here." in part
    assert "<img" not in page
    assert "benign" not in part
    assert "malignant" not in part
