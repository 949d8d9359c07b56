"""Entries on features in half precision have a rank where they rank as in single precision."""

import msgspec
import pytest
from records import plain_record

from tonegap.formats.record import BankId, EntryId
from tonegap.results.half_precision import half_checked
from tonegap.results.model import Row, SeedResult


def row(baseline, precision, variant=""):
    entry = EntryId("none", baseline, "net", variant)
    bank = BankId("net", {"precision": precision}) if precision else msgspec.UNSET
    record = plain_record(entry=entry, bank=bank)
    return Row(entry, False, (SeedResult(0, "k", record, None),), (), {}, None, None)


def unranked(places):
    """Why each row of (baseline, precision) has no rank, given the places of scores."""
    rows = {key: row(*key, variant="half" if key[1] == "fp16" else "") for key in places}
    of = {made.entry: places[key] for key, made in rows.items()}
    found = half_checked(list(rows.values()), lambda one: of[one.entry])
    return [made.unranked for made in found]


def test_the_same_order_in_both_keeps_every_rank():
    assert (
        unranked({("a", "fp32"): 1, ("b", "fp32"): 2, ("a", "fp16"): 3, ("b", "fp16"): 4})
        == [None] * 4
    )


@pytest.mark.parametrize("places", [(4, 3), (3, 3)])
def test_another_order_or_a_tie_takes_the_ranks_of_half_precision_alone(places):
    found = unranked(
        {("a", "fp32"): 1, ("b", "fp32"): 2, ("a", "fp16"): places[0], ("b", "fp16"): places[1]}
    )
    assert found[:2] == [None, None]
    assert all("rank otherwise" in why for why in found[2:])


def test_half_precision_without_its_twin_has_no_rank():
    (why, other) = unranked({("a", "fp16"): 1, ("b", ""): 2})
    assert "not in the table" in why
    assert other is None
