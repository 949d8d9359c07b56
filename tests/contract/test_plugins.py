"""Every plug-in of the project through the runner on 24 images: none is left out."""

import pytest
from quick_entries import assert_same_bytes_twice, left_by, stages_of
from stages_here import StagesHere, loads_torch
from tiny_rooms import PROJECT

from tonegap.checks.declared import check_declared
from tonegap.declared.plugin import plugin_ids, read_plugin
from tonegap.engines import open_engine
from tonegap.store.store import Store
from tonegap.synthetic.manifest import read_synthetic

METHODS, BASELINES, EXTRACTORS = (
    plugin_ids(PROJECT, kind) for kind in ("method", "baseline", "extractor")
)
# Loads torch, and has a model that one stage hands to the next.
FITTED = next(
    name
    for name in METHODS
    if loads_torch(plugin := read_plugin(PROJECT, "method", name)) and "fit" in plugin.file.stages
)
TRAINED = next(name for name in BASELINES if loads_torch(read_plugin(PROJECT, "baseline", name)))


def test_the_rooms_of_the_project_have_no_problem():
    assert check_declared(PROJECT) == []


@pytest.mark.parametrize("method", METHODS)
def test_a_method_runs_to_a_record_and_gives_the_same_bytes_twice(project, method, tmp_path):
    assert_same_bytes_twice(project, tmp_path, method=method)
    for key in {path.parent.name for path in tmp_path.glob("one/stages/*/*/synthetic.csv")}:
        made = read_synthetic(Store(tmp_path / "one").stage_folder(key))
        # Else what comes before says nothing about what it makes.
        assert len(made) > 0


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_baseline_runs_to_a_record_and_gives_the_same_bytes_twice(project, baseline, tmp_path):
    assert_same_bytes_twice(project, tmp_path, baseline=baseline)


# The others are large, and say so where they are given no weights: tests/plugins/test_extractors.py.
def _runs_random(name):
    needs = read_plugin(PROJECT, "extractor", name).file.parameters.get("needs_weights")
    return needs is None or not needs.default


@pytest.mark.parametrize("extractor", [name for name in EXTRACTORS if _runs_random(name)])
def test_an_extractor_runs_and_gives_the_same_bytes_twice(project, extractor, tmp_path):
    stores = [Store(tmp_path / name) for name in ("one", "two")]
    left = []
    for store in stores:
        plan = project.finished(store, method="grey", extractor=extractor)
        (stage,) = (s for s in plan.stages.values() if s.stage == "features")
        left.append(left_by(store, stage))
    assert left[0] == left[1]


@pytest.mark.parametrize("entry", [{"method": FITTED}, {"baseline": TRAINED}], ids=str)
def test_a_process_of_its_own_leaves_the_same_bytes_as_this_one(project, entry, tmp_path):
    stores = [Store(tmp_path / name) for name in ("here", "alone")]
    engines = [StagesHere(project.root / "docker" / "kit"), open_engine("local", project.root)]
    plans = [
        project.finished(store, **entry, engine=engine)
        for store, engine in zip(stores, engines, strict=True)
    ]
    for here, alone in zip(*map(stages_of, plans), strict=True):
        assert left_by(stores[0], here) == left_by(stores[1], alone)
