"""Predictions and a card: scored here, marked, never ranked."""

import json

import pytest
from tests.results.submissions.conftest import ROOT

from tonegap.report.suite_report import publish_suite
from tonegap.store.read import read_suites


def document(tonegap):
    code, text = tonegap("report", "--format", "json")
    assert not code, text
    return json.loads(text)


def row_of(tonegap, name):
    (table,) = document(tonegap)["tables"]
    return next(row for row in table["rows"] if row["entry"]["baseline"] == name)


def test_predictions_are_scored_here_and_placed_without_a_rank(tonegap, send):
    code, text = tonegap("submit", "add", send())
    assert not code, text
    assert "by its score it would be rank 1 of 3" in text
    row = row_of(tonegap, "theirs")
    assert row["rank"] is None
    assert row["unranked"] == "predictions made elsewhere: by its score it would be rank 1 of 3"
    assert "external predictions" in row["marks"]
    scores = {(s["selection"], s["metric"]): s for s in row["scores"] if s["axis"] == "groups"}
    accuracy = scores["validation", "accuracy"]
    # 27 of 30 and 24 of 30 right.
    assert [tone["mean"] for tone in accuracy["tones"]] == pytest.approx([0.9, 0.8])
    assert accuracy["gap"]["mean"] == pytest.approx(0.1)
    assert scores["last", "accuracy"]["all"]["mean"] is None


def test_the_ranks_of_the_store_s_own_entries_stay(tonegap, send):
    before = {name: row_of(tonegap, name)["rank"] for name in ("erm", "mixup")}
    tonegap("submit", "add", send())
    assert {name: row_of(tonegap, name)["rank"] for name in ("erm", "mixup")} == before


def test_predictions_have_intervals_like_any_entry(tonegap, send):
    tonegap("submit", "add", send())
    (table,) = document(tonegap)["tables"]
    claims = {row["entry"]["baseline"]: row for row in table["claims"]["rows"]}
    low, high = (claims["theirs"]["network_intervals"]["all"][end] for end in ("low", "high"))
    assert low < 51 / 60 < high
    assert claims["theirs"]["tie_group"] is None


def test_who_made_them_stands_in_the_report(tonegap, send, tmp_path):
    tonegap("submit", "add", send())
    (sent,) = document(tonegap)["submissions"]
    assert sent["authors"] == "A. Author"
    assert "split: tonegap split d/t --seed 0; epoch by validation" in sent["about"]
    assert tonegap("report", "--out", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    assert '<a href="https://example.org/paper">paper</a>' in page


def test_an_epoch_picked_on_test_images_has_no_place_at_all(tonegap, send):
    sent = send(selection='"test-oracle"', test_labels_used="true")
    code, text = tonegap("submit", "add", sent)
    assert not code, text
    assert "would be rank" not in text
    assert "undefined: the record has no such score" in row_of(tonegap, "theirs")["unranked"]


def test_what_used_the_tones_of_test_images_is_marked(tonegap, send):
    tonegap("submit", "add", send(test_tones_used="true"))
    assert "tone at test" in row_of(tonegap, "theirs")["marks"]


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"authors": '""'}, "authors is empty"),
        ({"contact": ""}, "missing key `contact`"),
        ({"selection": '"best"'}, "selection is 'best', wanted one of validation, last"),
        ({"baseline": '"a b"'}, "baseline is 'a b', wanted one word"),
        ({"paper": '"javascript:x"'}, "wanted a link that begins with https://"),
        ({"test_labels_used": "true"}, 'what saw the labels of test images is "test-oracle"'),
        ({"file": '"../x.csv"'}, "wanted the name of a .csv or .parquet beside the card"),
        ({"seed": "-1"}, "seed is -1"),
        ({"split": '"x"\nnews = 1'}, "unknown key `news`; known keys are method"),
        ({"task": '"d/other"'}, "d/other never ran in this store"),
        ({"split": '"x"\nstand_in = true'}, "did not run on stand-in images"),
        ({"split": '"x"\nthreshold = 2.0'}, "threshold is 2.0, wanted a probability"),
    ],
)
def test_a_card_that_is_not_as_it_must_be_is_refused_in_one_sentence(tonegap, send, card, said):
    code, text = tonegap("submit", "add", send(**card))
    assert code
    assert said in text
    assert tonegap("submit", "list") == (0, "")


def test_a_missing_test_image_is_named(tonegap, send, truth):
    code, text = tonegap("submit", "add", send(ids=set(truth.test.ids) - {"t7"}))
    assert code
    assert "images without a row, of 60 (1: t7)" in text


def test_an_image_of_another_split_is_named(tonegap, send, truth):
    folder = send()
    with (folder / "seed-0.csv").open("a") as file:
        file.write("x1,0.5,0.5\n")
    assert "images that were not asked for (1: x1)" in tonegap("submit", "add", folder)[1]


def test_epochs_without_validation_images_leave_nothing_to_choose_by(tonegap, send):
    folder = send()
    lines = (folder / "seed-0.csv").read_text().splitlines()
    body = [f"{e},{line}" for e in (1, 2) for line in lines[1:]]
    (folder / "seed-0.csv").write_text("\n".join([f"epoch,{lines[0]}", *body]) + "\n")
    assert "holds 2 epochs of the test images alone" in tonegap("submit", "add", folder)[1]


def test_the_same_predictions_are_there_once(tonegap, send):
    tonegap("submit", "add", send())
    code, text = tonegap("submit", "add", send(authors='"B. Other"'))
    assert code
    assert "has the same predictions" in text


def test_checking_keeps_nothing(tonegap, send, store):
    code, text = tonegap("submit", "add", send(), "--check")
    assert not code
    assert "would be rank 1 of 3" in text
    assert not (store / "submissions").exists()
    assert list((store / "work").iterdir()) == []


def test_what_was_removed_is_gone_from_the_report(tonegap, send):
    before = document(tonegap)
    text = tonegap("submit", "add", send())[1]
    name = text.split()[-1]
    assert tonegap("submit", "remove", name)[0] == 0
    assert document(tonegap) == before
    assert f"no submission '{name}'" in tonegap("submit", "remove", name)[1]


def test_predictions_changed_after_they_were_checked_are_a_hole(tonegap, send, store):
    name = tonegap("submit", "add", send())[1].split()[-1]
    (path,) = (store / "submissions" / name).glob("stages/*/*/predictions.csv")
    path.write_text(path.read_text().replace("0.1,0.9", "0.9,0.1", 1))
    code, text = tonegap("report", "--format", "md", "--strict")
    assert code == 1
    assert text.startswith("# INCOMPLETE: 1 of 3 runs missing (1 changed)")
    assert "predictions.csv is changed" in tonegap("submit", "list")[1]
    assert row_of(tonegap, "theirs")["scores"] == []


def test_the_report_that_a_run_publishes_has_them_too(tonegap, send, store):
    suites = read_suites(store)
    page = publish_suite(ROOT, store, suites[0].matrix)
    assert "none + theirs" not in page.read_text("utf-8")
    tonegap("submit", "add", send())
    assert "none + theirs" in publish_suite(ROOT, store, suites[0].matrix).read_text("utf-8")


def with_validation(folder, truth, epochs):
    """The predictions of a folder for every image of a truth, the same in each epoch."""
    lines = (folder / "seed-0.csv").read_text().splitlines()
    body = [*lines[1:], *(f"{image_id},0.5,0.5" for image_id in truth.validation.ids)]
    rows = [f"{epoch},{line}" for epoch in range(epochs) for line in body]
    (folder / "seed-0.csv").write_text("\n".join([f"epoch,{lines[0]}", *rows]) + "\n")
    return folder


def defined(tonegap):
    """The selection rules under which the submitted entry has an accuracy."""
    scores = [s for s in row_of(tonegap, "theirs")["scores"] if s["metric"] == "accuracy"]
    return {s["selection"] for s in scores if s["all"]["mean"] is not None}


def test_all_epochs_with_validation_images_leave_the_choice_to_us(tonegap, send, truth):
    tonegap("submit", "add", with_validation(send(selection='"last"'), truth, epochs=2))
    assert defined(tonegap) == {"validation", "last", "test-oracle"}


def test_one_epoch_has_scores_under_the_rule_of_its_card_alone(tonegap, send, truth):
    tonegap("submit", "add", with_validation(send(selection='"last"'), truth, epochs=1))
    assert defined(tonegap) == {"last"}


def test_a_threshold_beside_validation_images_is_one_too_many(tonegap, send, truth):
    folder = with_validation(send(split='"x"\nthreshold = 0.5'), truth, epochs=1)
    assert "leave out one of the two" in tonegap("submit", "add", folder)[1]


def test_the_threshold_of_a_card_calls_images_positive(tonegap, send):
    # Every image has 0.1 or 0.9, so from 0.95 on none is called positive.
    tonegap("submit", "add", send(split='"x"\nthreshold = 0.95'))
    scores = row_of(tonegap, "theirs")["scores"]
    found = [s for s in scores if s["metric"] == "sensitivity" and s["selection"] == "validation"]
    assert found[0]["all"]["mean"] == 0
