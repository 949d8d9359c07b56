"""What stages took: one that records share counts once, and what was not measured is not 0."""

from tonegap.formats.record import StageCost
from tonegap.results.costs import TotalCost, cost_of_stages

A, B = StageCost("train", 10.0, 9.0, 200.0), StageCost("train", 20.0, 18.0, 300.0)
BLIND = StageCost("train", 5.0, None, None)


def test_seconds_add_up_and_memory_is_the_highest():
    assert cost_of_stages([A, B]) == TotalCost(2, 30.0, 27.0, 300.0)


def test_what_was_not_measured_is_none_and_not_0():
    assert cost_of_stages([BLIND]) == TotalCost(1, 5.0, None, None)
    assert cost_of_stages([BLIND, B]) == TotalCost(2, 25.0, None, 300.0)
    assert cost_of_stages([]) == TotalCost(0, 0, None, None)
