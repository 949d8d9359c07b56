"""Each cache miss names the ingredient that made it."""

import pytest
from tiny_rooms import GENERATE_PY, TRAIN_PY

from tonegap.formats.record import Isolation
from tonegap.run.cost import n_images
from tonegap.run.explain import explain, why_missing
from tonegap.store.marks import StageMark

N_IS_3 = {"n": {"default": 3, "about": "images"}}


@pytest.fixture
def finished(planner):
    """Marks every stage of the plan as finished, and its cells as scored."""

    def finish():
        plan = planner.plan()
        for stage in plan.stages.values():
            with planner.store.work_folder("w") as folder:
                (folder / "out").mkdir()
                planner.store.commit_stage(folder / "out", mark_of(stage))
        for cell in plan.runs:
            planner.store.write_record(cell.id.key, b"{}")

    return finish


def mark_of(stage):
    return StageMark(
        key=stage.key,
        stage=stage.stage,
        plugin=stage.identity.plugin.label,
        ingredients=stage.ingredients,
        environment="",
        versions={},
        seconds=10.0,
        cpu_seconds=None,
        peak_memory_mib=None,
        isolation=Isolation("local", False, "none", "host", {}),
        n_images=n_images(stage),
    )


def whys(planner):
    return {miss.title: miss.why for miss in explain(planner.plan(), planner.store).misses}


GENERATE = "grey + plain, clinic/two seed 0: methods/grey generate"
TRAIN = "grey + plain, clinic/two seed 0: baselines/plain train"


def test_a_new_store_has_run_nothing(planner):
    found = explain(planner.plan(), planner.store)
    assert (found.n_runs, found.n_cached, found.cost.n_unknown) == (1, 0, 2)
    assert [(miss.title, miss.why) for miss in found.misses] == [
        (GENERATE, "it never ran on this task and seed"),
        (TRAIN, "it never ran on this task and seed"),
    ]


def test_a_complete_store_has_nothing_to_run(planner, finished):
    finished()
    found = explain(planner.plan(), planner.store)
    assert found.n_cached == 1
    assert found.lines() == ["tiny: 1 run, 1 cached", "nothing to run"]


def test_a_parameter_is_named_with_both_values(planner, finished):
    finished()
    planner.suite(parameters={"methods/grey": {"n": 4}})
    assert whys(planner) == {
        GENERATE: "parameters.n was 3, is 4",
        TRAIN: "upstream changed",
    }


def test_a_changed_plug_in_is_named_and_its_own_stage_alone_misses(planner, finished):
    finished()
    planner.rooms.baseline("plain", TRAIN_PY + "\n# another line\n")
    assert whys(planner) == {TRAIN: "plug-in changed"}


def test_changed_training_images_are_named(planner, finished):
    finished()
    view = planner.plan().runs[0].view
    (planner.download / f"{view.train.ids[0]}.png").write_bytes(
        (planner.download / f"{view.train.ids[1]}.png").read_bytes()
    )
    assert whys(planner)[GENERATE] == "training images changed"


def test_a_removed_result_is_said_to_be_removed(planner, finished):
    finished()
    cell = planner.plan().runs[0]
    planner.store.record_path(cell.id.key).unlink()
    (planner.store.stage_folder(cell.stages[1]) / "stage.json").unlink()
    assert whys(planner) == {TRAIN: "its result was removed from the store"}


def test_a_new_and_a_dropped_parameter_are_named(planner, finished):
    planner.rooms.baseline("plain", parameters={"old": {"default": 1, "about": "x"}})
    finished()
    planner.rooms.baseline("plain", parameters={"new": {"default": 1, "about": "x"}})
    why = whys(planner)[TRAIN]
    assert why == "parameters.new is new; parameters.old is gone; plug-in changed"


def test_cells_whose_stages_are_done_are_only_to_be_scored(planner, finished):
    finished()
    planner.store.record_path(planner.plan().runs[0].id.key).unlink()
    lines = explain(planner.plan(), planner.store).lines()
    assert lines == ["tiny: 1 run, 0 cached", "nothing to run; 1 run to score"]


def test_the_estimate_is_what_the_same_work_took(planner, finished):
    finished()
    planner.rooms.method("grey", f"{GENERATE_PY}# more", parameters=N_IS_3)
    found = explain(planner.plan(), planner.store)
    assert (found.cost.total("seconds"), found.cost.n_unknown) == (20.0, 0)
    assert found.lines()[-1].startswith("2 stages to run, about 20 s of work, ")
    assert found.lines()[-1].endswith("memory unknown, about 1 MiB of disk")


def test_what_another_seed_took_is_the_same_work(planner, finished):
    """Other images of the same number, so another key of every stage."""
    finished()
    planner.suite(seeds=[0, 1])
    found = explain(planner.plan(), planner.store)
    assert [miss.why for miss in found.misses] == ["it never ran on this task and seed"] * 2
    assert (found.cost.total("seconds"), found.cost.n_unknown) == (20.0, 0)


@pytest.mark.parametrize(
    "fields", [{"parameters": {"methods/grey": {"n": 400}}}, {"subset": 8}, {"threads": 2}]
)
def test_another_seed_of_another_size_is_not_the_same_work(planner, finished, fields):
    finished()
    planner.suite(seeds=[1], **fields)
    found = explain(planner.plan(), planner.store)
    assert (found.cost.total("seconds"), found.cost.n_unknown) == (None, 2)


@pytest.mark.parametrize(
    "fields", [{"parameters": {"methods/grey": {"n": 400}}}, {"subset": 8}, {"threads": 2}]
)
def test_work_of_another_size_is_not_taken_for_what_ran(planner, finished, fields):
    """The trainer's own work is what it was, and yet what it is given is not."""
    finished()
    planner.suite(**fields)
    found = explain(planner.plan(), planner.store)
    assert (found.cost.total("seconds"), found.cost.n_unknown) == (None, 2)


def test_a_trainer_alone_is_known_where_what_it_is_given_did_not_change(planner, finished):
    finished()
    planner.rooms.baseline("plain", TRAIN_PY + "\n# another line\n")
    assert explain(planner.plan(), planner.store).cost.total("seconds") == 10.0


def test_a_hole_is_listed_with_its_reason(planner):
    planner.rooms.baseline("picky", needs=["gpu"])
    planner.suite(method="none", baseline="picky")
    found = explain(planner.plan(), planner.store)
    assert found.misses == ()
    assert found.lines()[1] == (
        "not applicable: none + picky on clinic/two seed 0: "
        "baselines/picky needs a GPU; this run uses the CPU"
    )


def test_why_missing_without_any_difference(planner):
    stage = planner.stages()["train"]
    assert why_missing(stage, dict(stage.ingredients)) == "its result was removed from the store"


def test_a_reason_that_stages_share_is_said_once_and_no_time_is_made_up(planner):
    assert explain(planner.plan(), planner.store).lines()[1:] == [
        f"would run: {GENERATE}",
        f"would run: {TRAIN}",
        "    because it never ran on this task and seed",
        "2 stages to run, cost unknown: nothing like them ever ran here, and no rate is declared that holds",
    ]
    shown = explain(planner.plan(), planner.store).as_json()
    numbers = [value for name, value in shown.items() if name.startswith("estimated_")]
    assert numbers == [None] * 5
