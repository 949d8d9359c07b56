"""What is drawn for whom: equal numbers, declared spaces, always the same values."""

import pytest

from tonegap.declared.plugin import read_plugin
from tonegap.declared.suite import plugins_of, read_suite
from tonegap.declared.suite_toml import suite_toml
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.run.search.draws import draws_suite, searched, tuned_suite


def labelled(suite):
    return {plugin.label: plugin for plugin in plugins_of(suite)}


def found(clinic, n_draws=6, seed=0):
    suite = read_suite(clinic.rooms.root, "tiny")
    return searched(suite, labelled(suite), n_draws, seed).draws


def test_every_baseline_but_controls_gets_the_same_number_of_draws(clinic):
    assert {name: len(draws) for name, draws in found(clinic).items()} == {"first": 6, "second": 6}


def test_draw_0_is_what_the_suite_says(clinic):
    assert [draws[0] for draws in found(clinic).values()] == [{}, {}]


def test_values_lie_in_the_declared_spaces(clinic):
    values = found(clinic, n_draws=60)["first"][1:]
    assert all(0.001 <= v["rate"] <= 1 for v in values)
    assert {v["layers"] for v in values} == {1, 2, 3, 4}
    assert {v["way"] for v in values} == {"a", "b"}
    # On a log scale a third of the draws lies in each decade.
    assert 10 <= sum(v["rate"] < 0.01 for v in values) <= 30


def test_draws_follow_from_the_seed(clinic):
    assert found(clinic) == found(clinic)
    assert found(clinic, seed=1)["first"][1] != found(clinic)["first"][1]


def test_more_draws_keep_the_first_ones(clinic):
    assert found(clinic, n_draws=9)["first"][:6] == found(clinic)["first"]


def test_what_a_row_fixes_is_not_drawn(clinic):
    row = {"methods": ["none"], "baselines": ["first"], "baseline_parameters": {"rate": 0.5}}
    clinic.suite(entries=[row])
    assert {name for values in found(clinic)["first"][1:] for name in values} == {"layers", "way"}


def test_nothing_to_draw_is_a_wrong_request(clinic):
    clinic.suite(entries=[{"methods": ["none"], "baselines": ["plain", "chance"]}])
    with pytest.raises(BadRequest, match=r"\[search.NAME\]"):
        found(clinic)


def test_shared_spaces_reach_every_baseline_that_takes_the_file(clinic):
    clinic.rooms.write(
        "baselines/all.toml",
        '[parameters.rate]\ndefault = 0.1\nabout = "a rate"\n[search.rate]\nuniform = [0, 1]\n',
    )
    clinic.rooms.baseline("taking", parameters_from="all.toml")
    assert set(read_plugin(clinic.rooms.root, "baseline", "taking").file.search) == {"rate"}


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({"rat": {"uniform": [0, 1]}}, "search.rat: no such parameter"),
        ({"rate": {}}, "search.rate: found nothing, wanted one of"),
        ({"rate": {"uniform": [0, 1], "choices": [0.1]}}, "found uniform, choices"),
        ({"rate": {"integers": [1, 2]}}, "wanted choices"),
        ({"rate": {"uniform": [1, 0]}}, "wanted a smaller and a larger number"),
        ({"rate": {"log_uniform": [0, 1]}}, "wanted a smaller and a larger number"),
        ({"way": {"choices": ["a", "z"]}}, "choices: found 'z'"),
        ({"layers": {"choices": []}}, "choices: found none"),
    ],
)
def test_a_wrong_space_is_named(clinic, space, text):
    clinic.rooms.baseline("first", parameters=clinic.parameters, search=space)
    with pytest.raises(BadSuiteFolder, match=text):
        read_plugin(clinic.rooms.root, "baseline", "first")


def test_a_suites_parameter_of_what_no_draw_uses_is_left_out_and_a_misspelt_one_is_not(clinic):
    given = {"baselines": {"rate": 0.2, "raet": 1}, "baselines/chance": {}, "methods": {}}
    clinic.suite(parameters=given)
    suite = read_suite(clinic.rooms.root, "tiny")
    plugins = labelled(suite)
    made = draws_suite(suite, searched(suite, plugins, 2, 0), plugins)
    assert made.file.parameters["baselines"] == {"rate": 0.2, "raet": 1}
    assert {row.variant for row in made.file.entries} == {"draw-0", "draw-1"}
    assert made.id == "tiny-search"


def test_post_processors_are_left_out_of_the_draws_and_kept_in_the_tuned_suite(clinic, tmp_path):
    strength = {"strength": {"default": 0.5, "about": "how much"}}
    clinic.rooms.postprocessor("mild", parameters=strength)
    row = {"methods": ["none"], "baselines": ["first"], "postprocessors": ["none", "mild"]}
    own = {"postprocessor_parameters": {"strength": 1.0}}
    clinic.suite(entries=[row | own], parameters={"postprocessors": {"strength": 0.25}})
    suite = read_suite(clinic.rooms.root, "tiny")
    plugins = labelled(suite)
    made = draws_suite(suite, searched(suite, plugins, 2, 0), plugins)
    assert [row.postprocessors for row in made.file.entries] == [(), ()]
    assert made.file.parameters["postprocessors"] == {}
    (tuned,) = tuned_suite(suite, {"first": {"rate": 0.5}}).file.entries
    assert (tuned.postprocessors, tuned.postprocessor_parameters) == (
        ("none", "mild"),
        {"strength": 1.0},
    )


def test_a_tuned_suite_has_the_chosen_values_where_a_row_fixes_no_other(clinic, tmp_path):
    fixed = {
        "methods": ["none"],
        "baselines": ["first"],
        "variant": "b",
        "baseline_parameters": {"rate": 0.5},
    }
    clinic.suite(
        entries=[{"methods": ["none"], "baselines": ["first", "chance"]}, fixed], subset=12
    )
    suite = read_suite(clinic.rooms.root, "tiny")
    tuned = tuned_suite(suite, {"first": {"rate": 1e-5, "way": "b"}})
    assert [
        (row.baselines[0], row.variant, row.baseline_parameters) for row in tuned.file.entries
    ] == [
        ("first", "", {"rate": 1e-5, "way": "b"}),
        ("chance", "", {}),
        ("first", "b", {"rate": 0.5, "way": "b"}),
    ]
    path = tmp_path / "tuned.toml"
    path.write_text(suite_toml(tuned.file, "Two\nlines"))
    assert read_suite(clinic.rooms.root, str(path)).file == tuned.file
