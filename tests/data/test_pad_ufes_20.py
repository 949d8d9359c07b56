"""PAD-UFES-20: official metadata, pictures as released and otherwise, and the sample in the project."""

import os
import shutil
from collections import Counter
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


def test_the_card_says_how_many_test_photographs_a_random_fifth_shares_patients_of(
    official: tuple[Dataset, Path],
) -> None:
    """The chance that a photograph in the test set has another of its patient outside it, mean over all."""
    metadata = read_metadata(*official)
    n, n_test, expected = len(metadata.ids), len(metadata.ids) // 5, 0.0
    for n_photographs in Counter(metadata.groups["patient_id"]).values():
        all_in_test = 1.0
        for others in range(1, n_photographs):
            all_in_test *= (n_test - others) / (n - others)
        expected += n_photographs / n * (1 - all_in_test)
    card = (PROJECT / "benchmarks" / "pad-ufes-20" / "README.md").read_text(encoding="utf-8")
    assert f"on average {100 * expected:.0f} % of the test photographs in a random fifth" in card


def test_the_cards_name_copies_whose_diagnoses_contradict_each_other(
    official: tuple[Dataset, Path],
) -> None:
    metadata = read_metadata(*official)
    diagnosis = dict(zip(metadata.ids, metadata.columns["diagnostic"], strict=True))
    pair = ("PAT_56_86_479", "PAT_56_88_274")
    assert [diagnosis[f"{name}.png"] for name in pair] == ["SCC", "BCC"]
    same = ("PAT_759_1433_914", "PAT_759_1538_566")
    assert [diagnosis[f"{name}.png"] for name in same] == ["NEV", "BCC"]
    for name, pairs in (("pad-ufes-20", pair + same), ("pad-ufes-20-sample", pair)):
        folder = PROJECT / "benchmarks" / name
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert all(image_id in card for image_id in pairs)
        limitations = read_dataset(PROJECT, name).file.limitations
        assert any("diagnoses contradict each other" in text for text in limitations)


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
    (contradicting,) = (f for f in check.findings if f.kind == "copy with another label")
    assert contradicting.ids == {"PAT_56_88_274.png"}
    (ready,) = check.tasks
    assert ready.unknown is not None
    # 263 of 600 are malignant, and 263 of the 380 whose tone is known.
    assert ready.unknown.moved == (
        "leaving them out would move malignant from 43.8 to 69.2 % of images"
    )
    assert ready.leaks["patient_id"].n_test_images == 0
