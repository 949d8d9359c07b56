"""Entries over several tasks: win rates, excess, Pareto fronts."""

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from answered import board_with_answers

from tonegap.api.results import _across_frame
from tonegap.declared.report_settings import read_settings
from tonegap.report.pages.across_page import files
from tonegap.results.across import MIN_DATA_SETS, across

ROOT = Path(__file__).parents[2]

# Far enough apart that no draw changes the order: high beats middle beats low in the worst tone.
HIGH, MIDDLE, LOW = (0.95,) * 6, (0.75,) * 6, (0.45,) * 6


@pytest.fixture
def board_of(make_record, entry, cell, settings):
    """A board of several tasks, each with accuracies by entry; `drawn` names those of phantom images."""
    make = board_with_answers(make_record, entry, cell, settings)

    def several(tasks, drawn=(), **more):
        made = {
            key: make(one, **more)
            for key, one in {repr(one): one for one in tasks.values()}.items()
        }
        boards = [made[repr(levels)] for levels in tasks.values()]
        claims = []
        for name, board in zip(tasks, boards, strict=True):
            (one,) = board.claims
            question = replace(one.table.question, task=name, drawn=name in drawn)
            claims.append(replace(one, table=replace(one.table, task=name, question=question)))
        return replace(boards[0], tables=tuple(c.table for c in claims), claims=tuple(claims))

    return several


def entries(none, good, same):
    return {"none+erm": none, "good+erm": good, "same+erm": same}


def rates(group):
    return {row.entry.method: row.win_rate for row in group.rows}


def test_an_entry_that_beats_all_on_every_task_has_the_win_rate_one(board_of):
    tasks = {"a/t": entries(LOW, HIGH, MIDDLE), "b/t": entries(LOW, HIGH, MIDDLE)}
    (group,) = across(board_of(tasks))
    assert rates(group) == {"good": (1, 1, 1), "same": (0.5, 0.5, 0.5), "none": (0, 0, 0)}
    assert [row.entry.method for row in group.rows] == ["good", "same", "none"]


def test_the_table_in_python_has_a_row_for_each_entry_and_task(board_of):
    tasks = {"a/t": entries(LOW, HIGH, MIDDLE), "b/t": entries(LOW, HIGH, MIDDLE)}
    groups = across(board_of(tasks))
    table = _across_frame(groups)
    assert len(table) == 6
    assert not table["phantom"].any()
    row = table[(table["task"] == "b/t") & (table["entry"] == groups[0].rows[1].entry.label)].iloc[
        0
    ]
    on = groups[0].rows[1].tasks[1]
    assert [row["overall"], row["score"], row["excess_overall"], row["excess"]] == [
        on.overall, on.score, on.excess_overall, on.excess
    ]  # fmt: skip
    assert [row["win_rate"], row["win_rate_low"], row["win_rate_high"]] == [0.5] * 3
    assert table["excess"].isna().sum() == 2  # the reference, on both tasks
    assert table["friedman_p"].isna().all()


def test_tasks_of_one_data_set_count_as_one(board_of):
    up, down = entries(LOW, HIGH, MIDDLE), entries(HIGH, LOW, MIDDLE)
    (group,) = across(board_of({"a/t": up, "b/s": down, "b/t": down}))
    # By task good would have a third; by data set it has a half.
    assert rates(group)["good"][0] == pytest.approx(0.5)
    assert group.n_data_sets == 2


def test_data_sets_that_share_images_count_as_one(board_of):
    up, down = entries(LOW, HIGH, MIDDLE), entries(HIGH, LOW, MIDDLE)
    board = board_of({"a/t": up, "b/t": down, "b-sample/t": down})
    settings = msgspec.structs.replace(board.settings, image_sources={"b": "b", "b-sample": "b"})
    (group,) = across(replace(board, settings=settings))
    assert rates(group)["good"][0] == pytest.approx(0.5)
    assert group.n_data_sets == 2


def test_a_sample_and_a_joined_data_set_are_no_data_sets_of_their_own():
    sources = read_settings(ROOT).image_sources
    assert sources["pad-ufes-20-sample"] == sources["pad-ufes-20"]
    assert sources["fitzpatrick17k"] == sources["ddi"] == sources["fitzpatrick17k-ddi"]
    assert "phantom" not in sources
    # leaderboard.json has them, and its bytes may not depend on how a process hashes names.
    assert list(sources) == sorted(sources)


def test_equal_entries_have_an_interval_that_says_so(board_of):
    tasks = {"a/t": entries(MIDDLE, MIDDLE, MIDDLE), "b/t": entries(MIDDLE, MIDDLE, MIDDLE)}
    (group,) = across(board_of(tasks))
    for rate, low, high in rates(group).values():
        assert low <= 0.25
        assert high >= 0.5
        assert low <= rate <= high


def test_excess_is_counted_from_the_reference_of_that_task(board_of):
    tasks = {"a/t": entries(LOW, HIGH, MIDDLE), "b/t": entries(HIGH, LOW, MIDDLE)}
    (group,) = across(board_of(tasks))
    rows = {row.entry.method: row for row in group.rows}
    assert [on.excess for on in rows["none"].tasks] == [None, None]
    for on, reference in zip(rows["good"].tasks, rows["none"].tasks, strict=True):
        assert on.excess == pytest.approx(on.score - reference.score)
        assert on.excess_overall == pytest.approx(on.overall - reference.overall)
    assert rows["good"].tasks[0].excess > 0.3
    assert rows["good"].tasks[1].excess < -0.3


def test_the_front_has_who_is_not_beaten_in_both_scores(board_of):
    # good is best over all images, same for the worst tone, none in neither.
    tones = {"none+erm": (0.6,) * 6, "good+erm": (0.99,) * 5 + (0.65,), "same+erm": (0.85,) * 6}
    (group,) = across(board_of({"a/t": tones, "b/t": tones}))
    assert {row.entry.method: row.tasks[0].on_front for row in group.rows} == {
        "none": False, "good": True, "same": True
    }  # fmt: skip


def test_photographs_and_phantoms_are_kept_apart(board_of):
    tasks = {"a/t": entries(LOW, HIGH, MIDDLE), "b/t": entries(LOW, HIGH, MIDDLE)}
    assert across(board_of(tasks, drawn={"b/t"})) == ()
    (group,) = across(board_of(tasks, drawn={"a/t", "b/t"}))
    assert group.phantom


def test_an_entry_that_is_missing_on_a_task_has_no_win_rate(board_of):
    three = entries(LOW, HIGH, MIDDLE)
    two = {name: three[name] for name in ("none+erm", "same+erm")}
    (group,) = across(board_of({"a/t": three, "b/t": three, "c/t": two}))
    found = {row.entry.method: row for row in group.rows}
    assert found["good"].win_rate is None
    assert found["good"].why == "ranks in 2 of 3 tasks"
    assert found["good"].tasks[2] is None
    assert found["same"].win_rate == (1, 1, 1)  # of the two that are everywhere


def test_one_training_run_claims_nothing(board_of):
    tasks = {"a/t": entries(LOW, HIGH, MIDDLE), "b/t": entries(LOW, HIGH, MIDDLE)}
    (group,) = across(board_of(tasks, seeds=(0,)))
    assert {row.why for row in group.rows} == {"trained once on a task"}


def test_a_rank_test_wants_six_data_sets(board_of):
    levels = entries(LOW, HIGH, MIDDLE)
    five = {f"{name}/t": levels for name in "abcde"}
    assert across(board_of(five))[0].p is None
    assert MIN_DATA_SETS == 6
    (group,) = across(board_of({**five, "f/t": levels}))
    # Three entries in one order on six data sets: chi square 12 with 2 degrees of freedom.
    assert group.p == pytest.approx(0.0024788, rel=1e-4)


def test_the_page_shows_rates_and_reasons(board_of):
    tasks = {"a/t": entries(LOW, HIGH, MIDDLE), "b/t": entries(LOW, HIGH, MIDDLE)}
    ((path, (content,)),) = files(board_of(tasks), None)
    page = content.decode()
    assert path == "across.html"
    text = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"good \+ erm \(resnet18\)\s+100\.0\s+the same in every draw", text)
    assert "No rank test over 2 data sets: it takes six" in text
    assert page.count("<svg") == 2
    assert list(files(board_of({"a/t": entries(LOW, HIGH, MIDDLE)}), None)) == []
