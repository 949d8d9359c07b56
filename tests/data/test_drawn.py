"""Data sets that the suite draws itself."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tonegap.data.drawn import (
    apportion,
    draw_plain,
    drawn_metadata,
    drawn_rows,
    ensure_drawn,
    scaled,
)
from tonegap.data.metadata import read_metadata
from tonegap.declared.dataset import Dataset, DrawnHalf, PhantomDeclaration
from tonegap.errors import BadRequest, BadSuiteFolder, StoreError
from tonegap.files import folder_digest

SMALL = PhantomDeclaration(
    seed=3,
    size_px=16,
    id_prefix="s",
    labels={"wart": False, "psoriasis": False, "basal cell carcinoma": True},
    halves={
        "pool": DrawnHalf(images=6, tones={"VI": 1, "I": 2}),
        "probe": DrawnHalf(images=4, tones={"I": 1, "VI": 1}),
    },
)


@pytest.fixture
def small(phantom: Dataset) -> Dataset:
    return with_drawn(phantom, SMALL)


def with_drawn(dataset: Dataset, drawn: PhantomDeclaration) -> Dataset:
    file = msgspec.structs.replace(dataset.file, drawn=drawn)
    return Dataset(dataset.id, dataset.folder, file)


def test_tones_and_labels_are_shared_out_as_declared() -> None:
    rows = drawn_rows(SMALL)
    # pool: 4 I, 2 VI; labels in turn over the tones from light to dark: w p b w | p b
    assert Counter((r.half, r.tone, r.label) for r in rows if r.half == "pool") == {
        ("pool", "I", "wart"): 2,
        ("pool", "I", "psoriasis"): 1,
        ("pool", "I", "basal cell carcinoma"): 1,
        ("pool", "VI", "psoriasis"): 1,
        ("pool", "VI", "basal cell carcinoma"): 1,
    }
    assert Counter(r.tone for r in rows if r.half == "probe") == {"I": 2, "VI": 2}
    assert {(r.label, r.malignant) for r in rows} == {
        ("wart", "False"),
        ("psoriasis", "False"),
        ("basal cell carcinoma", "True"),
    }


def test_ids_are_numbers_that_tell_nothing() -> None:
    rows = drawn_rows(SMALL)
    assert [r.image_id for r in rows] == [f"s{i:05d}" for i in range(1, 11)]
    assert [r.half for r in rows] != sorted(r.half for r in rows)


def test_another_seed_is_another_order_of_the_same_rows() -> None:
    one, other = drawn_rows(SMALL), drawn_rows(msgspec.structs.replace(SMALL, seed=4))
    assert drawn_rows(SMALL) == one
    cells = [[(r.label, r.tone, r.half) for r in rows] for rows in (one, other)]
    assert cells[0] != cells[1]
    assert sorted(cells[0]) == sorted(cells[1])


@pytest.mark.parametrize(
    ("n", "shares", "counts"),
    [
        (10, {"a": 1, "b": 1, "c": 1}, {"a": 4, "b": 3, "c": 3}),
        (1500, {"a": 0.18, "b": 0.3, "c": 0.52}, {"a": 270, "b": 450, "c": 780}),
        (1, {"a": 0.4, "b": 0.6}, {"a": 0, "b": 1}),
        (7, {"a": 0, "b": 2}, {"a": 0, "b": 7}),
    ],
)
def test_whole_numbers_go_by_largest_remainder(
    n: int, shares: dict[str, float], counts: dict[str, int]
) -> None:
    assert apportion(n, shares) == counts


def test_the_phantom_trains_on_unequal_tones_and_tests_on_equal_ones(phantom: Dataset) -> None:
    metadata = drawn_metadata(phantom)
    halves = Counter(zip(metadata.columns["half"], metadata.tones["tone"], strict=True))
    assert [halves["pool", t] for t in ("I", "II", "III", "IV", "V", "VI")] == [
        270, 450, 300, 255, 150, 75,
    ]  # fmt: skip
    assert [halves["probe", t] for t in ("I", "II", "III", "IV", "V", "VI")] == [150] * 6
    labels = Counter(metadata.columns["label"])
    assert len(labels) == 7
    assert max(labels.values()) - min(labels.values()) <= 2


def test_drawing_gives_metadata_images_and_masks(small: Dataset, tmp_path: Path) -> None:
    root = ensure_drawn(small, tmp_path, workers=1)
    metadata = read_metadata(small, root)
    assert metadata.ids == drawn_metadata(small).ids
    assert not metadata.stand_in
    for image_id in metadata.ids:
        assert (root / "images" / f"{image_id}.png").is_file()
        assert (root / "images" / "masks" / f"{image_id}.png").is_file()


def test_a_complete_data_set_is_not_drawn_again(small: Dataset, tmp_path: Path) -> None:
    root = ensure_drawn(small, tmp_path, workers=1)
    (root / "images" / "s00001.png").unlink()
    assert ensure_drawn(small, tmp_path, workers=1) == root
    assert not (root / "images" / "s00001.png").exists()


def test_a_drawing_that_was_cut_off_ends_with_the_same_bytes(
    small: Dataset, tmp_path: Path
) -> None:
    whole = ensure_drawn(small, tmp_path / "whole", workers=1)
    begun = ensure_drawn(small, tmp_path / "begun", workers=1)
    for name in ("complete.json", "metadata.csv", "images/s00002.png", "images/masks/s00003.png"):
        (begun / name).unlink()
    assert folder_digest(ensure_drawn(small, tmp_path / "begun", 1)) == folder_digest(whole)


def test_a_changed_declaration_is_another_folder(small: Dataset, tmp_path: Path) -> None:
    one = ensure_drawn(small, tmp_path, workers=1)
    changed = with_drawn(small, msgspec.structs.replace(SMALL, size_px=20))
    assert ensure_drawn(changed, tmp_path, workers=1) != one


def test_a_data_set_that_is_not_drawn_is_refused(clinic: Dataset, tmp_path: Path) -> None:
    with pytest.raises(BadSuiteFolder, match=r"no table \[drawn\]"):
        ensure_drawn(clinic, tmp_path, workers=1)


def test_an_unwritable_place_is_one_sentence(small: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file: cannot be written"):
        ensure_drawn(small, tmp_path / "file", workers=1)


def test_another_number_of_images_keeps_the_halves_in_proportion() -> None:
    other = scaled(SMALL, 100, 24)
    assert {name: half.images for name, half in other.halves.items()} == {"pool": 60, "probe": 40}
    assert (other.size_px, other.seed) == (24, 3)


def test_too_few_images_for_the_halves_are_refused() -> None:
    with pytest.raises(BadRequest, match="1 images are too few"):
        scaled(SMALL, 1, 24)


def test_a_plain_set_is_not_drawn_over_anything_else(small: Dataset, tmp_path: Path) -> None:
    draw_plain(small, 8, tmp_path / "out", 16, workers=1)
    draw_plain(small, 8, tmp_path / "out", 16, workers=1)
    assert len(read_metadata(small, tmp_path / "out").ids) == 8
    with pytest.raises(BadRequest, match="holds something else"):
        draw_plain(small, 9, tmp_path / "out", 16, workers=1)
    with pytest.raises(BadRequest, match="holds something else"):
        draw_plain(small, 8, tmp_path, 16, workers=1)
