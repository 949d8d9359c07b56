"""A task's file: what is refused, and in which words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tonegap.declared.task import Task, read_task, task_ids
from tonegap.errors import BadSuiteFolder

WriteTask = Callable[..., Task]

ASKED = {
    "fitzpatrick17k": (
        "skin-diff-2025 skin-diff-2024 skin-diff-light-only groh-random groh-verified "
        "groh-source-a groh-source-b groh-fst12 groh-fst34 groh-fst56 fairdisco fairdisco-a12 "
        "fairdisco-a34 fairdisco-a56 fairdisco-source-a fairdisco-source-b patchalign "
        "fairquantize magic multi-exit medfair"
    ),
    "ddi": "fairdisco joined-diseases patchalign",
    "fitzpatrick17k-ddi": "malignant",
    "phantom": "smoke",
    "pad-ufes-20": "magic patient-folds",
    "pad-ufes-20-sample": "malignant",
}


def test_the_shipped_tasks_are_there_and_sound(project: Path) -> None:
    wanted = sorted(f"{d}/{name}" for d, names in ASKED.items() for name in names.split())
    assert task_ids(project) == wanted
    assert [read_task(project, i).id for i in wanted] == wanted


def test_a_task_says_whether_its_seed_moves_images(project: Path) -> None:
    seeded = {i for i in task_ids(project) if read_task(project, i).seeded}
    kinds = ("2025", "2024", "light-only")
    assert seeded == {
        "ddi/fairdisco",
        "ddi/joined-diseases",
        "pad-ufes-20/patient-folds",
        "pad-ufes-20-sample/malignant",
        *(f"fitzpatrick17k/skin-diff-{kind}" for kind in kinds),
    }


def test_an_unknown_task_names_those_of_its_data_set(project: Path) -> None:
    near = r"no task 'ddi/fairdiscoo' \(did you mean 'ddi/fairdisco'\?\); there are: ddi/fairdisco, ddi/j"
    with pytest.raises(BadSuiteFolder, match=near):
        read_task(project, "ddi/fairdiscoo")


def test_an_unknown_data_set_names_all_tasks(project: Path) -> None:
    with pytest.raises(
        BadSuiteFolder, match=r"no task 'x'; there are: ddi/fairdisco, .*, phantom/smoke"
    ):
        read_task(project, "x")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('column = "half"', 'colum = "half"', "unknown key `colum` at `$.split`"),
        (
            '"value-holdout"',
            '"by-magic"',
            "Invalid value 'by-magic' at `$.split.rule`; there are: grouped-holdout, ",
        ),
        ('positive = ["b"]', 'positive = ["c"]', "labels.positive: 'c' is none of the classes"),
        ('classes = ["a", "b"]', 'classes = ["b"]', "labels.classes: found 1, wanted two or more"),
        ('["a", "b"]', '["a", "b", "a"]', "labels.classes: a class is listed twice"),
        ('scored = ["I", "VI"]', 'scored = ["VI", "I"]', "wanted each tone once, from light"),
        ('scored = ["I", "VI"]', 'scored = ["VII"]', "tones.scored: 'VII' is no skin tone"),
        ('scored = ["I", "VI"]', "scored = []", "tones.scored: empty"),
        (
            'scored = ["I", "VI"]',
            'scored = ["I", "VI"]\nnot_scored = ["VI"]',
            "tones.not_scored: 'VI' is no tone left by tones.scored; left are II, III, IV, V",
        ),
        ('scored = ["I", "VI"]', 'scored = ["I", "V-VI"]', "types and groups, or two scales"),
        ('scored = ["I", "VI"]', 'scored = ["I", "M9"]', "types and groups, or two scales"),
        (
            'test = ["probe"]',
            'test = ["probe", "pool"]',
            "split: 'pool' is listed in train and in test; wanted it in one of them",
        ),
        (
            'test = ["probe"]',
            'test = ["probe"]\nvalidation = ["probe"]',
            "split: 'probe' is listed in validation and in test",
        ),
        (
            'scored = ["I", "VI"]\n\n[split]\nrule = "value-holdout"\nseeds = [0, 1]\ncolumn = "half"\n'
            'train = ["pool"]\ntest = ["probe"]',
            'scored = ["I-II", "V-VI"]\n\n[split]\nrule = "tone-holdout"\nseeds = [0]\ntrain = ["I-II", "II"]',
            "split: 'II' is no group, and tones.scored are groups; wanted I-II, III-IV, V-VI",
        ),
        ("seeds = [0, 1]", "seeds = []", "split.seeds: wanted at least one seed, each once"),
        ("seeds = [0, 1]", "seeds = [-1]", "split.seeds: a seed is not between 0 and 4294967295"),
        ("fraction = 0.25", "fraction = 1.5", "validation.fraction: 1.5 is no share of images"),
        (
            'rule = "carve"\nfraction = 0.25\nstrata = []',
            'rule = "published"',
            'validation: rule "published" belongs to the split rules "random-three-way"',
        ),
        ("strata = []", 'strata = []\n[scores]\nprimary = "luck"', "unknown metric 'luck'"),
        (
            "strata = []",
            'strata = []\n[selection]\nmetric = "ece"',
            "selection.metric: no epoch is selected by 'ece'; wanted one of accuracy",
        ),
        ("strata = []", "strata = []\n[scores]\nmin_support = 0", "scores.min_support: found 0"),
    ],
)
def test_a_contradiction_is_one_sentence(
    old: str, new: str, text: str, write_task: WriteTask
) -> None:
    with pytest.raises(BadSuiteFolder) as e:
        write_task((old, new))
    assert "benchmarks/mine/tasks/task.toml: " in str(e.value)
    assert text in str(e.value)


def test_the_worst_tone_may_pick_an_epoch(write_task: WriteTask) -> None:
    task = write_task(("strata = []", 'strata = []\n[selection]\nmetric = "worst_tone_accuracy"'))
    assert task.file.selection.metric == "worst_tone_accuracy"


def test_an_unknown_selection_metric_is_said_once(write_task: WriteTask) -> None:
    with pytest.raises(BadSuiteFolder) as e:
        write_task(("strata = []", 'strata = []\n[selection]\nmetric = "luck"'))
    assert str(e.value).count("selection.metric") == 1
    assert "wanted one of accuracy, balanced_accuracy, auc, worst_tone_accuracy" in str(e.value)


def test_a_pin_of_a_seed_that_moves_nothing_is_refused(write_task: WriteTask) -> None:
    keys = ("ids", "train", "validation", "test", "unused", "assignment")
    pin = "\n[pins.7]\n" + "\n".join(f'{key} = ""' for key in keys)
    with pytest.raises(
        BadSuiteFolder, match=r'pins\.7: the name of this pin is wrong; wanted "published"'
    ):
        write_task(("strata = []", "strata = []" + pin))
