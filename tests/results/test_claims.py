"""What a report says of how sure its numbers are."""

import csv
import html
import io
import json
import re
from dataclasses import replace

import msgspec
import pytest
from answered import LEVELS, board_with_answers
from report_files import render_csv, render_json

from tonegap.formats.record import GroupLeak
from tonegap.report.answer_text import answer
from tonegap.report.claims_text import (
    claim_lines,
    claims_about,
    claims_header,
    minimum_difference_text,
)
from tonegap.report.exports.markdown import render_markdown
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.phrases import p_text, percent, report_title


@pytest.fixture
def board_of(make_record, entry, cell, settings):
    return board_with_answers(make_record, entry, cell, settings)


def claims_by_label(board):
    return {row.row.entry.label: row for row in board.claims[0].rows}


def test_entries_that_are_tied_share_a_tie_group(board_of):
    rows = claims_by_label(board_of(LEVELS))
    assert rows["good + erm (resnet18)"].tie_group == rows["same + erm (resnet18)"].tie_group == 1
    assert rows["none + erm (resnet18)"].tie_group == 2
    assert rows["none + chance (resnet18)"].tie_group is None


def test_a_real_change_is_told_from_none(board_of):
    rows = claims_by_label(board_of(LEVELS))
    change = rows["good + erm (resnet18)"].changes["worst"]
    assert change.p < 0.001
    assert change.paired.low > 0.15
    assert "worst" not in rows["none + erm (resnet18)"].changes  # the reference itself


def test_a_gap_stands_beside_the_null_gap(board_of):
    rows = claims_by_label(board_of(LEVELS))
    assert rows["none + erm (resnet18)"].parity.p < 0.01
    alike = rows["good + erm (resnet18)"]
    assert 0.02 < alike.parity.expected < 0.12
    assert alike.intervals["gap"].low == 0
    assert alike.minimum_detectable_difference > 0.05


def test_a_control_that_knows_something_stamps_every_page(board_of):
    board = board_of({**LEVELS, "none+chance": (0.5,) * 6})
    assert "the control none + chance (resnet18) is right for more images" in board.alarms[0]
    assert report_title(board).startswith("CONTROL ALARM – ")
    assert "<strong>CONTROL ALARM:</strong>" in render_html(board)
    assert "**CONTROL ALARM: " in render_markdown(board)
    assert not board_of(LEVELS).alarms


def test_rows_that_kept_no_answers_are_named(board_of):
    board = board_of(LEVELS, kept=("none+erm", "good+erm"))
    assert board.claims[0].without == (
        "same + erm (resnet18)",
        "none + chance (resnet18)",
    )
    assert "Without kept predictions" in render_markdown(board)
    assert board_of(LEVELS, kept=()).claims == ()


def test_every_format_has_the_same_claims(board_of):
    board = board_of(LEVELS)
    line = claim_lines(board.claims[0])[0]
    assert len(line.cells) == len(claims_header(board.claims[0]))
    page, text = render_html(board), render_markdown(board)
    for cell in line.cells:
        assert html.escape(cell) in page
        assert cell.replace("<", "&lt;") in text or cell in text
    assert '"null_gap":{' in render_json(board)


def test_every_null_of_a_row_is_in_json_and_csv(board_of):
    board = board_of({"none+erm": LEVELS["none+erm"]})
    row = board.claims[0].rows[0]
    listed = json.loads(render_json(board))["tables"][0]["claims"]["rows"][0]["nulls"]
    assert {"pqd", "dpm", "eom", "nar", "accuracy", "ece"} <= {n["metric"] for n in listed}
    gap = row.nulls["accuracy", "gap", "tones permuted"]
    names = [(n["metric"], n["score"], n["null"]) for n in listed]
    assert names == list(row.nulls)
    assert listed[names.index(("accuracy", "gap", "tones permuted"))]["p"] == gap.p
    lines = list(csv.DictReader(io.StringIO(render_csv(board))))
    (line,) = (
        r
        for r in lines
        if (r["metric"], r["tone"], r["selection"]) == ("accuracy", "gap", "validation")
    )
    assert (float(line["null_mean"]), float(line["null_p"])) == (gap.expected, gap.p)
    assert float(line["null_low"]) <= gap.expected <= float(line["null_high"])
    assert line["null_within_class_p"]
    assert not any(r["null_mean"] for r in lines if r["tone"] == "worst")
    assert not any(r["null_mean"] for r in lines if r["selection"] == "test-oracle")


def test_both_intervals_of_a_row_are_in_csv_as_json_has_them(board_of):
    board = board_of({"none+erm": LEVELS["none+erm"]})
    row = board.claims[0].rows[0]
    table = board.claims[0].table
    names = dict(zip(("selection", "axis", "metric"), table.ranked, strict=True))
    lines = list(csv.DictReader(io.StringIO(render_csv(board))))
    of_view = [r for r in lines if names.items() <= r.items()]
    for score in ("all", "worst", "gap"):
        (line,) = [r for r in of_view if r["tone"] == score]
        for start, intervals in (("interval", row.intervals), ("networks", row.network_intervals)):
            found = intervals.get(score)
            ends = [line[f"{start}_low"], line[f"{start}_high"]]
            assert ends == ([str(found.low), str(found.high)] if found else ["", ""])
    assert any(r["networks_high"] for r in of_view)
    assert not any(r["networks_high"] for r in lines if r["selection"] == "test-oracle")


def test_the_text_of_claims_says_that_p_of_a_gap_is_of_its_row_alone(board_of):
    about = claims_about(board_of({"none+erm": LEVELS["none+erm"]}).claims[0])
    assert "of their row alone, not corrected" in about
    assert "none below 0.0025" in about
    assert "whole groups of near-duplicates are resampled" in about


def test_the_text_of_claims_says_that_patients_are_resampled_where_they_are_declared(board_of):
    claims = board_of({"none+erm": LEVELS["none+erm"]}).claims[0]
    row = claims.table.all_rows[0]
    record = row.records[0]
    groups = {"patient_id": GroupLeak(0, 0, 0)}
    leaks = msgspec.structs.replace(record.leaks, groups=groups)
    seed = replace(row.seeds[0], record=msgspec.structs.replace(record, leaks=leaks))
    table = replace(claims.table, rows=(replace(row, seeds=(seed,)),))
    by_patient = replace(claims, table=table)
    assert (
        "whole groups of near-duplicates and images of one patient are resampled"
        in claims_about(by_patient)
    )


def test_the_answer_says_how_sure_it_is_and_which_entries_share_its_band(board_of):
    board = board_of({**LEVELS, "same+erm": (0.9, 0.9, 0.9, 0.9, 0.86, 0.82)})
    first, second = (row.entry.label for row in board.tables[0].rows[:2])
    text = " ".join(answer(board, board.tables[0]))
    assert f". {first} has the best worst-tone accuracy" in text
    assert f"it is statistically tied with {second}: their order may be" in text
    assert re.search(r"its worst tone is \d+\.\d points higher \(corrected p < 0.001\)", text)
    interval = board.claims[0].rows[0].intervals["worst"]
    ends = f"{percent(interval.low)} and {percent(interval.high)} % (95 % interval)"
    assert (
        f"The worst-tone score of the method, over training runs and all such images lies between {ends}"
        in text
    )
    assert "overlap" not in text


def test_an_entry_alone_in_its_tie_group_is_said_to_be_significantly_different(board_of):
    board = board_of({name: LEVELS[name] for name in ("none+erm", "good+erm", "none+chance")})
    text = " ".join(answer(board, board.tables[0]))
    assert "it is significantly different from every other entry that has an interval" in text


def test_of_a_long_table_the_first_rows_and_the_reference_have_intervals(
    make_record, entry, cell, settings
):
    short = msgspec.structs.replace(settings, n_compared=1)
    board = board_with_answers(make_record, entry, cell, short)(LEVELS)
    (claims,) = board.claims
    first = board.tables[0].rows[0].entry.label
    labels = [row.row.entry.label for row in claims.rows]
    assert labels == [first, "none + erm (resnet18)", "none + chance (resnet18)"]
    assert claims.n_left == 1
    assert "Of this long table 3 rows (the first, references and controls)" in claims_about(claims)


def test_a_tiny_p_is_not_printed_as_0():
    assert p_text(0.0004) == "< 0.001"
    assert p_text(0.0342) == "0.034"


def test_an_entry_trained_once_claims_nothing_of_the_method(board_of):
    levels = {name: LEVELS[name] for name in ("none+erm", "good+erm", "none+chance")}
    board = board_of(levels, seeds=(0,))
    rows = claims_by_label(board)
    good = rows["good + erm (resnet18)"]
    assert good.changes == {}
    assert good.network_changes["worst"].low > 0.1
    assert good.intervals["worst"].low is None
    assert good.network_intervals["worst"].low > 0.6
    assert {row.tie_group for row in rows.values() if not row.row.control} == {1}
    text = " ".join(answer(board, board.tables[0]))
    assert "The worst-tone score of these networks on all such images lies between" in text
    assert (
        "One training run: how another would differ is not known, so no entry is called better"
        in text
    )
    assert not re.search(r"\((corrected )?p [<0]", text)
    cells = claim_lines(board.claims[0])[0].cells
    assert cells[1].endswith(" (these networks)")
    assert "one training run" in cells
    assert "Of an entry that was trained once" in claims_about(board.claims[0])


def test_a_mean_of_two_seeds_says_so_and_what_they_differ_by(board_of):
    board = board_of(LEVELS)
    cells = claim_lines(board.claims[0])[0].cells
    assert cells[1].endswith(" (two seeds)")
    assert re.fullmatch(r"\d+\.\d; \d+\.\d to \d+\.\d", cells[-1])
    assert "pooled over the 3 entries with two seeds or more" in claims_about(board.claims[0])
    rows = claims_by_label(board)
    of_entries = [rows[f"{name} + erm (resnet18)"].seed_spread for name in ("good", "none", "same")]
    assert of_entries[0] == of_entries[1] == of_entries[2]
    assert of_entries[0]["all"] is not None


def test_a_change_leaves_0_out_just_where_its_corrected_p_is_below_5_percent(board_of):
    levels = {f"m{i}+erm": (0.9, 0.9, 0.9, 0.88, 0.88, 0.5 + 0.08 * i) for i in range(5)}
    board = board_of({"none+erm": (0.9, 0.9, 0.9, 0.88, 0.88, 0.5), **levels})
    found = [c for row in board.claims[0].rows for c in row.changes.values()]
    assert len(found) == 15
    told = [change.p < 0.05 for change in found]
    assert told == [change.low > 0 or change.high < 0 for change in found]
    assert 0 < sum(told) < 15
    for change in found:
        own = change.paired
        assert (own.p < 0.05) == (own.low > 0 or own.high < 0)
        assert change.low <= own.low <= own.difference <= own.high <= change.high


def test_both_kinds_of_interval_are_in_the_data(board_of):
    claims = json.loads(render_json(board_of(LEVELS)))["tables"][0]["claims"]
    row = next(r for r in claims["rows"] if r["changes"])
    assert set(row["intervals"]) == set(row["network_intervals"]) == {"all", "worst", "gap"}
    assert set(row["changes"]["gap"]) == {"difference", "low", "high", "p", "by_itself"}
    assert set(row["network_changes"]["gap"]) == {"difference", "low", "high"}
    assert row["seed_spread"]["VI"] >= 0


def test_a_difference_that_no_test_set_of_this_size_shows_is_said_to_be_none():
    assert minimum_difference_text(0.4321) == "43.2"
    assert minimum_difference_text(1.2) == "more than 100: not detectable"


def test_of_an_undefined_worst_tone_and_gap_nothing_is_claimed(board_of):
    """Type VI of every entry is below the minimum support, as its record says; its images are there all the same."""
    (claims,) = board_of(LEVELS, undefined=("VI",)).claims
    for row in claims.rows:
        assert set(row.intervals) == set(row.network_intervals) == {"all"}
        assert set(row.changes) | set(row.network_changes) <= {"all"}
        assert (row.parity, row.parity_within, row.minimum_detectable_difference) == (
            None,
            None,
            None,
        )
        assert ("accuracy", "gap") not in {name[:2] for name in row.nulls}
    assert any(row.changes for row in claims.rows)
