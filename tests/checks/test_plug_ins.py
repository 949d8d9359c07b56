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


STRENGTH = {"strength": {"default": 0.5, "about": "how much", "choices": [0.5, 1.0]}}


def problems_of_post_processors(rooms, task=TASK, needs=(), **fields):
    """Of a suite with a post-processor `mild` behind its only entry."""
    rooms.baseline("plain")
    rooms.method("none")
    rooms.postprocessor("mild", parameters=STRENGTH, needs=list(needs))
    row = {"methods": ["none"], "baselines": ["plain"], "postprocessors": ["none", "mild"]}
    own = {"postprocessor_parameters": fields.pop("own", {})}
    rooms.suite(tasks=["clinic/two"], entries=[row | own], **fields)
    return problems(rooms, task)


def test_a_suite_with_a_post_processor_has_no_problem(rooms):
    assert problems_of_post_processors(rooms, needs=["two_classes"]) == []


def test_a_parameter_that_a_post_processor_lacks_is_named(rooms):
    assert problems_of_post_processors(rooms, own={"strenght": 1.0}) == [
        "benchmarks/suites/tiny.toml: postprocessors/mild has no parameter 'strenght' (did you mean 'strength'?); it "
        "has: strength"
    ]
    (said,) = problems_of_post_processors(rooms, own={"strength": 0.7})
    assert said.endswith("postprocessors/mild strength: found 0.7, wanted one of 0.5, 1.0")
    (said,) = problems_of_post_processors(rooms, parameters={"postprocessors": {"strenght": 1.0}})
    assert said == (
        "benchmarks/suites/tiny.toml: parameters.postprocessors: no plug-in of this suite has a parameter 'strenght' "
        "(did you mean 'strength'?); there are: strength"
    )


def test_a_post_processor_that_is_not_there_is_named(rooms):
    rooms.baseline("plain")
    rooms.method("none")
    rooms.postprocessor("mild")
    row = {"methods": ["none"], "baselines": ["plain"], "postprocessors": ["midl"]}
    rooms.suite(tasks=["clinic/two"], entries=[row])
    (said,) = problems(rooms)
    assert "postprocessor 'midl'" in said
    assert "mild" in said.partition("'midl'")[2]


def test_a_post_processor_whose_needs_no_task_of_its_row_meets_is_named(rooms):
    three = TASK.replace('"folliculitis"]', '"folliculitis", "wart"]')
    assert problems_of_post_processors(rooms, three, needs=["two_classes"]) == [
        "benchmarks/suites/tiny.toml: postprocessors/mild needs two classes, one of them positive; clinic/two has 3 "
        "and 1"
    ]
    none_positive = TASK.replace('positive = ["basal cell carcinoma"]', "positive = []")
    (said,) = problems_of_post_processors(rooms, none_positive, needs=["two_classes"])
    assert said.endswith("clinic/two has 2 and 0")


def test_a_search_space_of_what_is_not_searched_is_named(rooms):
    rooms.postprocessor("mild", parameters=STRENGTH, search={"strength": {"choices": [0.5, 1.0]}})
    assert problems(rooms) == [
        "postprocessors/mild/postprocessor.toml: search: `tonegap search` draws parameters of baselines, and none of a "
        "postprocessor, which is fitted on the very validation images that would choose among its draws; name each "
        "value in a row of its own, with a `variant`"
    ]
