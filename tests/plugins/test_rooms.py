"""The folders of methods and baselines as the engine reads them."""

import pytest

from tonegap.rooms.plugin import FOLDERS, plugin_ids, read_plugin

from .conftest import ROOT

PLUGINS = [(kind, name) for kind in FOLDERS for name in plugin_ids(ROOT, kind)]
BASELINES = [name for kind, name in PLUGINS if kind == "baseline"]


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_plug_in_keeps_to_the_contract(kind: str, name: str) -> None:
    plugin = read_plugin(ROOT, kind, name)
    for stage_file in plugin.file.command[1:]:
        assert (plugin.folder / stage_file).is_file()
    assert bool(plugin.file.stages) == (plugin.folder / "Dockerfile").is_file()
    assert all(spec.source for spec in plugin.file.parameters.values())


@pytest.mark.parametrize("name", BASELINES)
def test_a_parameter_means_the_same_in_every_baseline_that_has_it(name: str) -> None:
    # The blocks are repeated, since a plug-in's folder is all of it; this keeps them in step.
    reference = read_plugin(ROOT, "baseline", "erm").file.parameters
    for key, spec in read_plugin(ROOT, "baseline", name).file.parameters.items():
        assert spec == reference.get(key, spec), key


def test_those_that_need_tones_say_so() -> None:
    needs = {name: read_plugin(ROOT, "baseline", name).file.needs for name in BASELINES}
    assert needs["resample"] == needs["reweight"] == ("tone_in_training",)
    assert needs["erm"] == ()
