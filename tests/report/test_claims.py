"""What a report says of how sure its numbers are."""

import html
from dataclasses import replace

import numpy as np
import pytest

from tonegap.evidence.answers import TestAnswers
from tonegap.report.claims import board_claims
from tonegap.report.claims_page import claim_lines, claims_header, p_text
from tonegap.report.html import render_html
from tonegap.report.json_ import render_json
from tonegap.report.leaderboard import leaderboard
from tonegap.report.markdown import render_markdown
from tonegap.report.words import report_title

TONES = ("I", "II", "III", "IV", "V", "VI")
CLASSES = ("acne", "eczema", "nevus", "psoriasis")


def answers_of(accuracy, seed, n=600):
    rng = np.random.default_rng(seed)
    tone, y = np.arange(n) % 6, np.arange(n) // 6 % 4
    right = rng.random(n) < np.array(accuracy)[tone]
    predicted = np.where(right, y, (y + 1) % 4)
    p = np.full((n, 4), 0.1)
    p[np.arange(n), predicted] = 0.7
    return TestAnswers(
        ids=tuple(map(str, range(n))),
        labels=tuple(CLASSES[i] for i in y),
        tones=tuple(TONES[t] for t in tone),
        units=tuple(range(n)),
        classes=CLASSES,
        p=p,
        epoch=1,
        threshold=None,
    )


LEVELS = {
    "none+erm": (0.9, 0.9, 0.9, 0.85, 0.7, 0.55),
    "good+erm": (0.9, 0.9, 0.9, 0.9, 0.88, 0.86),
    "same+erm": (0.9, 0.9, 0.9, 0.9, 0.88, 0.86),
    "none+chance": (0.25,) * 6,
}


@pytest.fixture
def board_of(make_record, entry, cell, settings):
    """A board of these entries with the claims that their answers make."""

    def make(levels, kept=None):
        cells, answers = [], {}
        for i, (name, accuracy) in enumerate(levels.items()):
            for seed in (0, 1):
                said = answers_of(accuracy, 10 * i + seed)
                right = said.p.argmax(axis=1) == said.y
                per_tone = {
                    t: float(right[np.arange(600) % 6 == k].mean()) for k, t in enumerate(TONES)
                }
                control = name.endswith("chance")
                record = make_record(entry(name), seed, per_tone, float(right.mean()), control)
                cells.append(cell(record))
                answers[name, seed] = said if kept is None or name in kept else None
        board = leaderboard(cells, settings)

        def said_by(record):
            return answers[f"{record.entry.method}+{record.entry.baseline}", record.seed]

        return replace(board, claims=board_claims(board, said_by))

    return make


def claims_by_label(board):
    return {row.row.entry.label: row for row in board.claims[0].rows}


def test_entries_that_cannot_be_told_apart_share_a_band(board_of):
    rows = claims_by_label(board_of(LEVELS))
    assert rows["good + erm (resnet18)"].band == rows["same + erm (resnet18)"].band == 1
    assert rows["none + erm (resnet18)"].band == 2
    assert rows["none + chance (resnet18)"].band is None


def test_a_real_change_is_told_from_none(board_of):
    rows = claims_by_label(board_of(LEVELS))
    change = rows["good + erm (resnet18)"].changes["worst"]
    assert change.p < 0.001
    assert change.paired.low > 0.15
    assert "worst" not in rows["none + erm (resnet18)"].changes  # the reference itself


def test_a_gap_stands_beside_that_of_dealt_tones(board_of):
    rows = claims_by_label(board_of(LEVELS))
    assert rows["none + erm (resnet18)"].parity.p < 0.01
    alike = rows["good + erm (resnet18)"]
    assert 0.02 < alike.parity.expected < 0.12
    assert alike.intervals["gap"].low == 0
    assert alike.detectable > 0.05


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
    assert "Without kept answers" in render_markdown(board)
    assert board_of(LEVELS, kept=()).claims == ()


def test_every_format_has_the_same_claims(board_of):
    board = board_of(LEVELS)
    line = claim_lines(board.claims[0])[0]
    assert len(line.cells) == len(claims_header(board.claims[0]))
    page, text = render_html(board), render_markdown(board)
    for cell in line.cells:
        assert html.escape(cell) in page
        assert cell.replace("<", "&lt;") in text or cell in text
    assert '"gap_of_dealt_tones":{' in render_json(board)


def test_a_tiny_p_is_not_printed_as_0():
    assert p_text(0.0004) == "< 0.001"
    assert p_text(0.0342) == "0.034"
