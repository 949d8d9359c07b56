"""The page of a result of others: whose it is, what it scored here, and nothing that cannot be run."""

import re


def page_of(tonegap, folder, word):
    code, text = tonegap("report", "--out", folder)
    assert not code, text
    (path,) = folder.glob(f"entries/*{word}*.html")
    return re.sub(r"\s+", " ", path.read_text("utf-8"))


def test_the_page_of_predictions_names_their_authors_and_offers_no_command(tonegap, send, tmp_path):
    tonegap("submit", "add", send())
    page = page_of(tonegap, tmp_path / "report", "theirs")
    assert "<dd>A. Author</dd>" in page
    assert "no command makes this row again: its predictions were made elsewhere" in page.lower()
    assert "tonegap run" not in page
    assert "90.0" in page  # 27 of 30 images of I-II are right


def test_the_card_of_a_baseline_of_others_says_that_it_is_not_here(tonegap, send, tmp_path):
    tonegap("submit", "add", send())
    page_of(tonegap, tmp_path / "report", "theirs")
    card = (tmp_path / "report" / "methods" / "theirs.baseline.html").read_text("utf-8")
    assert "baselines/theirs is not in this suite" in card


def test_the_page_of_a_bundle_has_intervals_like_any_other(tonegap, send_bundle, truth, tmp_path):
    code, text = tonegap("submit", "add", send_bundle(truth, cutmix=9))
    assert not code, text
    page = page_of(tonegap, tmp_path / "report", "cutmix")
    assert "95 % interval" in page
    assert "The answers of this entry are not in the store" not in page
