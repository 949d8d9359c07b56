"""The drawn task: its metadata follows from its declaration, so its pins can be checked anywhere."""

from collections import Counter
from pathlib import Path

from tonegap.data.drawn import drawn_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import read_task
from tonegap.split.partition import partition


def test_training_is_the_pool_and_test_the_probe(project: Path) -> None:
    metadata = drawn_metadata(read_dataset(project, "phantom"))
    made = partition(read_task(project, "phantom/smoke"), metadata, 0)
    halves = Counter(zip(metadata.columns["half"], made.parts, strict=True))
    pool, probe = (metadata.columns["half"].count(half) for half in ("pool", "probe"))
    validation = (15 * pool + 50) // 100
    assert halves == {
        ("pool", "train"): pool - validation,
        ("pool", "validation"): validation,
        ("probe", "test"): probe,
    }
    assert made.positive == ("basal cell carcinoma", "squamous cell carcinoma")


def test_validation_holds_every_tone_and_condition(project: Path) -> None:
    metadata = drawn_metadata(read_dataset(project, "phantom"))
    task = read_task(project, "phantom/smoke")
    made = partition(task, metadata, 0)
    rows = list(zip(made.parts, made.tones, made.labels, strict=True))
    assert {t for part, t, _ in rows if part == "validation"} == set(task.scored_tones)
    assert {name for part, _, name in rows if part == "validation"} == set(task.classes)
