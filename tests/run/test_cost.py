"""What a plan costs: what is not known of a stage never counts as nothing."""

import json

import msgspec
import pytest

from tonegap.declared.rates import RATES, read_rates
from tonegap.errors import BadSuiteFolder
from tonegap.formats.record import Isolation
from tonegap.run.cost import ExpectedCost, PlanCost, declared_cost
from tonegap.run.explain import explain
from tonegap.store.marks import StageMark

RATE = """
[[rates]]
stages = ["methods/grey generate"]
measured_on = "a desk"
source = "measured: by hand"
"""


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (
            [ExpectedCost(0.2, 3, 5)],
            "about 1 s of work, up to 3 MiB in one stage, about 1 MiB of disk",
        ),
        (
            [ExpectedCost(600, 1161.4, 2 * 2**20), ExpectedCost(0.0, 10.0, 2**20)],
            "about 10 min of work, up to 1,161 MiB in one stage, about 3 MiB of disk",
        ),
        (
            [ExpectedCost(18_000, 20_480, 2**30), ExpectedCost(18_000, 9.0, 2**30, "cuda")],
            "about 10.0 h of work, 5.0 GPU hours, up to 20,480 MiB in one stage, about 2,048 MiB of disk",
        ),
        (
            [ExpectedCost(3600, device="cuda", gpus=4), ExpectedCost(3600, device="cuda")],
            "about 2.0 h of work, 5.0 GPU hours, memory unknown, disk unknown",
        ),
        (
            [ExpectedCost(60, device="cuda")],
            "about 60 s of work, 0.1 GPU hours, memory unknown, disk unknown",
        ),
        (
            [ExpectedCost(disk_bytes=2**20, device="cuda", sources=("x",)), ExpectedCost(30)],
            "at least 30 s of work, GPU hours unknown, memory unknown, at least 1 MiB of disk, "
            "1 of them by declared rates",
        ),
        (
            [ExpectedCost(3600, 7.0, 2**20, "cuda"), ExpectedCost(device="cuda")],
            "at least 60 min of work, at least 1.0 GPU hours, at least 7 MiB in one stage, at least 1 MiB of disk, "
            "1 of them unknown: nothing like them ever ran here",
        ),
        (
            [ExpectedCost(30, 7.0, 2**20), ExpectedCost()],
            "at least 30 s of work, at least 7 MiB in one stage, at least 1 MiB of disk, "
            "1 of them unknown: nothing like them ever ran here",
        ),
        (
            [ExpectedCost(), ExpectedCost()],
            "cost unknown: nothing like them ever ran here, and no rate is declared that holds",
        ),
    ],
)
def test_a_cost_is_said_with_its_units_and_what_is_unknown_is_said_to_be(stages, words):
    assert PlanCost(tuple(stages)).words == words


@pytest.fixture
def cost(planner):
    """The cost of the stage `generate` of method `grey` (n = 3) by rates: of 12 images, two classes, six tones."""

    def of(*rates, device="cpu"):
        if rates:
            planner.rooms.write(RATES.as_posix(), "".join(RATE + own for own in rates))
        stage = planner.stages()["generate"]
        stage = type(stage)(**{n: getattr(stage, n) for n in stage.__slots__} | {"device": device})
        return declared_cost(stage, read_rates(planner.rooms.root))

    return of


def test_units_are_counts_times_parameters_and_parts_add_up(cost):
    found = cost(
        'per = ["images", "n"]\nseconds = 2.0\ndisk_mib = 0.25',
        'per = ["classes", "tones"]\nseconds = 0.5\nmemory_mib = 300',
        "seconds = 7\nmemory_mib = 200",
    )
    assert found.seconds == 12 * 3 * 2.0 + 2 * 6 * 0.5 + 7
    assert found.disk_bytes == 12 * 3 * 2**18
    assert found.peak_memory_mib == 300
    assert found.sources == ("methods/grey generate: measured: by hand (a desk)",)


def test_a_part_that_the_stage_does_not_have_costs_nothing(cost):
    assert cost("seconds = 7", "seconds = 9\nonly_with = { n = 4 }").seconds == 7


def test_a_part_of_which_the_rate_does_not_hold_leaves_the_whole_unknown(cost):
    found = cost("seconds = 7", "seconds = 9\nholds_with = { n = 4 }", "disk_mib = 1")
    assert (found.seconds, found.peak_memory_mib, found.disk_bytes) == (None, None, 2**20)


def test_a_rate_is_of_one_device_or_of_either(cost):
    rates = ('device = "cuda"\nseconds = 7', "disk_mib = 1")
    assert (cost(*rates).seconds, cost(*rates).disk_bytes) == (None, 2**20)
    assert cost(*rates, device="cuda").seconds == 7


def test_nothing_declared_is_nothing_known(cost):
    assert not cost().is_known


def test_the_plan_names_the_rates_behind_it(planner):
    planner.rooms.write(RATES.as_posix(), RATE + "seconds = 7\n")
    found = explain(planner.plan(), planner.store, read_rates(planner.rooms.root))
    assert found.lines()[-2:] == [
        "by a declared rate: methods/grey generate: measured: by hand (a desk)",
        "2 stages to run, at least 7 s of work, memory unknown, disk unknown, 1 of them by declared rates, "
        "1 of them unknown: nothing like them ever ran here",
    ]
    shown = json.loads(msgspec.json.encode(found.as_json()))
    assert (shown["estimated_seconds"], shown["estimated_gpu_seconds"]) == (7.0, None)
    assert shown["declared_rates"] == ["methods/grey generate: measured: by hand (a desk)"]


def test_what_ran_here_counts_before_what_is_declared(planner):
    stage = planner.stages()["generate"]
    walls = Isolation("local", False, "none", "host", {})
    mark = StageMark(
        stage.key, stage.stage, "methods/grey", stage.ingredients, "", {}, 10.0, None, None, walls
    )
    with planner.store.work_folder("w") as folder:
        (folder / "out").mkdir()
        planner.store.commit_stage(folder / "out", mark)
    planner.store.stage_folder(stage.key).joinpath("stage.json").unlink()
    planner.rooms.write(RATES.as_posix(), RATE + "seconds = 7\n")
    rates = read_rates(planner.rooms.root)
    found = explain(planner.plan(), planner.store, rates)
    assert (found.cost.seconds, found.cost.sources) == (10.0, ())
    planner.suite(parameters={"methods/grey": {"n": 4}})
    assert explain(planner.plan(), planner.store, rates).cost.seconds == 7.0


def test_no_rate_is_in_a_key(planner):
    before = planner.keys()
    planner.rooms.write(RATES.as_posix(), RATE + "seconds = 7\n")
    assert planner.keys() == before


def test_a_rate_of_what_the_plug_in_lacks_is_refused(cost):
    with pytest.raises(BadSuiteFolder, match=r"rates.toml: per: 'm' is no count and no number of"):
        cost('per = ["m"]\nseconds = 7')
