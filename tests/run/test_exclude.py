"""`--exclude`: the published task without the images of a user's list, reported apart and marked with the list."""

import csv
import io
import json
import re
from types import SimpleNamespace

import pytest
from tiny_rooms import TASK

from tonegap.data.metadata import Metadata, MetadataPart
from tonegap.errors import BadData
from tonegap.split.id_lists import IdList, listed_images

TWO_ENTRIES = [{"methods": ["none", "grey"], "baselines": ["plain"]}]


@pytest.fixture
def where(planner):
    return ("--suite-root", planner.rooms.root, "--root", planner.download)


def parts_of(planner):
    """Ids of each partition that are used, before anything is left out."""
    view = planner.plan().runs[0].view
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
    assert "none of the data set's in errors.txt: nobody\n" in tonegap.err


def test_plan_and_run_name_what_a_list_names_in_vain(planner, tonegap, tmp_path, where):
    errors = listing(tmp_path / "errors.txt", parts_of(planner)["train"][0], "nobody", "nothing")
    assert tonegap("plan", "tiny", *where, "--exclude", errors) == 0, tonegap.err
    named = "clinic/two, seed 0: none of the data set's in errors.txt: nobody, nothing\n"
    assert named in tonegap.out
    store = ("--store", planner.store.folder, "--jobs", 1)
    assert tonegap("run", "tiny", *where, *store, "--exclude", errors) == 0, tonegap.err
    assert named in tonegap.err


def test_an_image_of_unknown_tone_that_is_left_out_is_not_counted(
    planner, tonegap, tmp_path, where
):
    one, other, third = parts_of(planner)["train"][:3]
    task = TASK.replace('axis = "tone"', 'axis = "tone"\nkeep_unknown = false')
    planner.rooms.write("benchmarks/clinic/tasks/two.toml", task)
    rows = planner.download / "rows.csv"
    text = re.sub(rf"(?m)^({one}|{other}),(.*?),\w+,", r"\1,\2,,", rows.read_text())
    rows.write_text(text)
    errors = listing(tmp_path / "errors.txt", one, third)
    for command, said in (("split", "clinic/two"), ("plan", "tiny")):
        assert tonegap(command, said, *where) == 0, tonegap.err
        assert "images of unknown tone: 2 left out" in tonegap.out + tonegap.err
        assert tonegap(command, said, *where, "--exclude", errors) == 0, tonegap.err
        assert "images of unknown tone: 1 left out" in tonegap.out + tonegap.err


def joined(tmp_path):
    """Two data sets with an image `1.jpg` each, joined; the second also has `é.jpg`, the first `sub/2.png`."""
    ids = {"old": ("a1", "a2"), "new": ("b1", "b\u00e9")}
    names = {"old": ("1.jpg", "sub/2.png"), "new": ("1.jpg", "\u00e9.jpg")}
    parts = []
    for name in ids:
        file = SimpleNamespace(file_names=("{file}",), columns={"file": None})
        columns = {"file": names[name]}
        metadata = Metadata(tmp_path / name, "", "", ids[name], columns, {}, False)
        parts.append(MetadataPart(SimpleNamespace(id=name, file=file), tmp_path / name, metadata))
    every = ids["old"] + ids["new"]
    return Metadata(tmp_path / "old+new", "", "", every, {}, {}, False, parts=tuple(parts))


@pytest.mark.parametrize(
    ("name", "image_id"),
    [
        ("a1", "a1"),
        ("be\u0301", "b\u00e9"),  # an id in the other Unicode form
        ("e\u0301.JPG", "b\u00e9"),  # a file's name with another form and case
        ("old/imgs/1.jpg", "a1"),  # the folder of the joined data set decides
        ("new\\1.jpg", "b1"),
        ("images/sub/2.PNG", "a2"),
        ("1.jpg", None),  # of two data sets
        ("2.png", None),  # the name has a folder
    ],
)
def test_files_are_known_by_the_names_that_a_download_has(name, image_id, tmp_path):
    ids = IdList(tmp_path / "l.txt", "", ("a2", name))
    (found,) = listed_images([ids], None, joined(tmp_path))
    assert found.ids == {"a2", *([image_id] if image_id else [])}
    assert found.unknown == (() if image_id else (name,))


def test_a_list_of_nothing_names_its_first_three(tmp_path):
    ids = IdList(tmp_path / "l.txt", "", ("x", "y", "z", "w"))
    with pytest.raises(BadData, match=r"none of 4 listed ids .* \(first: x, y, z, …\)"):
        listed_images([ids], None, joined(tmp_path))


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
        ("a,b,c\n", "found one line of several columns; wanted ids, one per line"),
        ("image_id\n", "found no id; wanted ids, one per line or in a column image_id"),
        ("image_id;why\na;x\n", "the columns are separated by semicolons; wanted commas"),
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
