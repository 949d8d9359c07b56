"""Leaderboards worked out by hand: four entries at most, two tones, two seeds."""

import msgspec
import pytest

from tonegap.errors import BadRequest
from tonegap.formats.matrix import RunId, RunOutcome
from tonegap.results.leaderboard import leaderboard

RANKED = ("validation", "types", "accuracy")
LIGHT_DARK = {"I": 0.9, "VI": 0.5}


def only_table(cells, settings):
    (table,) = leaderboard(cells, settings).tables
    return table


def row_of(table, label):
    return next(r for r in table.all_rows if r.entry.label.startswith(label))


@pytest.fixture
def two_seeds(make_record, entry, cell):
    """One entry over seeds 0 and 1: accuracies are means of the two dictionaries."""

    def make(name, first, second, **options):
        e = entry(name)
        return [
            cell(make_record(e, seed, per_tone, **options))
            for seed, per_tone in enumerate((first, second))
        ]

    return make


def test_scores_are_means_over_seeds_with_their_range(two_seeds, settings):
    cells = two_seeds("none+erm", {"I": 0.9, "VI": 0.5}, {"I": 0.8, "VI": 0.7})
    scores = row_of(only_table(cells, settings), "none + erm").views[RANKED].scores
    assert [t.value for t in scores.tones] == pytest.approx([0.85, 0.6])
    assert (scores.tones[1].low, scores.tones[1].high) == (0.5, 0.7)
    assert scores.worst.value == pytest.approx(0.6)
    assert scores.gap.value == pytest.approx(0.25)  # (0.4 + 0.1) / 2
    assert scores.tones[0].n_low == scores.tones[0].n_high == 40


def test_worst_and_gap_are_those_of_the_means_over_seeds(two_seeds, settings):
    cells = two_seeds("none+erm", {"I": 0.9, "VI": 0.5}, {"I": 0.6, "VI": 0.8})
    scores = row_of(only_table(cells, settings), "none + erm").views[RANKED].scores
    # I: (0.9 + 0.6) / 2 = 0.75; VI: (0.5 + 0.8) / 2 = 0.65. Within seeds the worst would be 0.55, the gap 0.30.
    assert scores.worst.value == pytest.approx(0.65)
    assert scores.gap.value == pytest.approx(0.10)
    assert scores.worst_at == ("VI",)


def test_one_seed_has_no_range(make_record, entry, cell, settings):
    table = only_table([cell(make_record(entry("none+erm"), 0, LIGHT_DARK))], settings)
    worst = table.rows[0].views[RANKED].scores.worst
    assert (worst.value, worst.low, worst.high) == (0.5, None, None)


def test_a_score_undefined_in_one_seed_is_undefined(two_seeds, settings):
    cells = two_seeds("none+erm", LIGHT_DARK, {"I": 0.8, "VI": "VI has 2 images"})
    row = only_table(cells, settings).rows[0]
    scores = row.views[RANKED].scores
    assert scores.tones[0].value == pytest.approx(0.85)
    assert scores.tones[1].value is None
    assert scores.tones[1].reason == "seed 1: VI has 2 images"
    assert scores.worst.value is None
    assert scores.gap.value is None
    assert row.rank is None
    assert row.unranked == "undefined: seed 1: VI has 2 images"


def test_entries_rank_by_the_worst_tone_not_by_the_mean(two_seeds, settings):
    high_mean = {"I": 0.95, "VI": 0.50}
    high_worst = {"I": 0.60, "VI": 0.60}
    cells = two_seeds("none+erm", high_mean, high_mean, overall=0.8)
    cells += two_seeds("tone-shift+erm", high_worst, high_worst, overall=0.6)
    table = only_table(cells, settings)
    assert [(r.rank, r.entry.method) for r in table.rows] == [(1, "tone-shift"), (2, "none")]


def test_equal_scores_share_a_rank_and_the_next_rank_is_skipped(two_seeds, settings):
    cells = two_seeds("b+erm", LIGHT_DARK, LIGHT_DARK)
    cells += two_seeds("a+erm", LIGHT_DARK, LIGHT_DARK)
    cells += two_seeds("none+erm", {"I": 0.4, "VI": 0.3}, {"I": 0.4, "VI": 0.3})
    ranks = [(r.rank, r.entry.method) for r in only_table(cells, settings).rows]
    assert ranks == [(1, "a"), (1, "b"), (3, "none")]


def test_a_metric_where_smaller_is_better_ranks_the_smallest_first(
    two_seeds, settings, make_record
):
    cells = two_seeds("none+erm", LIGHT_DARK, LIGHT_DARK)
    cells += two_seeds("tone-shift+erm", {"I": 0.2, "VI": 0.1}, {"I": 0.2, "VI": 0.1})
    as_ece = [
        RunOutcome(
            c.id,
            msgspec.structs.replace(
                c.record, primary_metric="ece", scores=renamed(c.record.scores, "accuracy", "ece")
            ),
            None,
        )
        for c in cells
    ]
    settings = msgspec.structs.replace(settings, metrics=("ece",))
    assert [r.entry.method for r in only_table(as_ece, settings).rows] == ["tone-shift", "none"]


def renamed(scores, old, new):
    return {selection: _renamed(selected, old, new) for selection, selected in scores.items()}


def _renamed(selected, old, new):
    tables = {
        axis: msgspec.structs.replace(t, metric=tuple(new if m == old else m for m in t.metric))
        for axis, t in selected.tables.items()
    }
    return msgspec.structs.replace(selected, tables=tables)


def test_changes_are_counted_from_the_reference_seed_by_seed(two_seeds, settings):
    cells = two_seeds("none+erm", {"I": 0.9, "VI": 0.5}, {"I": 0.8, "VI": 0.6})
    cells += two_seeds("tone-shift+erm", {"I": 0.9, "VI": 0.7}, {"I": 0.8, "VI": 0.5})
    table = only_table(cells, settings)
    change = row_of(table, "tone-shift").views[RANKED].comparison
    assert change.worst.value == pytest.approx(0.05)  # (0.7 + 0.5) / 2 - (0.5 + 0.6) / 2
    assert change.worst.values == pytest.approx((0.2, -0.1))
    assert change.gap.value == pytest.approx(-0.05)  # (0.2 + 0.3) / 2 - (0.4 + 0.2) / 2
    assert row_of(table, "none + erm").views[RANKED].comparison is None
    assert "reference" in row_of(table, "none + erm").marks


def test_each_backbone_has_its_own_reference(make_record, entry, cell, settings):
    cells = [
        cell(make_record(entry("none+erm", "resnet18"), 0, {"I": 0.9, "VI": 0.5})),
        cell(make_record(entry("none+erm", "vgg16"), 0, {"I": 0.9, "VI": 0.7})),
        cell(make_record(entry("tone-shift+erm", "vgg16"), 0, {"I": 0.9, "VI": 0.8})),
    ]
    change = row_of(only_table(cells, settings), "tone-shift").views[RANKED].comparison
    assert change.worst.value == pytest.approx(0.1)


def test_without_a_reference_the_change_is_undefined(make_record, entry, cell, settings):
    table = only_table([cell(make_record(entry("tone-shift+erm"), 0, LIGHT_DARK))], settings)
    change = table.rows[0].views[RANKED].comparison
    assert change.gap.value is None
    assert change.gap.reason == "no reference entry"


def test_the_oracle_column_is_test_oracle_minus_validation(two_seeds, settings):
    cells = two_seeds("none+erm", LIGHT_DARK, LIGHT_DARK, overall=0.6, oracle_overall=0.65)
    shown = only_table(cells, settings).rows[0].views[RANKED].under_test_oracle
    assert shown.value == pytest.approx(0.05)


def test_the_cross_fitted_gain_is_the_mean_over_seeds(make_record, entry, cell, settings):
    cells = [
        cell(make_record(entry("none+erm"), seed, LIGHT_DARK, gain=gain))
        for seed, gain in enumerate((0.03, -0.05))
    ]
    found = only_table(cells, settings).rows[0].views[RANKED].cross_fitted
    assert found.value == pytest.approx(-0.01)
    assert found.values == (0.03, -0.05)


def test_an_older_record_has_no_cross_fitted_gain_and_says_so(make_record, entry, cell, settings):
    cells = [cell(make_record(entry("none+erm"), 0, LIGHT_DARK), cross_fit=None)]
    found = only_table(cells, settings).rows[0].views[RANKED].cross_fitted
    assert found.value is None
    assert "has no cross-fitted gain" in found.reason


def test_one_of_several_seeds_has_no_rank_beside_means(
    make_record, entry, cell, two_seeds, settings
):
    cells = two_seeds("none+erm", LIGHT_DARK, LIGHT_DARK)
    cells += two_seeds("tone-shift+erm", LIGHT_DARK, LIGHT_DARK)
    lucky = cell(make_record(entry("lucky+erm"), 1, {"I": 1.0, "VI": 1.0}))
    elsewhere = cell(make_record(entry("chosen+erm"), 7, {"I": 1.0, "VI": 1.0}))
    elsewhere = msgspec.structs.replace(elsewhere, submission="bundle")
    more = [cell(make_record(entry("more+erm"), s, {"I": 1.0, "VI": 1.0})) for s in (0, 1, 2)]
    sent = [msgspec.structs.replace(c, submission="predictions") for c in more]
    table = only_table([lucky, *cells, elsewhere, *sent], settings)
    assert [(r.entry.method, r.rank) for r in table.rows] == [
        ("none", 1),
        ("tone-shift", 1),
        ("chosen", None),
        ("lucky", None),
        ("more", None),
    ]
    assert [r.unranked for r in table.rows[2:]] == [
        "its seeds (7) are not those of the others (0, 1)",
        "its seeds (1) are not those of the others (0, 1)",
        "its seeds (0, 1, 2) are not those of the others (0, 1)",
    ]
    assert all("other seeds" in row.marks for row in table.rows[2:])


def test_what_is_sent_does_not_decide_which_seeds_are_usual(make_record, entry, cell, settings):
    own = cell(make_record(entry("none+erm"), 0, LIGHT_DARK))
    sent = [
        msgspec.structs.replace(
            cell(make_record(entry(f"{n}+erm"), 9, LIGHT_DARK)), submission="bundle"
        )
        for n in ("a", "b", "c")
    ]
    table = only_table([*sent, own], settings)
    assert next((r.entry.method, r.rank) for r in table.rows) == ("none", 1)
    assert {r.rank for r in table.rows[1:]} == {None}


def test_controls_are_apart_and_have_no_rank(two_seeds, settings):
    cells = two_seeds("none+erm", LIGHT_DARK, LIGHT_DARK)
    best = {"I": 1.0, "VI": 1.0}
    cells += two_seeds("none+class-prior", best, best, control=True)
    table = only_table(cells, settings)
    assert [r.entry.baseline for r in table.rows] == ["erm"]
    assert [(r.entry.baseline, r.rank) for r in table.controls] == [("class-prior", None)]
    assert table.chance["balanced_accuracy"] == 0.25  # four classes


def test_an_entry_with_a_failed_seed_is_shown_unranked_with_its_cause(
    make_record, entry, cell, hole, settings
):
    cells = [
        cell(make_record(entry("none+erm"), 0, {"I": 0.5, "VI": 0.4})),
        cell(make_record(entry("none+erm"), 1, {"I": 0.5, "VI": 0.4})),
        cell(make_record(entry("tone-shift+erm"), 0, {"I": 0.9, "VI": 0.8})),
        hole(entry("tone-shift+erm"), 1, "timeout"),
    ]
    board = leaderboard(cells, settings)
    row = row_of(board.tables[0], "tone-shift")
    assert row.rank is None
    assert row.unranked == "1 of 2 seeds missing (1 timeout)"
    assert "incomplete seeds" in row.marks
    change = row.views[RANKED].comparison.worst
    assert change.value is None
    assert change.reason == "finished seeds (0) are not those of the reference (0, 1)"
    assert [(h.cause, h.text) for h in board.holes] == [
        ("timeout", "train of baselines/erm: exit code 3 after 2 s")
    ]


def test_an_entry_that_never_ran_has_a_row_without_scores(make_record, entry, cell, hole, settings):
    cells = [
        cell(make_record(entry("none+erm"), 0, LIGHT_DARK)),
        hole(entry("tone-shift+erm"), 0),
    ]
    row = row_of(only_table(cells, settings), "tone-shift")
    assert row.views == {}
    assert row.unranked == "1 of 1 seeds missing (1 never ran)"


def test_cells_that_do_not_apply_are_no_holes(make_record, entry, cell, settings):
    apart = RunId(entry("masks+erm"), "phantom/smoke", 0, "k", False, "needs masks")
    cells = [cell(make_record(entry("none+erm"), 0, LIGHT_DARK)), RunOutcome(apart, None, None)]
    board = leaderboard(cells, settings)
    assert board.holes == ()
    assert board.n_runs == 1
    assert [n.why for n in board.not_applicable] == ["needs masks"]


def test_stand_ins_never_share_a_table_with_real_images(make_record, entry, cell, settings):
    real = make_record(entry("none+erm"), 0, LIGHT_DARK)
    stand_in = msgspec.structs.replace(real.data, stand_in=True)
    drawn = cell(make_record(entry("tone-shift+erm"), 0, {"I": 0.9, "VI": 0.9}), data=stand_in)
    tables = leaderboard([drawn, cell(real)], settings).tables
    assert [t.question.stand_in for t in tables] == [False, True]
    assert [r.entry.method for t in tables for r in t.rows] == ["none", "tone-shift"]
    assert "stand-in" in tables[1].rows[0].marks


def test_an_entry_on_other_images_than_the_rest_is_not_ranked(make_record, entry, cell, settings):
    cells = [
        cell(make_record(entry(f"{name}+erm"), 0, LIGHT_DARK)) for name in ("none", "duplicate")
    ]
    record = make_record(entry("tone-shift+erm"), 0, {"I": 0.9, "VI": 0.9})
    other = msgspec.structs.replace(record.data, images_sha256="f" * 64)
    cells.append(cell(record, data=other))
    row = row_of(only_table(cells, settings), "tone-shift")
    assert row.rank is None
    assert row.unranked == "ran on other data than most entries of the table"
    change = row.views[RANKED].comparison.worst
    assert (change.value, change.reason) == (
        None,
        "it and the reference did not run on the same data",
    )


def test_seeds_with_different_parameters_are_not_averaged_into_a_rank(
    make_record, entry, cell, settings
):
    e = entry("none+erm")
    cells = [
        cell(make_record(e, 0, LIGHT_DARK)),
        cell(make_record(e, 1, LIGHT_DARK), baseline_parameters={"epochs": 9}),
    ]
    row = only_table(cells, settings).rows[0]
    assert row.rank is None
    assert "mixed" in row.marks


def test_an_uncontained_stage_marks_the_entry(make_record, entry, cell, settings):
    record = make_record(entry("none+erm"), 0, LIGHT_DARK)
    isolation = msgspec.structs.replace(record.circumstances.isolation, contained=False)
    plain = msgspec.structs.replace(record.circumstances, isolation=isolation)
    table = only_table([cell(record, circumstances=plain)], settings)
    assert "without container" in table.rows[0].marks


def test_a_metric_between_tones_has_one_value_and_no_worst_tone(make_record, entry, cell, settings):
    table = only_table([cell(make_record(entry("none+erm"), 0, LIGHT_DARK))], settings)
    scores = table.rows[0].views["validation", "types", "pqd"].scores
    assert (scores.overall.value, scores.tones, scores.worst, scores.gap) == (0.5, (), None, None)


def test_a_metric_that_records_lack_is_undefined(make_record, entry, cell, settings):
    settings = msgspec.structs.replace(settings, metrics=("accuracy", "auc"))
    table = only_table([cell(make_record(entry("none+erm"), 0, LIGHT_DARK))], settings)
    auc = table.rows[0].views["validation", "types", "auc"].scores.overall
    assert (auc.value, auc.reason) == (None, "the record has no such score")


def test_a_cell_of_two_suites_counts_once(make_record, entry, cell, hole, settings):
    shared = cell(make_record(entry("none+erm"), 0, LIGHT_DARK))
    missing = hole(entry("tone-shift+erm"), 0, "oom")
    board = leaderboard([shared, missing, shared, missing], settings)
    assert board.n_runs == 2
    assert len(board.holes) == 1


def test_a_cell_with_two_contents_is_refused(make_record, entry, cell, settings):
    one = cell(make_record(entry("none+erm"), 0, LIGHT_DARK))
    two = RunOutcome(msgspec.structs.replace(one.id, key="another"), one.record, None)
    with pytest.raises(BadRequest, match="two runs with different content"):
        leaderboard([one, two], settings)
