"""Every task of Fitzpatrick17k on the real metadata, against counts that the papers' rules give.

Expected sets are computed here from the CSV with pandas and scikit-learn, not with the project.
"""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from tonegap.data.metadata import Metadata, read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import read_task, task_ids
from tonegap.split.partition import SplitAssignment, partition

pytestmark = pytest.mark.data

SEEDS = (0, 42, 123, 1111, 1234)
CONDITIONS = {
    "psoriasis": 77,
    "squamous cell carcinoma": 55,
    "neutrophilic dermatoses": 38,
    "nematode infection": 36,
    "folliculitis": 32,
    "prurigo nodularis": 30,
    "basal cell carcinoma": 23,
}
# Training (with validation) and test images.
SIZES = {
    "skin-diff-2025": (1284, 291),
    "skin-diff-2024": (1284, 291),
    "skin-diff-light-only": (1228, 291),
    "groh-random": (13261, 3316),
    "groh-verified": (16073, 348),
    "groh-source-a": (10548, 3905),
    "groh-source-b": (3905, 10548),
    "groh-fst12": (7755, 8822),
    "groh-fst34": (6089, 10488),
    "groh-fst56": (2168, 14254),
    "fairdisco": (12809, 3203),
    "fairdisco-a12": (7755, 8257),
    "fairdisco-a34": (6089, 9923),
    "fairdisco-a56": (2168, 13695),
    "patchalign": (12809, 3203),
    "fairquantize": (13261 + 1658, 1658),
    "magic": (3100, 3100),
    "medfair": (12809 + 1601, 1602),
    "fairdisco-source-a": (8151 + 2038, 3752),
    "fairdisco-source-b": (2978 + 745, 9161),
    "multi-exit": (13263 + 1657, 1657),
}
# Those that publish no validation images.
PUBLISHED = {"fairquantize", "multi-exit", "medfair", "fairdisco-source-a", "fairdisco-source-b"}
CARVED = [name for name in SIZES if name not in PUBLISHED]

Sets = tuple[set[str], set[str]]
Split = Callable[[str, int], SplitAssignment]


@pytest.fixture(scope="module")
def split(project: Path, fitzpatrick17k: Metadata) -> Split:
    made: dict[tuple[str, int], SplitAssignment] = {}

    def of(name: str, seed: int) -> SplitAssignment:
        if (name, seed) not in made:
            task = read_task(project, f"fitzpatrick17k/{name}")
            made[name, seed] = partition(task, fitzpatrick17k, seed)
        return made[name, seed]

    return of


@pytest.fixture(scope="module")
def table(fitzpatrick17k_root: Path) -> pd.DataFrame:
    path = fitzpatrick17k_root / "fitzpatrick17k.csv"
    table = pd.read_csv(path, keep_default_na=False)
    return table.assign(fst=table.fitzpatrick_scale, id=table.md5hash)


def training(made: SplitAssignment) -> set[str]:
    return {*made.members("train"), *made.members("validation")}


def counts_of(made: SplitAssignment, part: str, values: tuple[str | None, ...]) -> list[int]:
    """Images of a partition by value, in the order of the values."""
    counts = Counter(v for v, p in zip(values, made.parts, strict=True) if p == part)
    return [counts[v] for v in sorted(counts, key=lambda v: str(v))]


def holdout(frame: pd.DataFrame, state: int) -> Sets:
    train, test = train_test_split(
        frame, test_size=0.2, random_state=state, stratify=frame["label"]
    )
    return set(train.id), set(test.id)


def by_tone(frame: pd.DataFrame, tones: tuple[int, int]) -> Sets:
    train, test = frame[frame.fst.isin(tones)], frame[~frame.fst.isin(tones)]
    common = set(train.label) & set(test.label)
    return set(train.id[train.label.isin(common)]), set(test.id[test.label.isin(common)])


def by_source(frame: pd.DataFrame, train: str, test: str) -> Sets:
    a, b = (frame[[text in url for url in frame.url]] for text in (train, test))
    common = set(a.label) & set(b.label)
    return set(a.id[a.label.isin(common)]), set(b.id[b.label.isin(common)])


def references(frame: pd.DataFrame, seed: int, *, per_type: bool) -> set[str]:
    if not per_type:
        return set(frame.groupby("label").sample(n=8, random_state=seed, replace=False).id)
    cells = [cell for _, cell in frame.groupby(["label", "fst"])]
    return {i for cell in cells for i in cell.sample(n=4, random_state=seed).id}


def skin_diff(frame: pd.DataFrame, seed: int, *, per_type: bool, dark_in_training: bool) -> Sets:
    seven = frame[frame.label.isin(CONDITIONS)]
    light, dark = seven[seven.fst.isin((1, 2))], seven[seven.fst.isin((5, 6))]
    few = references(dark, seed, per_type=per_type)
    train = set(light.id) - references(light, seed, per_type=per_type)
    return train | (few if dark_in_training else set()), set(dark.id) - few


def expected(table: pd.DataFrame, name: str, seed: int) -> Sets:
    known = table[table.fst > 0]
    match name:
        case "skin-diff-2025":
            return skin_diff(table, seed, per_type=False, dark_in_training=True)
        case "skin-diff-2024":
            return skin_diff(table, seed, per_type=True, dark_in_training=True)
        case "skin-diff-light-only":
            return skin_diff(table, seed, per_type=False, dark_in_training=False)
        case "groh-random":
            return holdout(table, 4242)
        case "groh-verified":
            return set(table.id[table.qc == ""]), set(table.id[table.qc == "1 Diagnostic"])
        case "groh-source-a":
            return by_source(table, "dermaamin", "atlas")
        case "groh-source-b":
            return by_source(table, "atlas", "dermaamin")
        case "fairdisco":
            return holdout(known, 64)
        case "patchalign":
            return holdout(known, 205504)
    frame = table if name.startswith("groh") else known
    return by_tone(frame, (int(name[-2]), int(name[-1])))


def test_every_task_of_the_data_set_has_its_sizes_checked_here(project: Path) -> None:
    ids = [i for i in task_ids(project) if i.startswith("fitzpatrick17k/")]
    assert ids == sorted(f"fitzpatrick17k/{name}" for name in SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_published_rule(name: str, split: Split) -> None:
    made = split(name, 0)
    assert (len(training(made)), len(made.members("test"))) == SIZES[name]
    assert sum(made.sizes.values()) == len(made.ids) == 16577


@pytest.mark.parametrize("name", [name for name in CARVED if name != "magic"])  # a list, no rule
def test_ids_are_exactly_those_of_an_independent_computation(
    name: str, split: Split, table: pd.DataFrame
) -> None:
    seeds = SEEDS if name.startswith("skin-diff") else (0,)
    for seed in seeds:
        made = split(name, seed)
        train, test = expected(table, name, seed)
        assert training(made) == train
        assert set(made.members("test")) == test


def test_fairquantize_is_two_calls_with_one_random_state(split: Split, table: pd.DataFrame) -> None:
    train, held_out = train_test_split(
        table, test_size=0.2, random_state=4242, stratify=table["label"]
    )
    validation, test = train_test_split(
        held_out, test_size=0.5, random_state=4242, stratify=held_out["label"]
    )
    made = split("fairquantize", 0)
    assert set(made.members("train")) == set(train.id)
    assert set(made.members("validation")) == set(validation.id)
    assert set(made.members("test")) == set(test.id)


def test_medfair_splits_the_sorted_ids_with_two_random_states(
    split: Split, table: pd.DataFrame
) -> None:
    ids = sorted(table.id[table.fst > 0])
    train, held_out = train_test_split(ids, test_size=0.2, random_state=5)
    validation, test = train_test_split(held_out, test_size=0.5, random_state=6)
    made = split("medfair", 0)
    assert sorted(made.members("train")) == sorted(train)
    assert sorted(made.members("validation")) == sorted(validation)
    assert sorted(made.members("test")) == sorted(test)
    assert counts_of(made, "test", made.labels) == [225, 1377]  # malignant; not


@pytest.mark.parametrize(
    ("name", "train", "test", "n_labels"),
    [
        ("fairdisco-source-a", "dermaamin", "atlas", 92),
        ("fairdisco-source-b", "atlas", "dermaamin", 80),
    ],
)
def test_fairdiscos_sources_share_conditions_that_training_has_five_of(
    name: str, train: str, test: str, n_labels: int, split: Split, table: pd.DataFrame
) -> None:
    known = table[table.fst > 0]
    one, other = (known[[text in url for url in known.url]] for text in (train, test))
    enough = one.label.value_counts()
    labels = {c for c in set(one.label) & set(other.label) if enough[c] >= 5}
    one = one[one.label.isin(labels)]
    inner, validation = train_test_split(
        one, test_size=0.2, random_state=4242, stratify=one["label"]
    )
    made = split(name, 0)
    assert len(labels) == n_labels
    assert set(made.members("train")) == set(inner.id)
    assert set(made.members("validation")) == set(validation.id)
    assert set(made.members("test")) == set(other.id[other.label.isin(labels)])


@pytest.mark.parametrize(
    ("name", "tones"),
    [("fairdisco", [598, 923, 688, 571, 309, 114]), ("patchalign", [582, 966, 669, 559, 299, 128])],
)
def test_tones_and_classes_of_the_random_test_sets(
    name: str, tones: list[int], split: Split
) -> None:
    made = split(name, 0)
    assert counts_of(made, "test", made.tones) == tones
    assert made.classes == ("benign", "malignant", "non-neoplastic")
    assert counts_of(made, "test", made.labels) == [432, 431, 2340]


@pytest.mark.parametrize("name", ["skin-diff-2025", "skin-diff-2024", "skin-diff-light-only"])
@pytest.mark.parametrize("seed", SEEDS)
def test_conditions_of_the_dark_test_set(name: str, seed: int, split: Split) -> None:
    made = split(name, seed)
    assert counts_of(made, "test", made.labels) == [CONDITIONS[c] for c in made.classes]
    assert made.positive == ("basal cell carcinoma", "squamous cell carcinoma")


@pytest.mark.parametrize(
    ("seed", "references"),
    [(0, (41, 15)), (42, (40, 16)), (123, (39, 17)), (1111, (40, 16)), (1234, (33, 23))],
)
def test_dark_references_of_2025_are_pooled_over_both_types(
    seed: int, references: tuple[int, int], split: Split
) -> None:
    made = split("skin-diff-2025", seed)
    ids = training(made)
    tones = Counter(t for i, t in zip(made.ids, made.tones, strict=True) if i in ids)
    assert (tones["V"], tones["VI"]) == references


def test_dark_references_of_2024_are_four_of_each_condition_and_type(split: Split) -> None:
    made = split("skin-diff-2024", 0)
    ids = training(made)
    rows = zip(made.ids, made.labels, made.tones, strict=True)
    cells = Counter((name, tone) for i, name, tone in rows if i in ids and tone in {"V", "VI"})
    assert set(cells.values()) == {4}
    assert len(cells) == 14


@pytest.mark.parametrize("name", ["skin-diff-2025", "skin-diff-2024"])
@pytest.mark.parametrize("seed", SEEDS)
def test_validation_holds_its_share_of_the_few_dark_images(
    name: str, seed: int, split: Split
) -> None:
    made = split(name, seed)
    tones = Counter(t for t, p in zip(made.tones, made.parts, strict=True) if p == "validation")
    assert tones["V"] + tones["VI"] in {5, 6}
    assert tones["V"] > 0
    assert tones["VI"] > 0


@pytest.mark.parametrize("name", CARVED)
def test_validation_is_a_tenth_of_the_published_training_set(name: str, split: Split) -> None:
    made = split(name, 0)
    n = len(training(made))
    assert len(made.members("validation")) == (n + 5) // 10


@pytest.mark.parametrize("name", SIZES)
def test_an_unknown_tone_is_never_a_tone(name: str, split: Split, project: Path) -> None:
    made, task = split(name, 0), read_task(project, f"fitzpatrick17k/{name}")
    used = Counter(t for t, p in zip(made.tones, made.parts, strict=True) if p != "unused")
    assert made.tones.count(None) == 565
    assert set(used) - {None} <= {"I", "II", "III", "IV", "V", "VI"}
    assert (used[None] > 0) == task.file.tones.keep_unknown


@pytest.mark.parametrize("name", SIZES)
def test_tones_of_the_test_set_are_those_to_score(name: str, split: Split, project: Path) -> None:
    made = split(name, 0)
    tones = {t for t, p in zip(made.tones, made.parts, strict=True) if p == "test"} - {None}
    assert tones == set(read_task(project, f"fitzpatrick17k/{name}").scored_tones)


def test_classes_of_a_hold_out_are_those_on_both_sides(split: Split) -> None:
    assert len(split("groh-random", 0).classes) == 114
    assert len(split("groh-source-a", 0).classes) == 92
    assert len(split("groh-fst56", 0).classes) == 112


def test_malignant_conditions_are_the_positive_ones(split: Split, table: pd.DataFrame) -> None:
    malignant = set(table.label[table.three_partition_label == "malignant"])
    assert split("groh-random", 0).positive == tuple(sorted(malignant))


def test_images_without_a_url_belong_to_no_source(split: Split, table: pd.DataFrame) -> None:
    nameless = set(table.id[table.url == ""])
    made = split("groh-source-a", 0)
    assert len(nameless) == 41
    assert nameless <= set(made.members("unused"))


def test_the_layout_of_2021_gives_the_same_split(
    project: Path, fitzpatrick17k: Metadata, table: pd.DataFrame, split: Split, tmp_path: Path
) -> None:
    old = table.rename(columns={"fitzpatrick_scale": "fitzpatrick"})
    old = old.drop(columns=["fitzpatrick_centaur", "fst", "id"])
    old.to_csv(tmp_path / "fitzpatrick17k.csv", lineterminator="\r\n")
    metadata = read_metadata(read_dataset(project, "fitzpatrick17k"), tmp_path)
    assert metadata.sha256 != fitzpatrick17k.sha256
    made = partition(read_task(project, "fitzpatrick17k/fairdisco"), metadata, 0)
    assert made == split("fairdisco", 0)


def test_a_partition_of_all_rows_takes_less_than_a_second_and_a_half(
    project: Path, fitzpatrick17k: Metadata
) -> None:
    task = read_task(project, "fitzpatrick17k/groh-random")
    start = time.process_time()
    partition(task, fitzpatrick17k, 0)
    assert time.process_time() - start < 1.5
