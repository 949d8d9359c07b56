"""PAD-UFES-20: official metadata, pictures as released and otherwise, and the sample in the project."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tonegap.checks.download import check_data
from tonegap.data.locate import locate_images
from tonegap.data.metadata import own_root, read_metadata
from tonegap.data.published_counts import compare_counts
from tonegap.declared.dataset import Dataset, read_dataset
from tonegap.declared.task import read_task

PROJECT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TONEGAP_DATA", PROJECT.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def official() -> tuple[Dataset, Path]:
    if not (DATA / "pad-ufes-20" / "metadata.csv").is_file():
        pytest.skip("no metadata of PAD-UFES-20; name its folder's parent with TONEGAP_DATA")
    return read_dataset(PROJECT, "pad-ufes-20"), DATA / "pad-ufes-20"


def test_the_official_metadata_have_the_published_counts(official: tuple[Dataset, Path]) -> None:
    dataset, root = official
    metadata = read_metadata(dataset, root)
    assert dataset.file.published is not None
    counts = compare_counts(dataset.file.published, metadata)
    assert counts
    assert [count for count in counts if count.found != count.published] == []


@pytest.mark.parametrize(
    "folders",
    [
        ("imgs_part_1", "imgs_part_2", "imgs_part_3"),
        ("imgs_part_1/imgs_part_1", "imgs_part_2/imgs_part_2", "imgs_part_3/imgs_part_3"),
        ("images",),
        ("",),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures_are_found_in_every_layout(
    official: tuple[Dataset, Path], tmp_path: Path, folders: tuple[str, ...], suffix: str
) -> None:
    dataset, root = official
    shutil.copy(root / "metadata.csv", tmp_path)
    metadata = read_metadata(dataset, tmp_path)
    for number, image_id in enumerate(metadata.ids[:9]):
        folder = tmp_path / folders[number % len(folders)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save((folder / image_id).with_suffix(f".{suffix}"))
    assert set(locate_images(dataset, metadata, tmp_path).paths) == set(metadata.ids[:9])


def test_the_sample_in_the_project_is_whole_and_can_be_run(tmp_path: Path) -> None:
    dataset = read_dataset(PROJECT, "pad-ufes-20-sample")
    root = own_root(dataset)
    assert root == dataset.folder
    task = read_task(PROJECT, "pad-ufes-20-sample/malignant")
    check = check_data(dataset, root, tmp_path, 1, [task])
    assert (check.n_usable, check.is_usable) == (600, True)
    assert [count for count in check.counts if count.found != count.published] == []
    assert sum(path.stat().st_size for path in (root / "images").iterdir()) < 6_000_000
    (ready,) = check.tasks
    assert ready.unknown is not None
    # 263 of 600 are malignant, and 263 of the 380 whose tone is known.
    assert ready.unknown.moved == (
        "leaving them out would move malignant from 43.8 to 69.2 % of images"
    )
    assert ready.leaks["patient_id"].n_test_images == 0
