"""The published lists of MAGIC and Multi-Exit id for id, and PAD-UFES-20 by patient."""

import csv
import os
from collections import Counter
from pathlib import Path

import pytest

from tonegap.data.metadata import Metadata, read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import read_task
from tonegap.split.leaks import group_leaks
from tonegap.split.partition import partition

PROJECT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TONEGAP_DATA", PROJECT.parent / "shared" / "data"))
LISTS = {
    "fitzpatrick17k/magic": "magic-fitzpatrick17k.csv",
    "fitzpatrick17k/multi-exit": "multi-exit-fitzpatrick17k.csv",
    "pad-ufes-20/magic": "magic-pad-ufes-20.csv",
}


def metadata_of(dataset_id: str) -> Metadata:
    if not (DATA / dataset_id).is_dir():
        pytest.skip(f"no metadata of {dataset_id}; name its folder's parent with TONEGAP_DATA")
    return read_metadata(read_dataset(PROJECT, dataset_id), DATA / dataset_id)


@pytest.mark.parametrize("task_id", LISTS)
def test_a_published_list_is_met_id_for_id(task_id: str) -> None:
    task = read_task(PROJECT, task_id)
    made = partition(task, metadata_of(task.dataset_id), 0)
    with (DATA / "splits" / LISTS[task_id]).open(newline="", encoding="utf-8") as f:
        listed = {row["image_id"]: row["partition"] for row in csv.DictReader(f)}
    own_validation = "validation" not in listed.values()
    found = {
        i: "train" if own_validation and part == "validation" else part
        for i, part in zip(made.ids, made.parts, strict=True)
        if part != "unused"
    }
    assert found == listed


def test_magics_halves_of_pad_ufes_20_have_the_published_sizes() -> None:
    task = read_task(PROJECT, "pad-ufes-20/magic")
    made = partition(task, metadata_of("pad-ufes-20"), 0)
    assert made.sizes["train"] + made.sizes["validation"] == 913
    assert made.sizes["test"] == 906


@pytest.mark.parametrize("name", ["magic", "patient-folds"])
def test_no_patient_is_in_two_partitions(name: str) -> None:
    task, metadata = read_task(PROJECT, f"pad-ufes-20/{name}"), metadata_of("pad-ufes-20")
    for seed in task.seeds:
        made = partition(task, metadata, seed)
        sides = {
            (patient, part)
            for patient, part in zip(metadata.columns["patient_id"], made.parts, strict=True)
            if part != "unused"
        }
        assert max(Counter(patient for patient, _ in sides).values()) == 1
        leak = group_leaks(metadata, made)["patient_id"]
        assert (leak.n_test_images, leak.n_validation_images, leak.n_pairs) == (0, 0, 0)


def test_five_folds_test_on_every_photograph_once() -> None:
    task, metadata = read_task(PROJECT, "pad-ufes-20/patient-folds"), metadata_of("pad-ufes-20")
    tested = [i for seed in task.seeds for i in partition(task, metadata, seed).members("test")]
    assert sorted(tested) == sorted(metadata.ids)
    # 11 photographs are of type V or VI: they have no tone where they would be tested.
    hidden = sum(
        tone is None and part == "test" and metadata.tones["fitspatrick"][row] is not None
        for seed in task.seeds
        for made in (partition(task, metadata, seed),)
        for row, (tone, part) in enumerate(zip(made.tones, made.parts, strict=True))
    )
    assert hidden == 11
