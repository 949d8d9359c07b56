"""`--subset`: the same subset of a task for every entry, cached and reported apart from the whole one."""

import json

import pytest

from tonegap.declared.suite import read_suite, with_subset

TWO_ENTRIES = [{"methods": ["none", "grey"], "baselines": ["plain"]}]


def views(planner):
    return [cell.view for cell in planner.plan().runs]


def n_images(view):
    return sum(len(rows.ids) for rows in view.partitions.values())


def test_a_subset_thins_every_partition_and_says_so(planner):
    (whole,) = views(planner)
    planner.suite(subset=12)
    (thin,) = views(planner)
    assert (n_images(whole), n_images(thin)) == (24, 12)
    assert (whole.data.subset, thin.data.subset) == (None, 12)
    for name, rows in thin.partitions.items():
        assert 0 < len(rows.ids) < len(whole.partitions[name].ids)


def test_all_entries_and_seeds_of_a_split_share_the_subset(planner):
    planner.rooms.suite(tasks=["clinic/two"], entries=TWO_ENTRIES, seeds=[0], subset=12)
    one, other = views(planner)
    assert one.train.ids == other.train.ids


def test_every_stage_that_sees_other_images_has_another_key(planner):
    before = planner.keys()
    planner.suite(subset=12)
    after = planner.keys()
    assert all(before[name] != after[name] for name in before)


def test_a_subset_of_all_images_is_the_whole_task(planner):
    before = planner.keys()
    planner.suite(subset=24)
    assert planner.keys() == before
    assert views(planner)[0].data.subset is None


def test_images_outside_of_the_subset_may_be_missing(planner):
    planner.suite(subset=12)
    used = {i for rows in views(planner)[0].partitions.values() for i in rows.ids}
    unused = next(path for path in sorted(planner.download.glob("*.png")) if path.stem not in used)
    unused.unlink()
    assert views(planner)[0].data.missing == {}


def test_the_option_gives_the_suite_a_name_of_its_own(planner):
    suite = with_subset(read_suite(planner.rooms.root, "tiny"), 12)
    assert (suite.id, suite.file.subset) == ("tiny-subset-12", 12)
    assert suite.file.title.endswith("[subset of 12 images]")


@pytest.mark.parametrize("value", ["0", "-3", "many", "1.5"])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_wrong_subset_is_one_sentence(planner, tonegap, command, value):
    assert tonegap(command, "tiny", "--suite-root", planner.rooms.root, "--subset", value) == 2
    assert tonegap.err.startswith("error: ")
    assert tonegap.err.count("\n") == 1
    assert "--subset" in tonegap.err


def test_a_wrong_subset_in_a_suite_file_is_named(planner, tonegap):
    planner.suite(subset=0)
    assert tonegap("plan", "tiny", "--suite-root", planner.rooms.root) == 2
    assert "subset: found 0, wanted 1 or more" in tonegap.err


def test_a_subset_runs_beside_the_whole_suite_and_ranks_apart(planner, tonegap):
    where = ("--suite-root", planner.rooms.root, "--store", planner.store.folder)
    roots = ("--root", planner.download, "--jobs", 1)
    planner.rooms.suite(tasks=["clinic/two"], entries=TWO_ENTRIES)
    assert tonegap("run", "tiny", *where, *roots) == 0, tonegap.err
    assert tonegap("run", "tiny", *where, *roots, "--subset", 12) == 0, tonegap.err
    assert tonegap("plan", "tiny", *where, *roots, "--subset", 12) == 0
    assert "nothing to run" in tonegap.out
    assert tonegap("report", *where, "--format", "json") == 0
    questions = [table["question"]["subset"] for table in json.loads(tonegap.out)["tables"]]
    assert questions == [None, 12]
    assert tonegap("report", "tiny-subset-12", *where, "--format", "md") == 0
    assert "clinic/two \\[subset of 12 images\\]" in tonegap.out
