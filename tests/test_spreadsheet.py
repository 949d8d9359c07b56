"""What a spreadsheet would run is a text, what is a number stays one, in every CSV for people."""

import csv
import io

import pytest

from tonegap.report.paper_text import as_csv as papers_csv
from tonegap.report.score_table import as_csv as score_csv
from tonegap.results.papers.verdict import PaperCell, Reproduced
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import Score
from tonegap.spreadsheet import safe_cell

FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "-",
    "=",
    "-a-class",
]
NUMBERS = ["-0.5", "+0.5", "-1e-05", "-12", "-.5", "-3.", "-1.2 ± 0.3", "-1.2±0.3", "-4 %", "-4%"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text):
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("value", [*NUMBERS, "", "a=1", "I-II", "'=1", -0.5, -3, None, True])
def test_numbers_and_other_texts_stay_as_they_are(value):
    assert safe_cell(value) == value


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_reason_of_an_undefined_score_is_escaped_and_a_negative_score_stays_a_number():
    table = [
        Score("accuracy", "all", None, 0, "=cmd: 0 images"),
        Score("gap", "all", -0.25, 4, None),
    ]
    undefined, defined = rows(score_csv([(None, table)], ScoringRules(("a", "b"), ("b",), 0.5)))
    assert undefined["reason"] == "'=cmd: 0 images"
    assert float(defined["value"]) == -0.25


def test_a_paper_s_row_is_escaped_and_its_reported_number_is_not():
    cell = PaperCell(
        "1", "+us", "-x", "percent", "-3.1", Reproduced(-2.5, -4.0, -1.0), "agrees", ""
    )
    (row,) = rows(papers_csv([cell]))
    assert (row["row"], row["column"], row["reported"], row["low"]) == ("'+us", "'-x", "-3.1", "-4")
