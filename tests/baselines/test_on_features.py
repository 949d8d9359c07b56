"""Baselines on features: each one's numbers by hand or against scikit-learn and fairlearn, and what each claims."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ..plugins.conftest import TYPES
from .conftest import ROOT, importable, run_here

__all__ = ["run_here"]
NAMES = ("linear-probe", "knn", "few-shot", "probe-dfr", "feature-reductions")
TWO = {"classes": ["benign", "malignant"], "positive": ["malignant"]}


def module(name, file):
    """What a module of a baseline defines."""
    with importable(ROOT / "baselines" / name):
        return runpy.run_path(str(ROOT / "baselines" / name / file))


def write_bank(folder, x, parts, dtype=np.float32):
    """A stage's input: `parts` maps a partition to its (rows of the bank, labels, tones)."""
    folder.mkdir(parents=True)
    np.save(folder / "bank.npy", x.astype(dtype))
    for name, (rows, labels, tones) in parts.items():
        lines = ["image_id,row" if name == "test" else "image_id,label,tone,row"]
        for row, label, tone in zip(rows, labels, tones, strict=True):
            told = [f"i{row:03}", label, tone, str(row)]
            lines.append(",".join(told[::3] if name == "test" else told))
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def bank(tmp_path):
    """120 images of two classes in 6 features: the first tells the class, better on light tones than on dark."""
    rng = np.random.default_rng(1)
    y, dark = np.arange(120) % 2, np.arange(120) % 3 == 0
    x = rng.normal(size=(120, 6))
    x[:, 0] += np.where(dark, 0.7, 2.0) * (2 * y - 1)
    labels = [TWO["classes"][i] for i in y]
    tones = ["VI" if d else "I" for d in dark]
    tones[5] = ""
    order = rng.permutation(120)
    cut = {"train": order[:80], "validation": order[80:100], "test": order[100:]}
    parts = {n: (r, [labels[i] for i in r], [tones[i] for i in r]) for n, r in cut.items()}
    return write_bank(tmp_path / "in", x, parts), y[
        np.concatenate([cut["validation"], cut["test"]])
    ]


def probabilities(ended, epoch=1):
    assert ended.code == 0, ended.errors
    table = ended.predictions
    here = np.array(table["epoch"]) == epoch
    return np.stack([np.array(table[f"p_{c}"])[here] for c in TWO["classes"]], axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_what_the_features_say_and_gives_the_same_bytes_twice(name, run_here, bank):
    folder, truth = bank
    one, two = (run_here(f"baselines/{name}", folder, **TWO) for _ in range(2))
    # 40 images of two classes: chance is 0.5, and 0.74 is three standard errors above it.
    assert (probabilities(one).argmax(axis=1) == truth).mean() > 0.74
    files = [(ended.out / "predictions.parquet").read_bytes() for ended in (one, two)]
    assert files[0] == files[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_class_or_tone_that_nobody_knows_is_borne(name, run_here, bank):
    folder, _ = bank
    three = {"classes": ["benign", "malignant", "other"]}
    ended = run_here(
        f"baselines/{name}", folder, **(TWO if name == "feature-reductions" else three)
    )
    assert ended.code == 0, ended.errors
    if name != "feature-reductions":
        assert not any(ended.predictions["p_other"])


def test_a_bank_in_half_precision_is_read_too(run_here, bank):
    folder, truth = bank
    np.save(folder / "bank.npy", np.load(folder / "bank.npy").astype(np.float16))
    assert (probabilities(run_here("baselines/knn", folder, **TWO)).argmax(1) == truth).mean() > 0.7


def test_synthetic_images_are_trained_on(run_here, bank):
    folder, _ = bank
    before = probabilities(run_here("baselines/few-shot", folder, {"shots": 1000}, **TWO))
    np.save(folder / "synthetic.npy", np.full((3, 6), 9, np.float32))
    rows = "".join(f"n{i},benign,VI,\n" for i in range(3))
    (folder / "synthetic.csv").write_text("image_id,label,tone,sources\n" + rows)
    after = run_here("baselines/few-shot", folder, {"shots": 1000}, **TWO)
    assert np.abs(probabilities(after) - before).max() > 0.01
    assert json.loads((after.out / "notes.json").read_text())["n_training"] == 83


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: np.save(folder / "bank.npy", np.zeros((9, 6), np.float32)), "names row 1"),
        (
            lambda folder: np.save(folder / "bank.npy", np.zeros((120, 6))),
            "of single or half precision",
        ),
        (lambda folder: (folder / "bank.npy").write_text("no"), "cannot be read as an array"),
    ],
)
def test_a_bank_that_does_not_fit_is_refused(run_here, bank, change, words):
    folder, _ = bank
    change(folder)
    ended = run_here("baselines/knn", folder, **TWO)
    assert ended.code == 1
    assert words in ended.errors


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("linear-probe", {"penalties": [0.1, 0.1]}, "a list of different numbers above 0"),
        ("linear-probe", {"penalties": [0]}, "a list of different numbers above 0"),
        ("knn", {"neighbours": []}, "wanted 1 or more"),
        ("few-shot", {"shots": 0}, "wanted 1 or more images"),
        ("probe-dfr", {"subsets": 0}, "wanted 1 or more of each"),
        ("feature-reductions", {"slack": 0.0}, "wanted more than 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(run_here, bank, name, parameters, words):
    ended = run_here(f"baselines/{name}", bank[0], parameters, **TWO)
    assert ended.code == 1
    assert words in ended.errors


@pytest.mark.parametrize("balanced", [False, True])
def test_the_linear_probe_is_scikit_learns_logistic_regression(balanced):
    from sklearn.linear_model import LogisticRegression

    own = module("linear-probe", "softmax.py")
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 8))
    y = (x[:, :3] + [0.8, 0, 0] + rng.gumbel(size=(300, 3))).argmax(axis=1)
    asked = own["problem"](x, y, 3, 0.01, balanced=balanced)
    layer, steps = own["fit"](asked, np.zeros((9, 3)), 300, 1e-7)
    assert 5 < steps < 300
    weight = "balanced" if balanced else None
    theirs = LogisticRegression(
        C=1 / (0.01 * 300), tol=1e-10, max_iter=5000, class_weight=weight
    ).fit(x, y)
    p = np.exp(x @ layer[:-1] + layer[-1])
    assert np.allclose(p / p.sum(axis=1, keepdims=True), theirs.predict_proba(x), atol=5e-4)


def test_the_loss_of_three_images_by_hand():
    own = module("linear-probe", "softmax.py")
    x, y = np.array([[1.0], [0.0], [-1.0]]), np.array([0, 0, 1])
    loss, slope = own["problem"](x, y, 2, 0.5, balanced=False).at(
        np.array([[1.0, 0.0], [0.0, 0.0]])
    )
    # Scores are (x, 0). -log p: log(1 + e^-1), log 2, log(1 + e^-1); the penalty is 0.5 / 2 * 1.
    one = np.log1p(np.exp(-1))
    assert loss == pytest.approx((one + np.log(2) + one) / 3 + 0.25)
    p = 1 / (1 + np.exp(-1))  # of class 0 for the first, of class 1 for the third
    # d/dw0: mean of x (p0 - truth) + penalty w0 = ((p - 1) + 0 - (1 - p)) / 3 + 0.5.
    assert slope[0, 0] == pytest.approx((2 * p - 2) / 3 + 0.5)
    assert slope[1, 0] == pytest.approx(((p - 1) + (0.5 - 1) + (1 - p)) / 3)


def test_neighbours_vote_by_hand():
    votes = module("knn", "train.py")["votes"]
    near, y = np.array([[0.9, 0.8, 0.5]]), np.array([[1, 0, 0]])
    # Weights exp(0), exp(-0.1 / 0.1), exp(-0.4 / 0.1).
    against = np.exp(-1) + np.exp(-4)
    assert np.allclose(votes(near, y, 3, 0.1), [[against / (1 + against), 1 / (1 + against), 0]])


@pytest.mark.parametrize("n", [1, 20, 1000, 2000])
def test_of_equally_near_images_the_first_ones_vote(n):
    similar = np.repeat(np.float32([[0.9, 0.5]]), 1000, axis=1)
    similar = np.concatenate([similar, similar[:, ::-1]])
    found = module("knn", "train.py")["_nearest"](similar, n)
    near_first = np.arange(n)
    assert found[0].tolist() == near_first.tolist()
    assert found[1].tolist() == ((near_first + 1000) % 2000).tolist()


def test_the_nearest_class_mean_by_hand():
    nearness = module("few-shot", "train.py")["nearness"]
    means = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 1.0]])
    # Squared distances of (1, 0): 0 and 2.
    assert np.allclose(
        nearness(np.array([[1.0, 0.0]]), means),
        [[1 / (1 + np.exp(-2)), 0, np.exp(-2) / (1 + np.exp(-2))]],
    )


def test_shots_are_so_many_of_each_class_and_all_of_a_rare_one():
    drawn = module("few-shot", "train.py")["drawn_shots"]
    y = np.array([0] * 10 + [1] * 2)
    rows = drawn(y, 3, np.random.default_rng(0))
    assert np.bincount(y[rows]).tolist() == [3, 2]
    assert not np.array_equal(rows, drawn(y, 3, np.random.default_rng(1)))


def test_balanced_draws_have_every_tone_and_class_equally_often():
    balanced = module("probe-dfr", "train.py")["balanced_rows"]
    y, t = np.array([0, 0, 0, 1, 1, 0, 1, 1]), np.array([0, 0, 0, 0, 0, 1, 1, 1])
    rows = balanced(y, t, np.random.default_rng(0))
    assert sorted(zip(y[rows], t[rows], strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_an_l1_penalty_above_the_largest_slope_leaves_no_weight():
    fit = module("probe-dfr", "proximal.py")["fit"]
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)), np.arange(60) % 2
    largest = np.abs(x.T @ (0.5 - np.eye(2)[y]) / 60).max()  # at weights of 0 both classes have 0.5
    assert not fit(x, y, 2, 1.01 * largest, 400)[:-1].any()
    assert fit(x, y, 2, 0.5 * largest, 400)[:-1].any()


def test_reductions_narrow_the_gap_that_they_are_told_to_narrow(run_here, tmp_path):
    # 400 images: on tone VI the event is common, so that a plain classifier says it more often there.
    rng = np.random.default_rng(4)
    dark = np.arange(400) % 2
    y = (rng.random(400) < np.where(dark, 0.8, 0.2)).astype(int)
    x = np.column_stack([y + rng.normal(0, 0.8, 400), dark + rng.normal(0, 0.1, 400)])
    labels, tones = [TWO["classes"][i] for i in y], [("I", "VI")[i] for i in dark]
    cut = {"train": range(300), "validation": range(300, 350), "test": range(350, 400)}
    parts = {n: (r, [labels[i] for i in r], [tones[i] for i in r]) for n, r in cut.items()}
    folder = write_bank(tmp_path / "in", x, parts)
    gaps = {}
    for name, parameters in (
        ("linear-probe", {"penalties": [0.01]}),
        ("feature-reductions", {"constraint": "demographic-parity"}),
    ):
        p = probabilities(run_here(f"baselines/{name}", folder, parameters, **TWO))
        said = p[:, 1] if name == "feature-reductions" else (p[:, 1] > 0.5)
        gaps[name] = abs(said[dark[300:] == 1].mean() - said[dark[300:] == 0].mean())
    assert gaps["linear-probe"] > 0.5
    assert gaps["feature-reductions"] < 0.25


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fairlearn's own use of pandas
def test_reductions_are_those_of_fairlearn(run_here, bank):
    from fairlearn.reductions import EqualizedOdds, ExponentiatedGradient
    from sklearn.linear_model import LogisticRegression

    folder, _ = bank
    ended = run_here("baselines/feature-reductions", folder, **TWO)
    x = np.load(folder / "bank.npy").astype(float)
    rows = [line.split(",") for line in (folder / "train.csv").read_text().splitlines()[1:]]
    rows = [row for row in rows if row[2]]
    at = np.array([int(row[3]) for row in rows])
    z = (x - x[at].mean(axis=0)) / x[at].std(axis=0)
    model = ExponentiatedGradient(
        LogisticRegression(C=1 / (0.01 * len(at)), max_iter=500),
        EqualizedOdds(),
        eps=0.01,
        max_iter=50,
    )
    model.fit(
        z[at],
        np.array([row[1] == "malignant" for row in rows]).astype(int),
        sensitive_features=np.array([TYPES.index(row[2]) for row in rows]),
    )
    asked = [
        line.split(",")[-1]
        for n in ("validation", "test")
        for line in (folder / f"{n}.csv").read_text().splitlines()[1:]
    ]
    wanted = model._pmf_predict(z[np.array(asked, int)])
    assert np.allclose(probabilities(ended), wanted, atol=1e-6)


def test_tasks_of_three_classes_are_refused_by_reductions(run_here, bank):
    ended = run_here(
        "baselines/feature-reductions", bank[0], classes=["benign", "malignant", "other"]
    )
    assert ended.code == 1
    assert "3 classes, wanted a task of two" in ended.errors


def test_no_probe_imports_torch():
    for name in NAMES:
        code = "import sys; sys.path.insert(0, '.'); import train; print('torch' in sys.modules)"
        kit = {"PYTHONPATH": str(ROOT / "docker" / "kit"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(ROOT / "baselines" / name),
            env=kit,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "False\n", name
