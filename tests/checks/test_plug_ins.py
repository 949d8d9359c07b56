"""`tonegap check` names what would stop a run: columns, axes and programs that are not there."""

from tiny_rooms import CLINIC, TASK, rooms

from tonegap.checks.declared import check_declared

__all__ = ["rooms"]


def problems(rooms, task=TASK):
    rooms.write("benchmarks/clinic/dataset.toml", CLINIC)
    rooms.write("benchmarks/clinic/tasks/two.toml", task)
    return [f"{p.where}: {p.text}" for p in check_declared(rooms.root)]


def test_a_good_task_has_no_problem(rooms):
    assert problems(rooms) == []


def test_an_axis_that_the_data_set_lacks_is_named(rooms):
    assert problems(rooms, TASK.replace('axis = "tone"', 'axis = "fst"')) == [
        "benchmarks/clinic/tasks/two.toml: tones.axis: 'fst' is no tone axis of the data set; there are: tone"
    ]


def test_a_column_that_the_data_set_lacks_is_named_with_the_near_one(rooms):
    assert problems(rooms, TASK.replace('column = "half"', 'column = "halves"')) == [
        "benchmarks/clinic/tasks/two.toml: split.column: 'halves' is no column of the data set (did you mean "
        "'half'?); there are: image_id, label, tone, half"
    ]


def test_a_program_that_is_not_there_is_named(rooms):
    rooms.baseline("plain", command=["python3.99", "train.py"])
    assert problems(rooms) == [
        "baselines/plain/baseline.toml: command: 'python3.99' is no program on this machine's PATH"
    ]
