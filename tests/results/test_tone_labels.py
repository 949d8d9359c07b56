"""Gaps of a table's entries under two annotations of tone."""

import json
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from answered import LEVELS, TONES, answers_of, board_with_answers
from report_files import render_json

from tonegap.data.metadata import read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import read_task
from tonegap.files import sha256_bytes
from tonegap.formats.record import EntryId
from tonegap.formats.truth import PartTruth, TaskTruth, decode_truth, encode_truth
from tonegap.report.exports.markdown import render_markdown
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.results.tone_labels import AGREED, FIRST, SECOND, TRUE, tone_labels
from tonegap.scores.evidence.images import tone_indices
from tonegap.scores.evidence.raters import raters_of
from tonegap.split.rows import axis_tones, second_tones

ROOT = Path(__file__).parents[2]
DARK, SWAPPED = EntryId("none", "erm", "a"), EntryId("none", "other", "b")


def labelled(accuracy, seed):
    """Answers with two annotations."""
    return twice_labelled(answers_of(accuracy, seed))


def twice_labelled(said):
    """The same with a second annotation that takes one image in ten of V for I and the other way round."""
    exchanged = {"I": "V", "V": "I"}
    second = [exchanged.get(t, t) if i % 10 < 1 else t for i, t in enumerate(said.tones)]
    second[7] = None
    return replace(said, second_tones=tuple(second))


@pytest.fixture(scope="module")
def found():
    kept = {
        DARK: [labelled((0.9, 0.9, 0.9, 0.9, 0.9, 0.5), s) for s in (0, 1)],
        SWAPPED: [labelled((0.9, 0.9, 0.9, 0.9, 0.9, 0.6), s) for s in (2, 3)],
    }
    return tone_labels(kept, TONES, (), 5)


def test_each_entry_has_a_gap_under_both_and_on_agreed_images(found):
    row = next(row for row in found.rows if row.entry == DARK)
    assert set(row.gaps) == {FIRST, SECOND, AGREED}
    assert row.gaps[FIRST].gap == pytest.approx(0.42, abs=0.06)
    assert row.gaps[FIRST].rank == 2
    assert row.gaps[FIRST].interval.low < row.gaps[FIRST].gap < row.gaps[FIRST].interval.high


def test_images_that_agree_are_counted(found):
    said = labelled((0.9,) * 6, 0)
    agree = sum(a == b for a, b in zip(said.tones, said.second_tones, strict=True))
    assert found.n_agreed == agree < 600
    assert found.raters.n == 599


def test_a_rank_that_changes_with_the_labels_is_marked():
    # The second annotation exchanges every other image of I and II. `a` gets 60 % of I and all of II: 80 % of either by
    # the second; `b` gets 70 % of both whoever labels.
    said, block = answers_of((0.9,) * 6, 0), np.arange(600) // 6
    exchanged = {"I": "II", "II": "I"}
    pairs = zip(said.tones, block, strict=True)
    second = tuple(exchanged.get(tone, tone) if i % 2 else tone for tone, i in pairs)
    tones = np.array(said.tones)

    def misses(wrong):
        p = np.full((600, 4), 0.1)
        p[np.arange(600), np.where(wrong, (said.y + 1) % 4, said.y)] = 0.7
        return [replace(said, p=p, second_tones=second)]

    a = misses((tones == "I") & (block % 10 < 4))
    b = misses(np.isin(tones, ("I", "II")) & (block % 10 < 3))
    labels = tone_labels({DARK: a, SWAPPED: b}, TONES, (), 5)
    ranks = {row.entry: [row.gaps[n].rank for n in (FIRST, SECOND)] for row in labels.rows}
    assert ranks == {DARK: [2, 1], SWAPPED: [1, 2]}
    assert all(row.moves for row in labels.rows)
    assert labels.rows[0].gaps[SECOND].gap == pytest.approx(0.2)


def test_one_annotation_makes_no_table():
    assert tone_labels({DARK: [answers_of((0.9,) * 6, 0)]}, TONES, (), 5) is None


def few_of_vi(said):
    """The same with four images of VI by the first annotation, three by the second and where both agree."""
    first, second = np.array(said.tones, object), np.array(said.second_tones, object)
    of_vi = np.flatnonzero((first == "VI") & (second == "VI"))
    first[of_vi[4:]], second[of_vi[3:]] = "V", "V"
    return replace(said, tones=tuple(first), second_tones=tuple(second))


def test_a_choice_of_labels_with_a_tone_of_too_few_images_is_undefined_with_the_reason():
    kept = {DARK: [few_of_vi(labelled((0.9,) * 5 + (0.5,), s)) for s in (0, 1)]}
    found = tone_labels(kept, TONES, (), 5)
    assert found.undefined == {
        FIRST: "VI has 4 images (min_support 5)",
        SECOND: "VI has 3 images (min_support 5)",
        AGREED: "VI has 3 images (min_support 5)",
    }
    (row,) = found.rows
    assert (row.gaps, row.moves) == ({}, False)
    assert row.true is not None  # groups have enough
    assert tone_labels(kept, TONES, (), 201).undefined[TRUE].startswith("I-II has 200 images")
    enough = tone_labels(kept, TONES, (), 4)
    assert enough.undefined.keys() == {SECOND, AGREED}
    assert enough.rows[0].gaps[FIRST].rank == 1


def test_a_tone_of_one_image_warns_of_nothing():
    said = [labelled((0.9,) * 6, s) for s in (0, 1)]
    one = tuple(t if t != "VI" or i == 5 else "V" for i, t in enumerate(said[0].tones))
    kept = {DARK: [replace(s, tones=one) for s in said]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tone_labels(kept, TONES, (), 1).rows[0].gaps[FIRST].rank == 1


def test_a_report_says_why_gaps_are_undefined(make_record, entry, cell, settings):
    def few_of_vi_by_the_second(said):
        said = twice_labelled(said)
        return replace(said, second_tones=few_of_vi(said).second_tones)

    made = board_with_answers(make_record, entry, cell, settings)
    board = made(LEVELS, relabel=few_of_vi_by_the_second)
    for written in (render_html(board), render_markdown(board).replace("\\", "")):
        assert "Undefined by the second labels: VI has 3 images (min_support 5)." in written
        assert "Undefined by these labels" not in written
        assert "Ranks are not compared." in written
    found = json.loads(render_json(board))["tables"][0]["claims"]["tone_labels"]
    assert found["undefined"] == dict.fromkeys(
        ("second", "agreed"), "VI has 3 images (min_support 5)"
    )
    assert all(row["gaps"].keys() == {"first"} for row in found["rows"])


def test_a_report_shows_the_gaps_under_both(make_record, entry, cell, settings):
    made = board_with_answers(make_record, entry, cell, settings)
    board = made(LEVELS, relabel=twice_labelled)
    page, text = render_html(board), render_markdown(board)
    assert "<h3>Gaps and tone labels</h3>" in page
    assert "### Gaps and tone labels" in text
    assert "the reliability of one is 0." in text
    document = json.loads(render_json(board))
    assert document["tables"][0]["claims"]["tone_labels"]["n_agreed"] < 600


@pytest.mark.data
def test_fitzpatrick17ks_annotations_are_as_reliable_as_published():
    folder = os.environ.get("TONEGAP_DATA")
    if not folder:
        pytest.skip("TONEGAP_DATA names no folder with the metadata")
    dataset = read_dataset(ROOT, "fitzpatrick17k")
    metadata = read_metadata(dataset, Path(folder) / "fitzpatrick17k")
    task = read_task(ROOT, "fitzpatrick17k/fairdisco")
    second = second_tones(task, dataset, metadata)
    first = tone_indices(axis_tones(task, metadata), TONES)
    raters = raters_of(first, tone_indices([second[i] for i in metadata.ids], TONES), 6)
    # facts of the file: 15,230 images with both, 47.9 % alike, maximum likelihood 0.856
    assert raters.n == 15_230
    assert raters.alike == pytest.approx(0.479, abs=5e-4)
    assert raters.reliability == pytest.approx(0.856, abs=1e-3)


def test_a_truth_keeps_its_second_annotation():
    part = PartTruth(("a", "b"), ("x", "y"), ("I", None), (0, 1), ("II", "V"))
    truth = TaskTruth(part, PartTruth(("c",), ("x",), ("I",), (2,), (None,)))
    content = encode_truth(truth)
    assert content.splitlines()[0] == b"partition,image_id,label,tone,unit,second_tone"
    assert decode_truth(content, sha256_bytes(content), "here") == truth
    plain = TaskTruth(
        PartTruth(("a",), ("x",), ("I",), (0,)), PartTruth(("c",), ("x",), ("I",), (2,))
    )
    assert encode_truth(plain).splitlines()[0] == b"partition,image_id,label,tone,unit"
    assert decode_truth(encode_truth(plain), sha256_bytes(encode_truth(plain)), "here") == plain
