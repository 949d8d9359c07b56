"""`tonegap.score`, `compare`, `load`, `split` and `metrics`: as typed in Python, against the command line."""

import inspect
import json
import pydoc
import subprocess
import sys
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from tests.results.bundle.conftest import root, store

import tonegap
from tonegap.cli.audit_table import command as audit_command
from tonegap.cli.paper import command as paper_command
from tonegap.cli.power import command as power_command
from tonegap.cli.score import command as score_command
from tonegap.cli.split import command as split_command
from tonegap.errors import BadPredictions, BadRequest, BadSuiteFolder, StoreError
from tonegap.results.bundle.pack import pack_suite

__all__ = ["root", "store"]

# Four images, two tones: I is right once of two, VI twice of two.
LABELS, TONES = ["benign", "malignant", "benign", "malignant"], [1, 1, 6, 6]
P_MALIGNANT = [0.9, 0.8, 0.1, 0.7]


def random_table(n=240):
    rng = np.random.default_rng(3)
    p = rng.dirichlet([1, 1, 1], n)
    return pd.DataFrame(
        {
            "image_id": [f"i{i:03}" for i in range(n)],
            "label": rng.choice(["acne", "malignant", "nevus"], n),
            "tone": pd.Series(rng.choice([1, 2, 3, 5, 6, None], n), dtype="Int64"),
            **{f"p_{name}": p[:, j] for j, name in enumerate(("acne", "malignant", "nevus"))},
        }
    )


def test_score_gives_the_worst_tone_and_the_gap():
    scores = tonegap.score(LABELS, P_MALIGNANT, TONES)
    assert scores.tones == ("I", "VI")
    assert [scores["accuracy", t] for t in ("I", "VI", "all", "worst", "gap")] == [
        0.5, 1.0, 0.75, 0.5, 0.5
    ]  # fmt: skip
    assert scores["pqd", "all"] == 0.5


@pytest.mark.parametrize(("tones", "threshold"), [(None, None), ("groups", 0.4)])
def test_score_agrees_with_the_command_line_to_the_last_digit(tmp_path, tones, threshold):
    table = random_table()
    truth, predictions = tmp_path / "t.csv", tmp_path / "p.csv"
    table[["image_id", "label", "tone"]].to_csv(truth, index=False)
    table.drop(columns=["label", "tone"]).to_csv(predictions, index=False)
    options = ["--min-support", "24", "--format", "json"]
    options += ["--tones", tones] if tones else []
    options += ["--threshold", str(threshold)] if threshold else []
    said = CliRunner().invoke(
        score_command, [str(predictions), "--truth", str(truth), *options], catch_exceptions=False
    )
    scores = tonegap.score(
        table["label"], table.filter(like="p_"), table["tone"],
        tones=tones, threshold=threshold, min_support=24,
    )  # fmt: skip
    found = [(s.metric, s.tone, s.value, s.n, s.reason) for s in scores.table]
    rows = json.loads(said.stdout)
    assert found == [tuple(r[k] for k in ("metric", "tone", "value", "n", "reason")) for r in rows]
    assert any(value is None for _, _, value, _, _ in found)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda v: pd.DataFrame({"x": v})])
def test_score_takes_what_metric_frame_takes(kind):
    scores = tonegap.score(
        kind(LABELS), np.array(P_MALIGNANT), kind(TONES), kind(["a", "a", "b", "c"])
    )
    assert scores["accuracy", "gap"] == 0.5
    assert scores.answers.units == (0, 0, 1, 2)


def test_a_dict_of_one_feature_is_taken_and_of_two_refused():
    assert tonegap.score(LABELS, P_MALIGNANT, {"tone": TONES})["accuracy", "gap"] == 0.5
    with pytest.raises(BadPredictions, match=r"tone: has several columns \(tone, sex\)"):
        tonegap.score(LABELS, P_MALIGNANT, {"tone": TONES, "sex": TONES})


def test_unknown_tones_count_in_all_alone():
    for missing in (None, float("nan"), pd.NA):
        scores = tonegap.score(LABELS, P_MALIGNANT, [1, 1, 6, missing])
        assert [scores.table.score("accuracy", t).n for t in ("I", "VI", "all")] == [2, 1, 4]


def test_columns_of_a_frame_name_the_classes_whatever_their_order():
    proba = pd.DataFrame({"malignant": P_MALIGNANT, "benign": [1 - p for p in P_MALIGNANT]})
    assert tonegap.score(LABELS, proba, TONES)["accuracy", "I"] == 0.5
    with pytest.raises(BadPredictions, match="leave classes out"):
        tonegap.score(LABELS, proba, TONES, classes=["benign", "malignant"])


def test_numbers_are_classes_in_order_of_size():
    p = np.eye(11)[[2, 10, 2, 10]][:, [2, 10]]
    scores = tonegap.score([2, 10, 2, 10], p, TONES)
    assert (scores.rules.classes, scores["accuracy", "all"]) == (("2", "10"), 1.0)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"tone": [1, 1, 6]}, "tone: has 3 values, y_true has 4"),
        ({"tone": [1, 1, 6, 7]}, "no skin tone"),
        ({"tone": [1, 1, 6, "V-VI"]}, "mixes skin types"),
        ({"proba": [[0.5, 0.6]] * 4}, "do not sum to 1"),
        (
            {"proba": [[0.2, 0.3, 0.5]] * 4},
            "has 3 columns, and the classes are 2: benign, malignant",
        ),
        ({"y_true": ["benign", None, "benign", "malignant"]}, "images without a label"),
        ({"groups": ["a"]}, "groups: has 1 values"),
        ({"proba": ["x"] * 4}, "no numbers"),
    ],
)
def test_what_cannot_be_scored_is_refused(changed, says):
    given = {"y_true": LABELS, "proba": P_MALIGNANT, "tone": TONES} | changed
    with pytest.raises(BadPredictions, match=says):
        tonegap.score(**given)


def test_an_undefined_score_is_none_with_a_reason_and_nan_in_frames():
    scores = tonegap.score(["benign", "malignant", "benign", "benign"], P_MALIGNANT, TONES)
    assert scores["sensitivity", "worst"] is None
    assert scores.reason("sensitivity") is None
    assert scores.reason("sensitivity", "VI") == "VI has 0 malignant images (min_support 1)"
    assert np.isnan(scores.frame.loc["sensitivity", "VI"])
    assert ("sensitivity", "VI") not in scores.intervals


def test_a_frame_has_every_score_once_with_its_interval():
    scores = tonegap.score(LABELS * 30, P_MALIGNANT * 30, TONES * 30)
    long = scores.to_frame().set_index(["metric", "tone"])
    assert len(long) == len(scores.table.scores)
    row = long.loc[("accuracy", "I")]
    assert row["low"] < row["value"] == 0.5 < row["high"]
    assert scores.frame.loc["accuracy", "gap"] == 0.5


def test_groups_widen_intervals():
    alone = tonegap.score(LABELS * 30, P_MALIGNANT * 30, TONES * 30)
    patients = [str(i // 12) for i in range(120)]
    grouped = tonegap.score(LABELS * 30, P_MALIGNANT * 30, TONES * 30, groups=patients)
    one, other = (s.intervals["accuracy", "all"] for s in (alone, grouped))
    assert one != other


def test_what_is_shown_in_a_notebook_escapes_names():
    scores = tonegap.score(["<b>", "y", "<b>", "y"], P_MALIGNANT, TONES, positive="<b>")
    assert "positive: &lt;b&gt;" in scores._repr_html_()
    assert "<td>0.500</td>" in scores._repr_html_()


def test_a_plot_has_a_dot_for_each_tone_and_for_all():
    import matplotlib as mpl

    mpl.use("Agg")
    ax = tonegap.score(LABELS * 30, P_MALIGNANT * 30, TONES * 30).plot()
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [float(line.get_ydata()[0]) for line in dots] == [0.5, 1.0, 0.75]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["I\n60", "VI\n60", "all\n120"]
    with pytest.raises(BadRequest, match="no value for each tone"):
        tonegap.score(LABELS, P_MALIGNANT, TONES).plot("pqd")


def test_compare_says_which_differences_are_significant():
    right = [1.0 if label == "malignant" else 0.0 for label in LABELS * 30]
    a, b = (tonegap.score(LABELS * 30, p, TONES * 30) for p in (right, P_MALIGNANT * 30))
    found = tonegap.compare(a, b).set_index("tone")
    assert found["difference"].to_dict() == {
        "I": 0.5,
        "VI": 0.0,
        "all": 0.25,
        "worst": 0.5,
        "gap": -0.5,
    }
    assert found.loc["I", "p"] < 0.05 < found.loc["VI", "p"]
    excludes_0 = (found["low"] > 0) | (found["high"] < 0)
    assert (excludes_0 == (found["p"] < 0.05)).all()


def test_compare_takes_training_runs_and_refuses_other_images():
    runs = [
        tonegap.score(LABELS * 30, np.roll(P_MALIGNANT * 30, shift), TONES * 30) for shift in (0, 1)
    ]
    once = tonegap.compare(runs[0], runs[1]).set_index("tone").loc["all"]
    both = tonegap.compare(runs, runs[::-1]).set_index("tone").loc["all"]
    assert once["difference"] != 0.0
    assert both["difference"] == 0.0
    with pytest.raises(BadRequest, match="other images"):
        tonegap.compare(runs[0], tonegap.score(LABELS, P_MALIGNANT, TONES))
    with pytest.raises(BadRequest, match="unknown"):
        tonegap.compare(runs[0], runs[1], "acuracy")


@pytest.mark.linux  # makes a store, whose locks Windows lacks
def test_load_gives_the_same_of_a_store_and_of_its_bundle(store, root, tmp_path):
    from tonegap.report.exports.csv_ import COLUMNS

    suite_root = __import__("pathlib").Path(__file__).parents[1]
    pack_suite(root, store.folder, "tiny", tmp_path / "b.zip", allow_incomplete=True)
    of_store = tonegap.load(store.folder, suite_root=suite_root)
    of_bundle = tonegap.load(tmp_path / "b.zip", suite_root=suite_root)
    assert tuple(of_store.columns) == COLUMNS
    pd.testing.assert_frame_equal(of_store, of_bundle)
    with pytest.raises(BadRequest, match="not there"):
        tonegap.load(tmp_path / "none", suite_root=suite_root)


@pytest.mark.linux  # makes a store, whose locks Windows lacks
def test_across_of_a_store_without_two_tasks_is_an_empty_table(store):
    suite_root = __import__("pathlib").Path(__file__).parents[1]
    with pytest.warns(UserWarning, match="no entry ranks in two tasks .* so the table is empty"):
        none = tonegap.across(store.folder, suite_root=suite_root)
    assert none.empty
    assert none["win_rate"].dtype == float


def test_split_is_what_the_command_prints():
    task = "pad-ufes-20-sample/malignant"
    said = CliRunner().invoke(split_command, [task], catch_exceptions=False).stdout
    found = tonegap.split(task)
    assert found[["image_id", "partition"]].to_csv(index=False) == said
    table = pd.read_csv(
        "benchmarks/pad-ufes-20-sample/metadata.csv"
    )  # types as pandas guesses them
    pd.testing.assert_frame_equal(tonegap.split(task, table), found)


def test_worst_tone_is_a_scorer_of_scikit_learn():
    from sklearn.dummy import DummyClassifier
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import cross_val_score

    table = pd.DataFrame({"x": range(8), "y": ["a", "b"] * 4, "tone": [1, 1, 6, 6] * 2})
    worst = make_scorer(tonegap.metrics.worst_tone, tone=table["tone"])
    scores = cross_val_score(DummyClassifier(), table[["x"]], table["y"], scoring=worst, cv=2)
    assert scores.tolist() == [0.5, 0.5]


def test_metrics_of_labels_and_probabilities_are_those_of_score():
    predicted = ["malignant", "malignant", "benign", "malignant"]
    assert tonegap.metrics.worst_tone(LABELS, predicted, tone=TONES) == 0.5
    assert tonegap.metrics.tone_gap(LABELS, predicted, tone=TONES) == 0.5
    assert tonegap.metrics.worst_tone(LABELS, P_MALIGNANT_BOTH, tone=TONES, metric="auc") == 0.0
    assert np.isnan(
        tonegap.metrics.worst_tone(["a", "b"], ["a", "b"], tone=[1, 6], metric="sensitivity")
    )
    with pytest.raises(BadRequest, match="predict_proba"):
        tonegap.metrics.worst_tone(LABELS, predicted, tone=TONES, metric="auc")


def test_a_scorer_of_probabilities_of_two_classes():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import make_scorer

    # Of I the larger x is b, of VI the smaller: one line ranks the first right, the second wrong.
    x, y, tone = np.array([[0], [9], [5], [4]]), ["a", "b", "a", "b"], [1, 1, 6, 6]
    score = make_scorer(
        tonegap.metrics.worst_tone, response_method="predict_proba", tone=tone, metric="auc"
    )
    assert score(LogisticRegression().fit(x, y), x, y) == 0.0
    assert tonegap.metrics.worst_tone(y, [0.1, 0.9, 0.3, 0.4], tone=tone, metric="auc") == 1.0
    assert tonegap.metrics.tone_gap(y, [0.1, 0.9, 0.3, 0.4], tone=tone) == 0.5
    with pytest.raises(BadRequest, match="predict_proba"):
        tonegap.metrics.worst_tone([0, 1, 0, 1], [0, 1, 1, 1], tone=tone, metric="auc")


@pytest.mark.parametrize(
    "labels", [("benign", "malignant"), (1, 2), (-1, 1), (0, 1), (False, True), (0.0, 1.0)]
)
def test_certain_probabilities_are_no_labels(labels):
    """A tree's leaves say 0.0 and 1.0: of I both images are right, of VI one of two."""
    y = np.array(labels)[[0, 1, 0, 1]]
    sure = np.array([0.0, 1.0, 1.0, 1.0])
    for metric, wanted in (("accuracy", 0.5), ("sensitivity", 1.0), ("specificity", 0.0)):
        found = tonegap.metrics.worst_tone(
            y, sure, tone=[1, 1, 6, 6], metric=metric, positive=labels[1]
        )
        assert found == wanted
        assert found == tonegap.metrics.worst_tone(
            y, np.array(labels)[[0, 1, 1, 1]], tone=[1, 1, 6, 6], metric=metric, positive=labels[1]
        )


def test_what_may_be_labels_or_probabilities_is_refused():
    y, ones = [1, 2, 1, 2], np.ones(4)
    with pytest.raises(
        BadPredictions, match=r"found 1\.0 alone, .* probabilities of 2; pass labels"
    ):
        tonegap.metrics.worst_tone(y, ones, tone=[1, 1, 6, 6])
    assert tonegap.metrics.worst_tone(y, ones.astype(int), tone=[1, 1, 6, 6]) == 0.5
    both = np.column_stack((1 - ones, ones))
    assert tonegap.metrics.worst_tone(y, both, tone=[1, 1, 6, 6], classes=[1, 2]) == 0.5
    assert tonegap.metrics.worst_tone(y, np.array([1.0, 2.0, 1.0, 2.0]), tone=[1, 1, 6, 6]) == 1.0
    with pytest.raises(BadPredictions, match="the classes are 1: a; name two"):
        tonegap.metrics.worst_tone(["a", "a"], [0.0, 1.0], tone=[1, 6])


def test_tones_are_looked_up_by_index_in_any_order():
    y = pd.Series(["a", "b", "a", "b"], index=[3, 1, 2, 0])
    predicted = ["a", "b", "b", "a"]  # right at 3 and 1
    tone = pd.Series([6, 1, 6, 1], index=[0, 1, 2, 3])
    assert tonegap.metrics.worst_tone(y, predicted, tone=tone) == 0.0
    assert tonegap.metrics.tone_gap(y, predicted, tone=tone) == 1.0
    assert tonegap.metrics.tone_gap(y.to_numpy(), predicted, tone=tone) == 0.0  # by position
    with pytest.raises(BadRequest, match=r"no value for 1 labels of y_true's index \(3\)"):
        tonegap.metrics.worst_tone(y, predicted, tone=tone.drop(3))
    with pytest.raises(BadRequest, match="more than once"):
        tonegap.metrics.worst_tone(y, predicted, tone=pd.Series([1, 1, 6, 6], index=[0, 0, 1, 2]))


@pytest.mark.parametrize("kind", [int, float, bool])
@pytest.mark.parametrize("of_truth", [int, float, bool])
def test_labels_are_compared_by_value(kind, of_truth):
    y, predicted = np.array([0, 1, 0, 1]), np.array([0, 1, 1, 1])
    found = tonegap.metrics.worst_tone(y.astype(of_truth), predicted.astype(kind), tone=TONES)
    assert found == 0.5
    sensitivity = tonegap.metrics.worst_tone(
        y.astype(of_truth),
        1 - predicted.astype(kind) if kind is not bool else ~predicted.astype(bool),
        tone=TONES,
        metric="sensitivity",
        positive=0,
    )
    assert sensitivity == 0.0


def test_a_fold_of_one_class_takes_labels_as_they_are():
    assert tonegap.metrics.worst_tone([1, 1], np.array([0.0, 1.0]), tone=[1, 6]) == 0.0


P_MALIGNANT_BOTH = np.column_stack((1 - np.array(P_MALIGNANT), P_MALIGNANT))


def test_importing_is_light_and_a_name_that_is_not_there_is_said():
    code = "import sys, tonegap; print({'numpy', 'pandas', 'torch'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"
    code = "import sys, tonegap; tonegap.score(['a', 'b'], [0, 1], [1, 6]); print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
    with pytest.raises(
        AttributeError, match="it has Scores, across, audit_paper, audit_table, compare"
    ):
        _ = tonegap.scored
    assert set(tonegap.__all__) < set(dir(tonegap))


def test_scoring_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ = tonegap.score(LABELS, P_MALIGNANT, TONES).intervals


def test_audit_table_finds_that_no_count_of_43_images_gives_a_share():
    # 37 of 43 are 86.05 %, 38 are 88.37 %.
    table = pd.DataFrame({"accuracy": ["86.05", "86.10"]}, index=["ours", "theirs"])
    found = tonegap.audit_table(table, images={"accuracy": 43})
    counts = found[found.test == "counts behind a share"]
    assert dict(zip(counts.row, counts.verdict, strict=True))["theirs"] == (
        "impossible under named assumptions"
    )
    assert "ours" not in set(counts.row[counts.verdict.str.startswith("impossible")])


def test_audit_table_reads_shares_of_which_none_is_above_1_as_fractions():
    table = pd.DataFrame({"accuracy": ["0.860"]}, index=["ours"])
    found = tonegap.audit_table(table, images={"accuracy": 43})
    assert found.verdict.tolist() == ["possible"]
    assert "no share is above 1: read as fractions" in found.assumed[0]
    found = tonegap.audit_table(table, images={"accuracy": 43}, unit="percent")
    assert found.verdict.tolist()[0] == "impossible under named assumptions"


def test_audit_table_says_what_the_command_line_says(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("row,accuracy,accuracy:VI\nours,86.1,72.7\ntheirs,86.0,\n", encoding="utf-8")
    arguments = ["audit-table", str(path), "--total", "43", "--format", "json"]
    said = json.loads(CliRunner().invoke(audit_command, arguments[1:]).output)
    table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("row")
    found = tonegap.audit_table(table, total=43)
    assert found.verdict.tolist() == [f["verdict"] for f in said["papers"][0]["findings"]]
    assert found.why.tolist() == [f["why"] for f in said["papers"][0]["findings"]]


@pytest.mark.parametrize(
    ("cells", "words"), [([82.4], "wanted cells as text"), (["much"], "row 'ours': found 'much'")]
)
def test_audit_table_names_the_cell_that_is_no_number(cells, words):
    with pytest.raises(BadRequest, match=words):
        tonegap.audit_table(pd.DataFrame({"accuracy": cells}, index=["ours"]))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"sets": 0}, "sets: found 0, wanted a whole number from 1"),
        ({"images": {"accuracy": -5}}, "images of accuracy: found -5"),
        ({"images": {"accuracy": 10.5}}, "images of accuracy: found 10.5"),
        ({"total": (140, 120)}, "least first"),
        ({"total": 0}, "total, number 1: found 0"),
        ({"training": -1}, "training: found -1, wanted a whole number from 0"),
    ],
)
def test_audit_table_wants_whole_numbers_of_images(asked, words):
    with pytest.raises(BadRequest, match=words):
        tonegap.audit_table(pd.DataFrame({"accuracy": ["82.4"]}, index=["ours"]), **asked)


def test_audit_table_wants_each_name_once():
    table = pd.DataFrame([["82.4", "82.4"]], columns=["accuracy", "accuracy"], index=["ours"])
    with pytest.raises(BadRequest, match="columns 1 and 2 are both named 'accuracy'"):
        tonegap.audit_table(table)
    with pytest.raises(BadRequest, match="rows 1 and 2 are both named 'ours'"):
        tonegap.audit_table(pd.DataFrame({"accuracy": ["82.4", "1.0"]}, index=["ours"] * 2))


def test_audit_paper_says_what_the_command_line_says():
    said = CliRunner().invoke(paper_command, ["daneshjou-2022", "--audit", "--format", "json"])
    wanted = json.loads(said.output)["papers"][0]["findings"]
    found = tonegap.audit_paper("daneshjou-2022").astype(object)
    assert found.where(found.notna(), None).to_dict("records") == wanted
    with pytest.raises(BadSuiteFolder, match="no paper 'nobody'; there are: cgddi"):
        tonegap.audit_paper("nobody")


def test_power_agrees_with_the_command_line_to_the_last_digit():
    asked = ["--score", "80", "--n", "I-II=180", "--n", "V=10", "--correlation", "0.5"]
    said = json.loads(CliRunner().invoke(power_command, [*asked, "--json"]).output)["tones"]
    found = tonegap.power({"I-II": 180, "V": 10}, 0.8, correlation=0.5)
    for one, other in zip(found.to_dict("records"), said, strict=True):
        assert one["half_width"] == other["width"]
        assert one["entries"] == other["entries"]
        assert (None if np.isnan(one["lower"]) else one["lower"]) == other["lower"]
        assert one["silent"] == other["silent"]


def test_power_says_where_no_statement_is_possible():
    shown = tonegap.power({"I-II": 180, "III-IV": 90, "V": 10}, 0.85).set_index("tone")
    assert shown.silent.to_dict() == {"I-II": False, "III-IV": False, "V": True}
    # Connor 1987, solved by bisection: .85 and .78615, both right in .75152, need 180.0 images.
    assert shown.entries["I-II"] == pytest.approx(0.06385, abs=1e-4)


@pytest.mark.parametrize(
    ("images", "asked", "words"),
    [
        ([10, 20], {}, "power: found a list, wanted a dict of images"),
        ("phantom/smoke", {}, "power: found a str, wanted a dict of images"),
        (None, {}, "power: found a NoneType, wanted a dict of images"),
        (pd.DataFrame({"I": [100]}), {}, "power: found a DataFrame, wanted a dict of images"),
        ({"I": "100"}, {}, "found '100' as the images of I, wanted a whole number"),
        ({"I": None}, {}, "found None as the images of I, wanted a whole number"),
        ({"I": (n for n in "1")}, {}, "found an object of type generator as the images of I"),
        ({"I": 100}, {"score": None}, "found score=None"),
        ({"I": 100}, {"score": "85"}, "found score='85'"),
        ({"I": 100}, {"seeds": True}, "seeds=True, .* wanted .* a whole number of seeds"),
        ({"I": 100}, {"correlation": None}, "correlation=None"),
        ({"I": 100}, {"seed_sd": 2}, "seed_sd=2; wanted .* a standard deviation from 0 to 0.5"),
        ({"I": 100}, {"seeds": 1.5}, "seeds=1.5, .* wanted .* a whole number of seeds"),
    ],
)
def test_power_says_in_one_sentence_what_it_wanted(images, asked, words):
    with pytest.raises(BadRequest, match=words):
        tonegap.power(images, **asked)


def test_power_takes_the_spread_that_the_command_line_takes_last():
    assert tonegap.power({"I": np.int64(100)}, seed_sd=0.5, seeds=2).silent.tolist() == [True]


def test_counts_of_a_column_are_taken_as_pandas_gives_them():
    tones = pd.Series(["I"] * 60 + ["VI"] * 40)
    found = tonegap.power(tones.value_counts())
    assert dict(zip(found.tone, found.images, strict=True)) == {"I": 60, "VI": 40}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda table: tonegap.audit_table([table]), "found a list, wanted a pandas DataFrame"),
        (lambda table: tonegap.audit_table(table.to_dict()), "found a dict, wanted a pandas Data"),
        (lambda table: tonegap.audit_table(table, images=[43]), "images: found a list, wanted a d"),
        (
            lambda table: tonegap.audit_table(iter("a")),
            "found a str_ascii_iterator, wanted a pandas",
        ),
        (lambda table: tonegap.audit_table(table, unit=["percent"]), r"found unit=\['percent'\]"),
        (lambda table: tonegap.audit_table(table, total=iter("a")), "number 1: found an object of"),
        (lambda table: tonegap.audit_paper(None), "found None, wanted a paper's key"),
        (lambda table: tonegap.across(None), "place: found None, wanted a path"),
        (lambda table: tonegap.load(3), "place: found 3, wanted a path"),
        (lambda table: tonegap.load("x", suite_root=3), "suite_root: found 3, wanted a path"),
        (lambda table: tonegap.pack("smoke", None), "out: found None, wanted a path"),
    ],
)
def test_an_argument_of_another_kind_is_one_sentence(call, words):
    with pytest.raises(BadRequest, match=words):
        call(pd.DataFrame({"accuracy": ["82.4"]}, index=["ours"]))


def test_a_pack_for_a_place_that_is_no_folder_is_one_sentence(tmp_path):
    there = tmp_path / "file"
    there.write_text("kept", encoding="utf-8")
    for out in (there, there / "below"):
        with pytest.raises(StoreError, match=f"{out}: cannot be made a folder: .*; choose another"):
            tonegap.pack("smoke", out)
    assert there.read_text(encoding="utf-8") == "kept"


def test_power_wants_a_fraction_and_whole_numbers():
    for images, score in (({"I": 10}, 85), ({"I": 1.5}, 0.85)):
        with pytest.raises(BadRequest, match="wanted"):
            tonegap.power(images, score)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"threshold": "0.5"}, "threshold: found '0.5', wanted a number from 0 to 1"),
        ({"threshold": True}, "threshold: found True, wanted a number"),
        ({"min_support": 1.5}, "min_support: found 1.5, wanted a whole number"),
        ({"min_support": float("inf")}, "min_support: found inf, wanted a whole number"),
        ({"tones": ["types"]}, r"tones: found \['types'\], wanted 'types', 'groups' or None"),
        ({"tone": None}, "tone: found None; wanted a list"),
        ({"proba": None}, "proba: found None; wanted an array or a DataFrame with a row for each"),
        ({"proba": {"a": P_MALIGNANT}}, "proba: found {'a': .*; wanted an array"),
        ({"y_true": np.array([["benign", "x"]] * 4)}, "y_true: has 2 columns"),
        ({"y_true": [["benign", "x"]] * 4}, r"y_true: found \['benign', 'x'\] as value number 1"),
        ({"y_true": [["benign"]] * 4}, "y_true: found .* as value number 1; wanted one label"),
        ({"y_true": ["benign", {}, "benign", "malignant"]}, "y_true: found {} as value number 2"),
        ({"groups": [{"a"}] * 4}, "groups: found {'a'} as value number 1"),
        ({"y_true": [b"benign"] * 4}, "y_true: found b'benign' as value number 1, which is bytes"),
        ({"y_true": ["benign"] * 4}, "one number for each image, .* classes are 1: benign; name"),
        (
            {"proba": pd.DataFrame([[0.5, 0.5]] * 4, columns=["p_1", "p_1"])},
            "proba: names the class '1' more than once",
        ),
        ({"classes": ["a", "a"]}, "classes: names the class 'a' more than once"),
        ({"classes": 2}, "classes: found 2; wanted a list"),
        (
            {"proba": np.ma.masked_array(P_MALIGNANT, [True, False, False, False])},
            "proba: holds masked numbers",
        ),
        ({"proba": [np.ma.masked, 0.5, 0.5, 0.5]}, "proba: holds masked numbers"),
        ({"proba": np.array(P_MALIGNANT) + 1j}, r"proba: holds complex numbers \(complex128\)"),
        ({"proba": np.full((4, 2), 0.501, np.float16)}, "do not sum to 1"),
    ],
)
def test_score_says_what_was_wanted(asked, words):
    given = {"y_true": LABELS, "proba": P_MALIGNANT, "tone": TONES} | asked
    with pytest.raises((BadRequest, BadPredictions), match=words):
        tonegap.score(**given)


@pytest.mark.parametrize("name", ["y_true", "proba", "tone", "groups", "ids", "classes"])
@pytest.mark.parametrize(
    ("value", "found"),
    [
        ((one for one in "abab"), "an object of type generator"),
        (map(str, range(4)), "an object of type map"),
        ("1212", "'1212'"),
        (b"1212", "b'1212'"),
        ({1, 2, 3, 4}, "an object of type set"),
        (np.array(3), "an object of type ndarray"),
    ],
)
def test_what_has_no_values_in_an_order_is_one_sentence(name, value, found):
    given = {"y_true": LABELS, "proba": P_MALIGNANT, "tone": TONES} | {name: value}
    with pytest.raises(BadPredictions) as refused:
        tonegap.score(**given)
    assert str(refused.value).startswith(f"{name}: found {found}; wanted ")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"y_true": iter(LABELS)}, "y_true: found an object of type list_iterator; wanted"),
        ({"y_pred": iter(LABELS)}, "y_pred: found an object of type list_iterator; wanted"),
        ({"y_pred": "abab"}, "y_pred: found 'abab'; wanted"),
        ({"y_pred": [[0.1, 0.9], [1.0]]}, "proba: holds what are no numbers"),
        ({"tone": "1212"}, "tone: found '1212'; wanted"),
        ({"positive": ["malignant"]}, r"positive: found \['malignant'\], wanted one label"),
        ({"min_support": "2"}, "min_support: found '2', wanted a whole number"),
    ],
)
def test_a_scorer_says_what_was_wanted(asked, words):
    given = {"y_true": LABELS, "y_pred": LABELS, "tone": TONES} | asked
    with pytest.raises((BadRequest, BadPredictions), match=words):
        tonegap.metrics.worst_tone(**given)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ((one for one in ()), "an object of type generator"),
        ("ab", "'ab'"),
        ([], r"\[\]"),
        (["ab"], "'ab'"),
        (pd.DataFrame({"a": [1]}), "an object of type DataFrame"),
    ],
)
def test_compare_says_what_it_found(other, found):
    with pytest.raises(BadRequest, match=f"compare: found {found}, wanted Scores"):
        tonegap.compare(tonegap.score(LABELS, P_MALIGNANT, TONES), other)


def test_nothing_masked_is_taken_as_it_is():
    proba = np.ma.masked_array(P_MALIGNANT, False)
    assert tonegap.score(LABELS, proba, TONES)["accuracy", "all"] == 0.75


def test_a_series_named_after_the_first_class_is_refused():
    table = pd.DataFrame(P_MALIGNANT_BOTH, columns=["p_benign", "p_malignant"])
    for name in ("p_benign", "benign"):
        with pytest.raises(BadPredictions, match=rf"named '{name}', .* second class, 'mal"):
            tonegap.score(LABELS, table["p_benign"].rename(name), TONES)
    with pytest.raises(BadPredictions, match=r"named '0', .* second class, '1'"):
        tonegap.score([0, 1, 0, 1], pd.DataFrame([[0.2], [0.9], [0.3], [0.4]])[0], TONES)
    right = tonegap.score(LABELS, table, TONES).frame
    assert tonegap.score(LABELS, table["p_malignant"], TONES).frame.equals(right)
    turned = tonegap.score(
        LABELS, table["p_benign"], TONES, classes=["malignant", "benign"], positive="malignant"
    )
    assert turned.frame.equals(right)


def test_rows_of_float16_are_divided_by_their_sum():
    # 0.1, 0.2 and 0.7 as float16 sum to 0.99963.
    p = np.array([[0.1, 0.2, 0.7]] * 4, dtype=np.float16)
    scores = tonegap.score([0, 1, 2, 2], p, TONES)
    assert np.abs(scores.answers.p.sum(axis=1) - 1).max() < 1e-15
    assert scores.answers.p[0] == pytest.approx([0.1, 0.2, 0.7], abs=5e-4)


def test_tables_of_pyarrow_and_polars_are_taken():
    frames = [pa.table]
    if find_spec("polars"):
        import polars

        frames.append(polars.DataFrame)
        with pytest.raises(BadPredictions, match=r"LazyFrame, .* what its \.collect\(\) gives"):
            tonegap.score(polars.LazyFrame({"y": LABELS}), P_MALIGNANT, TONES)
        with pytest.raises(BadPredictions, match=r"proba: found a LazyFrame"):
            tonegap.score(LABELS, polars.LazyFrame({"y": P_MALIGNANT}), TONES)
    both = {"malignant": P_MALIGNANT, "benign": [1 - p for p in P_MALIGNANT]}
    for frame in frames:
        tones = frame({"tone": [1, 1, 6, None]})
        scores = tonegap.score(frame({"y": LABELS}), frame(both), tones)
        assert scores.rules.classes == ("malignant", "benign")
        assert [scores["accuracy", t] for t in ("I", "VI", "all")] == [0.5, 1.0, 0.75]
        assert scores.table.score("accuracy", "VI").n == 1


def test_one_name_in_place_of_two_is_one_sentence():
    scores = tonegap.score(LABELS, P_MALIGNANT, TONES)
    for which in ("accuracy", ("accuracy",)):
        with pytest.raises(BadRequest, match=r"wanted a metric and a tone.*I, VI, all, worst, gap"):
            _ = scores[which]


def test_with_ids_resamples_do_not_depend_on_the_order_of_rows(tmp_path):
    table = random_table()
    other = table.sample(frac=1, random_state=1)
    truth, predictions = tmp_path / "t.csv", tmp_path / "p.csv"
    table[["image_id", "label", "tone"]].to_csv(truth, index=False)
    table.drop(columns=["label", "tone"]).to_csv(predictions, index=False)
    options = [str(predictions), "--truth", str(truth), "--intervals", "--format", "json"]
    said = json.loads(CliRunner().invoke(score_command, options, catch_exceptions=False).stdout)
    wanted = pd.DataFrame(said)[["low", "high"]].astype(float)

    def intervals(of, ids):
        scores = tonegap.score(of["label"], of.filter(like="p_"), of["tone"], ids=ids)
        return scores.to_frame()[["low", "high"]]

    pd.testing.assert_frame_equal(intervals(table, table["image_id"]), wanted, check_exact=True)
    shuffled = intervals(other, other["image_id"])
    pd.testing.assert_frame_equal(shuffled, wanted, rtol=0, atol=1e-12)
    assert (intervals(other, None) - wanted).abs().max().max() > 1e-3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"seed": "x"}, "seed: found 'x', wanted a whole number"),
        ({"seed": 1.5}, "seed: found 1.5, wanted a whole number"),
        ({"seed": True}, "seed: found True"),
        ({"seed": -1}, "seed: found -1"),
        ({"task": None}, "task: found None, wanted a task's id"),
        ({"metadata": 5}, "metadata: found 5, wanted a path"),
        ({"metadata": ""}, "metadata: found '', wanted a path"),
        ({"metadata": (n for n in "a")}, "metadata: found an object of type generator, wanted a p"),
        ({"task": (n for n in "a")}, "task: found an object of type generator, wanted a task's id"),
        ({"suite_root": 5}, "suite_root: found 5, wanted a path"),
    ],
)
def test_split_says_what_was_wanted(asked, words):
    with pytest.raises(BadRequest, match=words):
        tonegap.split(**{"task": "phantom/smoke"} | asked)


def test_a_seed_of_numpy_is_a_seed():
    task = "phantom/smoke"
    pd.testing.assert_frame_equal(tonegap.split(task, seed=np.int64(0)), tonegap.split(task))


def test_without_a_suite_root_the_argument_of_python_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tonegap.declared.root.SHIPPED", tmp_path / "nowhere")  # as in a clone
    for call in (tonegap.split, tonegap.load, tonegap.across):
        with pytest.raises(BadSuiteFolder, match="or pass suite_root=DIR"):
            call("phantom/smoke")


def test_power_takes_tones_alone_each_once():
    assert tonegap.power({1: 60, "VI": 40, "M3": 9}).tone.tolist() == ["I", "VI", "M3"]
    for name in ("Z", "", 0):
        with pytest.raises(BadRequest, match=f"images of '{name}', which is no skin tone"):
            tonegap.power({name: 10})
    with pytest.raises(BadRequest, match="images of I more than once"):
        tonegap.power({"I": 10, 1: 20})


def test_a_positive_class_may_be_any_collection():
    one = tonegap.score(LABELS, P_MALIGNANT, TONES, positive=np.array(["benign"]))
    assert one.rules.positive == ("benign",)


@pytest.mark.parametrize(
    ("labels", "positive", "event"),
    [
        ([0.0, 1.0], 1, "1.0"),
        ([0, 1], True, "1"),
        (["a", "b"], None, "b"),
        (["a", "b"], ["a"], "a"),
    ],
)
def test_a_positive_class_is_named_by_value(labels, positive, event):
    scores = tonegap.score(labels, [0.2, 0.8], [1, 6], positive=positive)
    assert scores.rules.positive == (event,)


@pytest.mark.parametrize("positive", [1, 1.0, True])
def test_a_positive_class_is_one_by_value_for_labels_and_for_probabilities(positive):
    y, p = [0, 1, 0, 1], np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    tones, asked = ["I", "I", "VI", "VI"], {"metric": "sensitivity", "positive": positive}
    for predicted in (p, p.argmax(axis=1)):
        assert tonegap.metrics.worst_tone(y, predicted, tone=tones, min_support=1, **asked) == 0.0


def test_what_cannot_be_a_label_is_one_sentence():
    scores = tonegap.score(LABELS, P_MALIGNANT, TONES)
    with pytest.raises(BadRequest, match="wanted a metric and a tone"):
        _ = scores["accuracy", ["VI"]]
    with pytest.raises(BadRequest, match="wanted a label or a list of labels"):
        tonegap.score(LABELS, P_MALIGNANT, TONES, positive=[["benign"]])


def test_a_score_that_is_not_there_names_those_there_are():
    scores = tonegap.score(LABELS, P_MALIGNANT, TONES)
    with pytest.raises(
        KeyError, match=r"no score \('acc', 'all'\); metrics are accuracy, balanced"
    ):
        _ = scores["acc", "all"]
    with pytest.raises(KeyError, match="accuracy has I, VI, all, worst, gap"):
        scores.reason("accuracy", "V")


def test_names_of_classes_write_no_line_and_no_colour():
    shown = repr(tonegap.score(["evil\x1b[31m\nforged", "b"], [0.2, 0.8], [1, 6]))
    assert shown.startswith(r"2 images; positive: evil\x1b[31m\nforged, called by")
    assert "\x1b" not in shown
    assert not any(line.startswith("forged") for line in shown.splitlines())
    one = repr(tonegap.score(["a"], [[0.2, 0.7, 0.1]], [1], classes=["a", "b", "c"]))
    assert one.startswith("1 image; no positive class, called by")


def test_help_of_split_names_its_arguments():
    assert list(inspect.signature(tonegap.split).parameters)[:3] == ["task", "metadata", "seed"]
    assert tonegap.split.__doc__.startswith("split(task: str, metadata: ")
    assert "Raises BadSuiteFolder" in pydoc.render_doc(tonegap.split)


def test_compare_wants_scores_by_the_same_rules():
    one = tonegap.score(LABELS, P_MALIGNANT, TONES)
    for other in (None, [1], tonegap.score(LABELS, P_MALIGNANT, TONES, min_support=2)):
        with pytest.raises(BadRequest, match="compare: "):
            tonegap.compare(one, other)
