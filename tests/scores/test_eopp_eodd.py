"""Light against dark skin, by hand and against independent computations; and what equal recall gives."""

import csv
import io
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import (
    brier_score_loss,
    log_loss,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from tonegap.cli.score import command
from tonegap.errors import BadRequest
from tonegap.scores.eopp_eodd import fate, light_dark, light_or_dark
from tonegap.scores.other_metrics import fate_scores, further_scores
from tonegap.scores.rules import ScoringRules

ROOT = Path(__file__).parents[2]


def test_by_hand():
    # Light: classes 0 0 1 1, said 0 1 1 1. Dark: 0 0 1 1, said 0 0 0 1.
    y = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    said = np.array([0, 1, 1, 1, 0, 0, 0, 1])
    group = np.array([0] * 4 + [1] * 4)
    found = light_dark(y, said, group, 2, as_published=True)
    # TPR light .5, 1; dark 1, .5. FPR light 0, .5; dark .5, 0. TNR light 1, .5; dark .5, 1.
    assert found.values == pytest.approx({"eopp0": 0.5, "eopp1": 0.5, "eodd": 0.5})
    assert found.macro["macro_recall", "light"] == pytest.approx(0.75)
    assert found.macro["macro_precision", "light"] == pytest.approx((1 + 2 / 3) / 2)
    assert found.n == (4, 4)


def test_differences_of_opposite_sign_cancel_in_eodd():
    # Class 0: TPR light 1, dark 0; FPR light 0, dark 1. Their sum is 0, and so for class 1.
    y, said = np.array([0, 1, 0, 1]), np.array([0, 1, 1, 0])
    found = light_dark(y, said, np.array([0, 0, 1, 1]), 2, as_published=True)
    assert found.values == {"eopp0": 1.0, "eopp1": 1.0, "eodd": 0.0}


def test_a_class_without_dark_images_is_0_as_published_and_left_out_else():
    y, said = np.array([0, 1, 0]), np.array([0, 1, 0])
    group = np.array([0, 0, 1])
    assert light_dark(y, said, group, 2, as_published=True).values["eopp1"] == 0.5
    assert light_dark(y, said, group, 2, as_published=False).values["eopp1"] == 0.0


@pytest.fixture
def light_all_benign():
    """Labels (0 benign) and groups: of four light images none is malignant, of four dark ones two are."""
    return np.array([0, 0, 0, 0, 0, 0, 1, 1]), np.array([0] * 4 + [1] * 4)


def test_a_perfect_classifier_has_no_difference_on_defined_cells(light_all_benign):
    y, group = light_all_benign
    found = light_dark(y, y, group, 2, as_published=False)
    # TNR of malignant is 1 and 1, TPR of benign 1 and 1; no class has both rates in both groups.
    assert (found.values["eopp0"], found.values["eopp1"]) == (0.0, 0.0)
    assert np.isnan(found.values["eodd"])
    assert found.nulls["eopp0"].high == 0.0
    # Precision, recall and F1 are of benign alone.
    assert set(found.macro.values()) == {1.0}
    published = light_dark(y, y, group, 2, as_published=True)
    assert (published.values["eopp0"], published.values["eopp1"]) == (0.5, 0.5)


def test_all_called_benign_has_no_eodd_from_nothing(light_all_benign):
    y, group = light_all_benign
    found = light_dark(y, np.zeros_like(y), group, 2, as_published=False)
    assert np.isnan(found.values["eodd"])
    assert found.nulls["eodd"] is None
    assert (found.values["eopp0"], found.values["eopp1"]) == (0.0, 0.0)
    assert found.macro["macro_precision", "light"] == 1.0
    assert found.macro["macro_precision", "dark"] == 0.5


def test_light_and_dark_have_one_set_of_classes():
    # Class 1 has no light image: recall of dark is that of class 0 alone, .5, not (.5 + 0) / 2.
    y, said = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 0])
    group = np.array([0, 0, 1, 1, 1])
    found = light_dark(y, said, group, 2, as_published=False)
    assert (found.macro["macro_recall", "light"], found.macro["macro_recall", "dark"]) == (1, 0.5)
    published = light_dark(y, said, group, 2, as_published=True)
    assert published.macro["macro_recall", "light"] == 1.0  # of the one class that is there
    assert published.macro["macro_recall", "dark"] == 0.25


def test_unknown_tones_are_dark_as_published_and_left_out_else():
    tones = ("I", "III", "IV", None)
    assert light_or_dark(tones, as_published=True).tolist() == [0, 0, 1, 1]
    assert light_or_dark(tones, as_published=False).tolist() == [0, 0, 1, -1]
    assert light_or_dark(("I-II", "III-IV"), as_published=True) is None


def independent(y, said, group, k):
    """As the papers' code has it: confusion matrices of each group, 0 for what is 0/0."""
    rates = []
    for g in (0, 1):
        of = multilabel_confusion_matrix(y[group == g], said[group == g], labels=range(k))
        tn, fp, fn, tp = of[:, 0, 0], of[:, 0, 1], of[:, 1, 0], of[:, 1, 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = (tp / (tp + fn), fp / (fp + tn), tn / (tn + fp))
        rates.append([np.where(np.isfinite(rate), rate, 0) for rate in parts])
    tpr, fpr, tnr = (light - dark for light, dark in zip(*rates, strict=True))
    return {
        "eopp0": np.abs(tnr).mean(),
        "eopp1": np.abs(tpr).mean(),
        "eodd": (np.abs(tpr + fpr) / 2).mean(),
    }


def test_a_thousand_draws_equal_an_independent_computation(monkeypatch):
    monkeypatch.setattr("tonegap.scores.eopp_eodd.N_PERMUTATIONS", 2)
    rng = np.random.default_rng(0)
    for draw in range(1000):
        n, k = int(rng.integers(8, 60)), int(rng.integers(2, 7))
        y, said = rng.integers(0, k, n), rng.integers(0, k, n)
        group = rng.permutation(np.arange(n) % 2)
        found = light_dark(y, said, group, k, as_published=True)
        assert found.values == pytest.approx(independent(y, said, group, k), abs=1e-12)
        if draw % 20:
            continue
        for tone, of in (("light", group == 0), ("dark", group == 1), ("all", group >= 0)):
            macro = precision_recall_fscore_support(
                y[of], said[of], average="macro", zero_division=0
            )[:3]
            own = [found.macro[f"macro_{m}", tone] for m in ("precision", "recall", "f1")]
            assert own == pytest.approx(macro, abs=1e-12)


def test_equal_recall_on_the_published_split_has_the_null_that_it_should():
    table = tomllib.loads((ROOT / "reports/papers/scp-2024/paper.toml").read_text())["tables"][0]
    cells = np.array(table["sets"][0]["cells"])
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(114), cells.sum(axis=1))
    group = np.concatenate([np.repeat([0, 1], row) for row in cells])
    right = rng.random(len(y)) < rng.beta(2, 2, 114)[y]
    said = np.where(right, y, rng.integers(0, 114, len(y)))
    found = light_dark(y, said, group, 114, as_published=True)
    assert found.nulls["eopp1"].expected == pytest.approx(0.28, abs=0.03)
    assert found.nulls["eodd"].expected == pytest.approx(0.14, abs=0.015)
    assert found.nulls["eopp1"].low < found.values["eopp1"] < found.nulls["eopp1"].high


def test_fate_by_hand():
    # (0.88 - 0.80) / 0.80 - (0.15 - 0.10) / 0.10
    assert fate(0.88, 0.80, 0.15, 0.10) == pytest.approx(0.1 - 0.5)
    assert np.isnan(fate(0.88, 0.80, 0.15, 0.0))


def test_further_scores_equal_scikit_learns():
    rng = np.random.default_rng(1)
    p, y = rng.dirichlet(np.ones(4), 200), rng.integers(0, 4, 200)
    tones = tuple(rng.choice(["I", "VI"], 200))
    rules = ScoringRules(("a", "b", "c", "d"))
    found = {(s.metric, s.tone): s.value for s in further_scores(p, y, tones, rules, 0.9)}
    dark = np.array(tones) == "VI"
    assert found["log_loss", "all"] == pytest.approx(log_loss(y, p))
    assert found["log_loss", "VI"] == pytest.approx(log_loss(y[dark], p[dark], labels=range(4)))
    assert found["top_2_accuracy", "all"] == pytest.approx(top_k_accuracy_score(y, p, k=2))
    two = p[:, :1] / p[:, :2].sum(axis=1, keepdims=True)
    binary = further_scores(np.hstack((two, 1 - two)), y % 2, tones, ScoringRules(("a", "b")), 0.9)
    brier = next(s.value for s in binary if (s.metric, s.tone) == ("brier", "all"))
    assert brier == pytest.approx(2 * brier_score_loss(y % 2, 1 - two[:, 0]))
    assert found["sensitivity_at_specificity_0.9", "all"] is None


def test_sensitivity_at_a_specificity_by_hand():
    # Negatives .1 .2 .3 .4 .9: 80 % lie below .9, so images above .4 are positive: .5 and .8, not .4.
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.4, 0.5, 0.8])
    y = np.array([0] * 5 + [1] * 3)
    tones = ("I",) * 6 + ("VI",) * 2
    rules = ScoringRules(("benign", "malignant"), ("malignant",))
    found = {
        s.tone: s.value
        for s in further_scores(np.column_stack((1 - score, score)), y, tones, rules, 0.8)
        if "sens" in s.metric
    }
    assert found == {"all": pytest.approx(2 / 3), "I": 0.0, "VI": 1.0}


def test_ties_are_ranked_in_the_order_of_classes():
    # All three tied: a is first as in argmax, b second, c third.
    rules = ScoringRules(("a", "b", "c"))
    p, y = np.full((4, 3), 1 / 3), np.array([0, 1, 2, 2])
    found = {(s.metric, s.tone): s.value for s in further_scores(p, y, ("I",) * 4, rules, 0.9)}
    assert found["top_2_accuracy", "all"] == 0.5


def test_sensitivity_at_a_specificity_needs_negatives():
    p, y = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([1, 1])
    rules = ScoringRules(("benign", "malignant"), ("malignant",))
    found = [s for s in further_scores(p, y, ("I", "VI"), rules, 0.9) if "sens" in s.metric]
    assert [(s.value, s.reason) for s in found] == [
        (None, "no image is negative, so that no threshold has a specificity")
    ] * 3


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    y, tones = np.arange(60) % 3, np.arange(60) // 3 % 6 + 1
    (tmp_path / "t.csv").write_text(
        "image_id,label,tone\n"
        + "".join(f"i{i},{'abc'[c]},{t}\n" for i, (c, t) in enumerate(zip(y, tones, strict=True)))
    )
    for name in ("p", "q"):
        p = rng.dirichlet(np.ones(3), 60)
        (tmp_path / f"{name}.csv").write_text(
            "image_id,p_a,p_b,p_c\n"
            + "".join(f"i{i},{a!r},{b!r},{1 - a - b!r}\n" for i, (a, b, _) in enumerate(p.tolist()))
        )
    return [str(tmp_path / "p.csv"), "--truth", str(tmp_path / "t.csv")], str(tmp_path / "q.csv")


def test_the_command_gives_each_beside_its_null(files):
    arguments, baseline = files
    said = CliRunner().invoke(
        command, [*arguments, "--more", "--baseline", baseline, "--format", "json"]
    )
    found = {(row["metric"], row["tone"]): row["value"] for row in json.loads(said.stdout)}
    for about in ("published", "defined"):
        assert 0 <= found[f"eodd_{about}", "all"] <= 1
        assert found[f"eodd_{about}_null_low", "all"] <= found[f"eodd_{about}_null", "all"]
        assert (f"fate_macro_f1_{about}", "all") in found
    assert found["top_2_accuracy", "all"] > found["accuracy", "all"]
    plain = CliRunner().invoke(command, [*arguments, "--more"]).stdout
    assert "eopp1_published_null_p" in plain
    rows = list(
        csv.DictReader(
            io.StringIO(CliRunner().invoke(command, [*arguments, "--format", "csv"]).stdout)
        )
    )
    assert not {row["metric"] for row in rows} & {"log_loss", "eodd_published"}


def scores_of(*arguments):
    said = CliRunner().invoke(command, [*arguments, "--more", "--format", "json"])
    assert said.exit_code == 0, said.output
    return {(row["metric"], row["tone"]): row for row in json.loads(said.stdout)}, said.stderr


def test_light_against_dark_goes_by_types_where_tones_are_pooled(files):
    types, groups = scores_of(*files[0])[0], scores_of(*files[0], "--tones", "groups")[0]
    assert groups["accuracy", "I-II"]["value"] is not None
    for about in ("published", "defined"):
        assert groups[f"eodd_{about}", "all"] == types[f"eodd_{about}", "all"]
        assert groups[f"eodd_{about}", "all"]["value"] is not None


@pytest.mark.parametrize(("epoch", "fate"), [("0", 0.0), ("1", -2 / 3), ("last", -2 / 3)])
def test_a_baseline_is_of_the_same_epoch(tmp_path, epoch, fate):
    # Light a b, dark a b. aaba: accuracy 1/4; abaa: 3/4. Eodd of both .5, so FATE is the relative gain.
    tones = (("i0", "a", 1), ("i1", "b", 1), ("i2", "a", 6), ("i3", "b", 6))
    (tmp_path / "t.csv").write_text(
        "image_id,label,tone\n" + "".join(f"{i},{y},{t}\n" for i, y, t in tones)
    )
    for name, epochs in (("p", {0: "aaba", 1: "aaba"}), ("q", {0: "aaba", 2: "abaa"})):
        rows = [
            f"{at},i{i},{int(c == 'a')},{int(c == 'b')}\n"
            for at, said in epochs.items()
            for i, c in enumerate(said)
        ]
        (tmp_path / f"{name}.csv").write_text("epoch,image_id,p_a,p_b\n" + "".join(rows))
    arguments = [str(tmp_path / "p.csv"), "--truth", str(tmp_path / "t.csv"), "--epoch", epoch]
    found, said = scores_of(*arguments, "--baseline", str(tmp_path / "q.csv"))
    assert ("--baseline has no epoch 1; its last, 2, is taken" in said) == (epoch == "1")
    assert found["eodd_published", "all"]["value"] == 0.5
    for about in ("published", "defined"):
        assert found[f"fate_accuracy_{about}", "all"]["value"] == pytest.approx(fate)


def test_a_specificity_that_is_no_number_is_refused(files):
    said = CliRunner().invoke(command, [*files[0], "--more", "--specificity", "nan"])
    assert isinstance(said.exception, BadRequest)
    assert "--specificity nan" in str(said.exception)


def test_fate_of_two_equally_fair_classifiers_lies_within_its_null():
    # Both recognise every image with the same chance, so FATE is noise: 95 % of it should lie in the null's range.
    rng, inside, trials = np.random.default_rng(3), 0, 60
    for _ in range(trials):
        y = rng.integers(0, 5, 300)
        tones = np.where(rng.random(300) < 0.3, "VI", "I").tolist()
        own, other = (
            np.eye(5)[np.where(rng.random(300) < 0.7, y, rng.integers(0, 5, 300))] for _ in range(2)
        )
        found = {s.metric: s.value for s in fate_scores(own, other, y, tones)}
        low, high = (found[f"fate_accuracy_published_null_{end}"] for end in ("low", "high"))
        inside += low <= found["fate_accuracy_published"] <= high
    assert inside >= 0.88 * trials


def test_fate_against_itself_is_0_with_any_groups():
    y, p = np.array([0, 1, 0, 1, 0, 1]), np.eye(2)[[0, 1, 0, 0, 1, 1]]
    found = {s.metric: s.value for s in fate_scores(p, p, y, ["I", "I", "II", "IV", "V", "VI"])}
    assert found["fate_accuracy_published"] == 0
    assert found["fate_accuracy_published_null"] == 0


def test_a_macro_score_of_a_group_stands_beside_what_permuted_groups_give(files):
    found, _ = scores_of(*files[0])
    for tone in ("light", "dark"):
        ends = [
            found[f"macro_recall_defined_null{end}", tone]["value"] for end in ("_low", "_high")
        ]
        assert ends[0] <= found["macro_recall_defined_null", tone]["value"] <= ends[1]
    assert ("macro_recall_defined_null", "all") not in found


def test_a_baseline_of_other_classes_is_refused(files, tmp_path):
    arguments, baseline = files
    lines = Path(baseline).read_text().splitlines()
    wider = tmp_path / "wider.csv"
    wider.write_text("\n".join([f"{lines[0]},p_d", *(f"{line},0.0" for line in lines[1:])]) + "\n")
    said = CliRunner().invoke(command, [*arguments, "--more", "--baseline", str(wider)])
    assert isinstance(said.exception, BadRequest)
    assert "has the classes a, b, c, d" in str(said.exception)


def test_another_scale_has_no_light_and_dark():
    assert light_or_dark(["M1", "M9", None], as_published=True) is None
    assert light_or_dark(["I-II", "V-VI", None], as_published=True).tolist() == [0, 1, 1]
