"""Entries on features in half precision have a rank where they rank as in single precision."""

import msgspec
import pytest
from records import plain_record
from tests.results.test_ranking import said

from tonegap.formats.record import BankId, EntryId
from tonegap.results.half_precision import half_checked
from tonegap.results.leaderboard import leaderboard
from tonegap.results.model import Row, SeedResult


def row(baseline, precision, variant="", post="", k=1):
    entry = EntryId("none", baseline, "net", variant, post)
    bank = BankId("net", {"precision": precision}) if precision else msgspec.UNSET
    told = {"k": k, "precision": precision} if precision else {"k": k}
    record = plain_record(entry=entry, bank=bank, baseline_parameters=told)
    return Row(entry, False, (SeedResult(0, "k", record, None),), (), {}, None, None)


def unranked(places):
    """Why each row of (baseline, precision, and more of `row`) has no rank, given the places of scores."""
    rows = {key: row(key[0], key[1], f"{i}", *key[2:]) for i, key in enumerate(places)}
    of = {made.entry: places[key] for key, made in rows.items()}
    found = half_checked(list(rows.values()), lambda one: of[one.entry])
    return [made.unranked for made in found]


def test_the_same_order_in_both_keeps_every_rank():
    assert (
        unranked({("a", "fp32"): 1, ("b", "fp32"): 3, ("a", "fp16"): 2, ("b", "fp16"): 4})
        == [None] * 4
    )


@pytest.mark.parametrize("places", [(4, 3), (3, 3)])
def test_another_order_or_a_tie_takes_the_ranks_of_half_precision_alone(places):
    found = unranked(
        {("a", "fp32"): 1, ("b", "fp32"): 2, ("a", "fp16"): places[0], ("b", "fp16"): places[1]}
    )
    assert found[:2] == [None, None]
    assert all("ranks otherwise" in why for why in found[2:])


def test_half_precision_without_its_twin_has_no_rank():
    (why, other) = unranked({("a", "fp16"): 1, ("b", ""): 2})
    assert "not in the table" in why
    assert other is None


def test_one_entry_alone_keeps_its_place_among_all_others_or_has_none():
    # Fifth in single precision, behind one in single precision and one on images.
    others = {("b", "fp32"): 3, ("c", ""): 4, ("a", "fp32"): 5}
    assert unranked({("a", "fp16"): 6} | others) == [None] * 4
    for place in (1, 3, 4):
        why, *rest = unranked({("a", "fp16"): place} | others)
        assert "ranks otherwise among the others" in why
        assert rest == [None] * 3


def test_a_twin_has_the_same_post_processor_and_the_same_parameters():
    whole = {("a", "fp32"): 1, ("a", "fp32", "temperature"): 3, ("a", "fp32", "", 5): 5}
    half = {("a", "fp16"): 2, ("a", "fp16", "temperature"): 4, ("a", "fp16", "", 5): 6}
    assert unranked(whole | half) == [None] * 6
    for strange in (("a", "fp16", "reject-option"), ("a", "fp16", "", 9)):
        *rest, why = unranked(whole | half | {strange: 7})
        assert "not in the table" in why
        assert rest == [None] * 6


def test_a_twin_without_a_place_leaves_nothing_to_compare_with():
    found = unranked({("a", "fp32"): None, ("b", "fp32"): None, ("a", "fp16"): 2, ("b", "fp16"): 1})
    assert found[:2] == [None, None]
    assert all("no rank to compare with" in why for why in found[2:])


def test_a_row_that_has_no_place_keeps_its_own_reason():
    assert unranked({("a", "fp16"): None, ("b", ""): 1}) == [None, None]


def test_what_is_unranked_frees_its_rank_in_the_table(make_record, entry, cell, settings):
    def told(name, precision, score, variant=""):
        bank = BankId("net", {"precision": precision})
        named = entry(name, variant=variant)
        return cell(make_record(named, 0, {"I": score, "VI": score}, score), bank=bank)

    def ranks(half):
        whole = [told("none+a", "fp32", 0.5), told("none+b", "fp32", 0.7)]
        cells = [*whole, told("none+a", "fp16", half, "half")]
        rows = leaderboard(cells, settings, None).tables[0].rows
        return {(row.entry.baseline, row.entry.variant): row.rank for row in rows}

    assert ranks(0.6) == {("b", ""): 1, ("a", "half"): 2, ("a", ""): 3}
    assert ranks(0.8) == {("b", ""): 1, ("a", ""): 2, ("a", "half"): None}


def test_places_are_those_of_what_ranks(make_record, entry, cell, settings):
    """As measured three have .3 on their worst tone; shrunken, "b" lies between the twin and its half."""
    few = msgspec.structs.replace(settings, min_rank_support=100)
    right = {"": (5, 3), "b": (7, 3), "half": (8, 3), "c": (9, 8)}

    def placed(half):
        cells = []
        for name, (light, dark) in right.items():
            own = entry(f"none+{name if name in 'bc' and name else 'a'}", variant=name)
            bank = BankId("net", {"precision": half if name == "half" else "fp32"})
            tones = {"I": light / 10, "VI": dark / 10}
            cells.append(cell(make_record(own, 0, tones, (light + dark) / 20), bank=bank))
        board = leaderboard(cells, few, lambda record: said(right[record.entry.variant]))
        assert board.tables[0].ranking.by == "shrunken_worst"
        return {row.entry.variant: row.rank for row in board.tables[0].rows}

    assert placed("fp32") == {"c": 1, "half": 2, "b": 3, "": 4}
    assert placed("fp16") == {"c": 1, "b": 2, "": 3, "half": None}
