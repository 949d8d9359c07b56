"""Scores held against each other and their own bounds: planted contradictions, by hand, and simulated true tables."""

import numpy as np
import pytest

from tonegap.declared.paper import paper_of_cells, parse_reported, sets_of_cells
from tonegap.results.papers.audit import audit_paper

IMPOSSIBLE = "impossible under named assumptions"


def findings(columns, *rows, images=None, totals=None, sets=1):
    """What the audit says of a table of these columns and rows of cells."""
    cells = [(f"row {i}", f"r{i}", row.split()) for i, row in enumerate(rows)]
    tests = sets_of_cells(images or {}, totals, sets, 0)
    return audit_paper(paper_of_cells("t", "t", columns.split(), cells, "percent", tests))


def contradicted(*table, **known):
    return {f.test for f in findings(*table, **known) if f.verdict == IMPOSSIBLE}


TONES = "accuracy accuracy:A accuracy:B"
PLANTED = {
    "a share above 100 %": (("accuracy", "186.0"), {}, "range of a share"),
    "a share below 0": (("accuracy", "-5.0"), {}, "range of a share"),
    "a PQD above 100 % of five sets": (
        (f"{TONES} pqd", "85 80 90 104"),
        {"sets": 5},
        "range of a share",
    ),
    "an accuracy above 100 % of five sets": ((TONES, "85 104 90"), {"sets": 5}, "range of a share"),
    "a spread of unknown images": (("accuracy", "85.0±80.0"), {"sets": 5}, "largest spread"),
    "a spread of the searched": (
        ("accuracy", "85.0±80.0"),
        {"sets": 5, "totals": (90, 110)},
        "largest spread",
    ),
    "a spread of counts": (
        ("accuracy", "85.0±80.0"),
        {"sets": 5, "totals": (100, 100)},
        "mean and spread of counts",
    ),
    # (80 x 40 + 90 x 60) / 100 = 86.
    "a mean over five sets": (
        (TONES, "88.0 80.0 90.0"),
        {"sets": 5, "images": {"accuracy": 100, "accuracy:A": 40, "accuracy:B": 60}},
        "mean of the tones",
    ),
    # 80 and 90 in the mean: in each set at most 1 - (90 - 80).
    "a PQD of five sets": (
        (f"{TONES} pqd", "85.0 80.0 90.0 91.0"),
        {"sets": 5},
        "PQD of the tones",
    ),
    "a PQD of two sets": (
        (f"{TONES} pqd", "85.0±1.0 80.0±1.0 90.0±1.0 20.0"),
        {"sets": 2},
        "PQD from means and spreads",
    ),
    # Of 10 images: 2 TP / (2 TP + errors), 2 / 3 = 66.7 and 4 / 6; 8 / 12 and 10 / 15; none from 66.7 to 72.7 (8 / 11).
    "an F1 of ten images": (("f1:A", "69.0"), {"images": {"f1:A": 10}}, "F1 of known images"),
    "an F1 of all ten": (("f1", "69.0"), {"totals": (10, 10)}, "F1 of known images"),
    # (20 x 10 + 30 x 90) / 100 = 29; nothing between 20 and 30 is 99.
    "an accuracy of its classes": (
        ("accuracy sensitivity specificity", "99.0 20.0 30.0"),
        {"images": {"accuracy": 100, "sensitivity": 10, "specificity": 90}},
        "accuracy of the classes",
    ),
    "an accuracy of unknown classes": (
        ("accuracy sensitivity specificity", "40.0 20.0 30.0"),
        {},
        "accuracy of the classes",
    ),
    "a tone's accuracy of two sets": (
        ("accuracy:A sensitivity:A specificity:A", "28.0 20.0 30.0"),
        {"sets": 2, "images": {"sensitivity:A": 10, "specificity:A": 90}},
        "accuracy of the classes",
    ),
    "a gap": (("accuracy:A accuracy:B accuracy:gap", "90.0 80.0 3.0"), {}, "worst tone and gap"),
    "a gap of five sets": (
        ("accuracy:A accuracy:B accuracy:gap", "90.0 80.0 3.0"),
        {"sets": 5},
        "worst tone and gap",
    ),
    "a worst tone": (("auc:A auc:B auc:worst", "90.0 80.0 85.0"), {}, "worst tone and gap"),
    "a worst tone above all": (("accuracy accuracy:worst", "80.0 85.0"), {}, "worst tone and gap"),
    "a worst calibration": (("ece:A ece:B ece:worst", "9.0 5.0 5.0"), {}, "worst tone and gap"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_contradiction_is_found(name):
    table, known, test = PLANTED[name]
    assert contradicted(*table, **known) == {test}


def test_what_contradicts_nothing_is_possible():
    # 9/10 and 16/20, 25/30: gap 10, worst 80; recall 5/6, 20/24.
    table = (
        f"{TONES} accuracy:gap accuracy:worst sensitivity specificity",
        "83.3 90.0 80.0 10.0 80.0 83.3 83.3",
    )
    assert (
        contradicted(*table, images={"accuracy": 30, "accuracy:A": 10, "accuracy:B": 20}) == set()
    )
    # Sets of 100/0 and 0/100 %: each tone 50 in the mean, the gap 100 and the worst 0.
    assert (
        contradicted(
            "accuracy:A accuracy:B accuracy:gap accuracy:worst pqd", "50 50 100 0 0", sets=2
        )
        == set()
    )
    # Nothing right: 0/0 is printed as 0.000.
    assert contradicted(f"{TONES} pqd", "0.0 0.0 0.0 0.0", totals=(100, 100)) == set()


def shown(x, digits, *, spread=False):
    x = np.atleast_1d(100 * x)
    return f"{x.mean():.{digits}f}" + (f"±{x.std(ddof=1):.{digits}f}" if spread else "")


@pytest.mark.parametrize("sets", [1, 2, 5])
def test_no_true_table_is_called_impossible(sets):
    rng = np.random.default_rng(sets)
    columns = f"{TONES} accuracy:worst accuracy:gap pqd sensitivity specificity f1"
    for number in range(20):
        positive, negative = rng.integers(3, 40, 2), rng.integers(3, 40, 2)
        hit = rng.binomial(positive, rng.uniform(0.3, 1), (sets, 2))
        rejected = rng.binomial(negative, rng.uniform(0.3, 1), (sets, 2))
        n, k = positive + negative, np.maximum(hit + rejected, 1)
        rejected = np.maximum(rejected, k - hit)
        by_tone, p, q = k / n, hit.sum(axis=1), rejected.sum(axis=1)
        errors = n.sum() - p - q
        digits, spread = int(rng.integers(3)), sets > 1
        scores = (
            k.sum(axis=1) / n.sum(),
            *by_tone.T,
            by_tone.min(axis=1),
            np.ptp(by_tone, axis=1),
            by_tone.min(axis=1) / by_tone.max(axis=1),
            p / positive.sum(),
            q / negative.sum(),
            2 * p / (2 * p + errors),
        )
        images = {"accuracy:A": int(n[0]), "accuracy:B": int(n[1]), "accuracy": int(n.sum())}
        sides = {"sensitivity": int(positive.sum()), "specificity": int(negative.sum())}
        known = ({}, images, images | sides, sides, {"f1": int(n.sum())})[int(rng.integers(5))]
        # Bounds of the mean PQD from spreads by tone take a second.
        bare = {1, 2} if number else set()
        cells = enumerate(scores)
        row = " ".join(shown(x, digits, spread=spread and i not in bare) for i, x in cells)
        found = [
            f for f in findings(columns, row, images=known, sets=sets) if f.verdict == IMPOSSIBLE
        ]
        assert found == [], (row, known)


def test_columns_are_read_in_any_spelling():
    found = findings("ACCURACY Accuracy:V", "86.1 80.0", images={"accuracy": 43})
    assert {(f.column, f.test) for f in found if f.verdict == IMPOSSIBLE} == {
        ("ACCURACY", "counts behind a share")
    }


@pytest.mark.parametrize(
    "text", ["82.4 ± 1.5", "82.4±1.5%", "82.4 % ± 1.5 %", "82.4 +/- 1.5", "\N{MINUS SIGN}82.4"]
)
def test_numbers_are_read_as_papers_print_them(text):
    number = parse_reported(text)
    assert abs(number.value) == 82.4
    assert number.spread in {1.5, None}


def test_what_no_test_reads_is_said():
    said = {
        f.why
        for f in findings("accuracy pqd", "80.0 90.0", images={"pqd": 10}, totals=(400, 100_000))
    }
    assert "images of pqd are known, and no test here reads them" in said
    assert "test sets of 400 to 100000 images are not searched; up to 400 are" in said
