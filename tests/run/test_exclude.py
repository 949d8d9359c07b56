"""`--exclude`: the published task without the images of a user's list, reported apart and marked with the list."""

import csv
import io
import json

import pytest

TWO_ENTRIES = [{"methods": ["none", "grey"], "baselines": ["plain"]}]


@pytest.fixture
def where(planner):
    return ("--suite-root", planner.rooms.root, "--root", planner.download)


def parts_of(planner):
    """Ids of each partition that are used, before anything is left out."""
    view = planner.plan().cells[0].view
    return {name: rows.ids for name, rows in view.partitions.items()}


def listing(path, *ids):
    path.write_text("\n".join(ids) + "\n")
    return path


def test_listed_images_are_unused_and_counted_by_partition(planner, tonegap, tmp_path, where):
    parts = parts_of(planner)
    gone = (*parts["train"][:2], parts["test"][0])
    errors = listing(tmp_path / "errors.txt", *gone, "nobody", f"{parts['train'][0]}.png")
    assert tonegap("split", "clinic/two", *where, "--exclude", errors) == 0, tonegap.err
    rows = dict(list(csv.reader(io.StringIO(tonegap.out)))[1:])
    assert {i for i in (i for of in parts.values() for i in of) if rows[i] == "unused"} == set(gone)
    assert (
        "left out by errors.txt: 2 train, 1 test; 1 of 5 listed ids is none of the data set's"
        in tonegap.err
    )


def test_a_table_may_name_the_ids_in_the_column_of_the_data_set(planner, tonegap, tmp_path, where):
    one = parts_of(planner)["test"][0]
    path = tmp_path / "list.csv"
    path.write_text(f"reason,image_id\noff topic,{one}\n")
    assert tonegap("split", "clinic/two", *where, "--exclude", path) == 0, tonegap.err
    assert "left out by list.csv: 1 test\n" in tonegap.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("nobody\nnothing\n", "none of 2 listed ids is one of"),
        ("a,b\n1,2\n", "no column image_id"),
    ],
)
def test_a_list_of_nothing_is_one_sentence(content, words, planner, tonegap, tmp_path, where):
    path = tmp_path / "list.txt"
    path.write_text(content)
    for command in (("split", "clinic/two"), ("plan", "tiny"), ("data", "check", "clinic")):
        assert tonegap(*command, *where, "--exclude", path) == 2
        assert words in tonegap.err
        assert tonegap.err.count("\n") == 1


def test_a_list_that_empties_a_partition_is_refused(planner, tonegap, tmp_path, where):
    path = listing(tmp_path / "all.txt", *parts_of(planner)["test"])
    assert tonegap("plan", "tiny", *where, "--exclude", path) == 2
    assert "without the listed images there is no test image left" in tonegap.err


def test_a_pin_is_never_of_what_a_list_leaves(planner, tonegap, tmp_path, where):
    path = listing(tmp_path / "one.txt", parts_of(planner)["test"][0])
    assert tonegap("split", "clinic/two", *where, "--exclude", path, "--pin") == 2
    assert "a pin is of the whole split" in tonegap.err


def test_data_check_says_what_a_list_takes_of_each_task(planner, tonegap, tmp_path, where):
    one = parts_of(planner)["train"][0]
    path = listing(tmp_path / "one.txt", one)
    (planner.download / f"{one}.png").unlink()
    assert tonegap("data", "check", "clinic", *where) == 2
    assert tonegap("data", "check", "clinic", *where, "--exclude", path) == 0, tonegap.out
    assert "left out by one.txt: 1 train" in tonegap.out


def test_results_without_a_list_stand_apart_and_say_so(planner, tonegap, tmp_path):
    store = ("--suite-root", planner.rooms.root, "--store", planner.store.folder)
    roots = ("--root", planner.download, "--jobs", 1)
    planner.rooms.suite(tasks=["clinic/two"], entries=TWO_ENTRIES)
    path = listing(tmp_path / "errors.txt", *parts_of(planner)["train"][:3])
    assert tonegap("run", "tiny", *store, *roots) == 0, tonegap.err
    assert tonegap("run", "tiny", *store, *roots, "--exclude", path) == 0, tonegap.err
    assert tonegap("plan", "tiny", *store, *roots, "--exclude", path) == 0
    assert "nothing to run" in tonegap.out
    assert tonegap("report", *store, "--format", "json") == 0
    tables = json.loads(tonegap.out)["tables"]
    assert [len(table["question"]["exclusions"]) for table in tables] == [0, 1]
    assert tables[1]["rows"][0]["marks"].count("excluded") == 1
    (name,) = (p.name for p in (planner.store.folder / "suites").iterdir() if "without" in p.name)
    assert tonegap("report", name.removesuffix(".json"), *store, "--format", "md") == 0
    assert "left out by errors.txt: 3 train" in tonegap.out
    assert "clinic/two \\[without errors.txt" in tonegap.out
