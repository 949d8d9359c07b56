"""What a plan costs: what is not known of a stage never counts as nothing."""

import json

import msgspec
import pytest
from tiny_rooms import GENERATE_PY

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
            "about 10.0 h of work, 5.0 GPU hours, GPU memory unknown, up to 20,480 MiB in one stage, "
            "about 2,048 MiB of disk",
        ),
        (
            [ExpectedCost(3600, device="cuda", gpus=4), ExpectedCost(3600, device="cuda")],
            "about 2.0 h of work, 5.0 GPU hours, GPU memory unknown, memory unknown, disk unknown",
        ),
        (
            [ExpectedCost(60, device="cuda")],
            "about 60 s of work, 0.1 GPU hours, GPU memory unknown, memory unknown, disk unknown",
        ),
        (  # of a stage on the CPU nobody asks how much of a GPU's memory it has
            [ExpectedCost(60, device="cuda", gpu_memory_mib=18_432), ExpectedCost(60, 5.0)],
            "about 2 min of work, 0.1 GPU hours, up to 18,432 MiB of a GPU in one stage, at least 5 MiB in one stage, "
            "disk unknown",
        ),
        (  # four processes, of which one had 5,000 MiB; a GPU's memory is that of each
            [
                ExpectedCost(60, 5_000, device="cuda", gpu_memory_mib=18_432).shared(4),
                ExpectedCost(60, 9_000, device="cuda", gpu_memory_mib=2_000).shared(1),
            ],
            "about 2 min of work, 0.1 GPU hours, up to 18,432 MiB of each of 4 GPUs in one stage, "
            "up to about 20,000 MiB in one stage, disk unknown",
        ),
        (  # measured with four, and to be run with two
            [ExpectedCost(3600, 20_000, 2**20, "cuda", gpus=4, gpu_memory_mib=100).shared(2)],
            "about 60 min of work, 4.0 GPU hours, up to 100 MiB of each of 2 GPUs in one stage, "
            "up to about 10,000 MiB in one stage, about 1 MiB of disk",
        ),
        (
            [ExpectedCost(600, sources=("x",), at_most=True), ExpectedCost(600)],
            "up to about 20 min of work, memory unknown, disk unknown, 1 of them by declared rates",
        ),
        (  # the most of two stages, and nothing of a third, is no lower bound
            [ExpectedCost(600, sources=("x",), at_most=True), ExpectedCost(600), ExpectedCost()],
            "up to about 20 min of work in 2 of 3 stages, memory unknown, disk unknown, 1 of them by declared rates, "
            "1 of them unknown: nothing like them ever ran here",
        ),
        (
            [ExpectedCost(disk_bytes=2**20, device="cuda", sources=("x",)), ExpectedCost(30)],
            "at least 30 s of work, GPU hours unknown, GPU memory unknown, memory unknown, at least 1 MiB of disk",
        ),
        (
            [ExpectedCost(3600, 7.0, 2**20, "cuda"), ExpectedCost(device="cuda")],
            "at least 60 min of work, at least 1.0 GPU hours, GPU memory unknown, at least 7 MiB in one stage, "
            "at least 1 MiB of disk, 1 of them unknown: nothing like them ever ran here",
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


def test_programs_read_how_many_gpus_a_memory_is_of():
    several = ExpectedCost(60, 5_000, device="cuda", gpu_memory_mib=18_432).shared(4)
    said = PlanCost((several, ExpectedCost(60, 9_000))).as_json()
    assert said["gpus_per_stage"] == 4
    assert said["estimated_gpu_memory_mib"] == 18_432
    assert said["estimated_peak_memory_mib"] == 20_000
    assert PlanCost((ExpectedCost(60, 9_000).shared(1),)).as_json()["gpus_per_stage"] == 0


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


@pytest.mark.parametrize("n", [-1, -10, float("nan")])
def test_a_number_that_cannot_be_has_no_cost(planner, cost, n):
    kind = type(n)
    planner.rooms.method("grey", GENERATE_PY, parameters={"n": {"default": kind(3), "about": "x"}})
    rate = 'per = ["images", "n"]\nseconds = 2.0\ndisk_mib = 0.25'
    assert cost(rate).seconds == 12 * 3 * 2.0
    stage = planner.stages()["generate"]
    given = {one: getattr(stage, one) for one in stage.__slots__} | {"parameters": {"n": n}}
    found = declared_cost(type(stage)(**given), read_rates(planner.rooms.root))
    assert not found.is_known
    assert found.sources == ()


def test_the_smallest_of_several_parameters_counts(planner, cost):
    parameters = {name: {"default": 5.0, "about": "x"} for name in ("ratio", "n")}
    planner.rooms.method("grey", GENERATE_PY, parameters=parameters)
    rate = 'per = ["images"]\nleast_of = ["ratio", "n"]\nat_most = true\nseconds = 2.0'
    assert (cost(rate).seconds, cost(rate).at_most) == (12 * 5 * 2.0, True)
    planner.suite(parameters={"methods/grey": {"n": 0.5}})
    assert cost(rate).seconds == 12 * 0.5 * 2.0


def test_a_rate_holds_within_its_range(cost):
    """n is 3: above the first end, up to the second."""
    assert cost("seconds = 7\nwithin = { n = [2, 3] }").seconds == 7
    assert cost("seconds = 7\nwithin = { n = [2, inf] }").seconds == 7
    assert cost("seconds = 7\nwithin = { n = [3, 9] }").seconds is None
    assert cost("seconds = 7\nwithin = { n = [0, 2.9] }").seconds is None


def test_a_rate_holds_with_any_of_a_list_and_with_a_list_as_it_is(planner, cost):
    parameters = {"n": {"default": 3, "about": "x"}, "means": {"default": [], "about": "x"}}
    planner.rooms.method("grey", GENERATE_PY, parameters=parameters)
    assert cost("seconds = 7\nholds_with = { n = [4, 3] }").seconds == 7
    assert cost("seconds = 7\nholds_with = { n = [4, 5] }").seconds is None
    assert cost("seconds = 7\nholds_with = { means = [] }").seconds == 7
    planner.suite(parameters={"methods/grey": {"means": ["tf32"]}})
    assert cost("seconds = 7\nholds_with = { means = [] }").seconds is None


def test_a_rate_for_an_asset_holds_with_its_content_and_no_other(planner, cost):
    """A copy under another name is the same work; another pipeline is not, at whatever side."""
    content, other = "a" * 64, "b" * 64
    planner.rooms.write(
        "benchmarks/assets.toml",
        f'[assets.small]\nabout = "x"\nlicence = "x"\nurl = "https://x/y.bin"\nsize = 1\nsha256 = "{content}"\n',
    )
    rate = 'seconds = 7\nholds_with = { weights = ["none", "asset:small"] }'
    weights = {"weights": {"default": "none", "about": "x", "kind": "file"}}
    planner.rooms.method("grey", GENERATE_PY, parameters=weights)
    assert cost(rate).seconds == 7
    rates = read_rates(planner.rooms.root)
    stage = planner.stages()["generate"]
    for value, seconds in ((f"mine.bin#sha256={content}", 7), (f"y.bin#sha256={other}", None)):
        given = {one: getattr(stage, one) for one in stage.__slots__}
        given["parameters"] = {"weights": value}
        assert declared_cost(type(stage)(**given), rates).seconds == seconds
    with pytest.raises(BadSuiteFolder, match="no asset 'smal'; there are: small"):
        cost('seconds = 7\nholds_with = { weights = "asset:smal" }')


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
    assert shown["missing_assets"] == []
    of = {stage["stage"].rpartition(" ")[2]: stage for stage in shown["stages"]}
    assert (of["generate"]["estimated_seconds"], of["train"]["estimated_seconds"]) == (7.0, None)
    assert of["generate"]["declared_rates"] == shown["declared_rates"]
    assert of["train"]["declared_rates"] == []


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
    assert (found.cost.total("seconds"), found.cost.sources) == (10.0, ())
    planner.suite(parameters={"methods/grey": {"n": 4}})
    assert explain(planner.plan(), planner.store, rates).cost.total("seconds") == 7.0


def test_no_rate_is_in_a_key(planner):
    before = planner.keys()
    planner.rooms.write(RATES.as_posix(), RATE + "seconds = 7\n")
    assert planner.keys() == before


def test_a_rate_of_what_the_plug_in_lacks_is_refused(cost):
    with pytest.raises(BadSuiteFolder, match=r"rates.toml: per: 'm' is no count and no number of"):
        cost('per = ["m"]\nseconds = 7')
