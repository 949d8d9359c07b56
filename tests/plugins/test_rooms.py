"""The folders of methods and baselines as the engine reads them."""

import tomllib

import pytest

from tonegap.declared.plugin import FOLDERS, SharedParameters, plugin_ids, read_plugin
from tonegap.declared.toml import read_toml

from .conftest import ROOT

PLUGINS = [(kind, name) for kind in FOLDERS for name in plugin_ids(ROOT, kind)]
BASELINES = [name for kind, name in PLUGINS if kind == "baseline"]


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_plug_in_keeps_to_the_contract(kind: str, name: str) -> None:
    plugin = read_plugin(ROOT, kind, name)
    for stage_file in plugin.file.command[1:]:
        assert (plugin.folder / stage_file).is_file()
    assert plugin.file.stages or not (plugin.folder / "Dockerfile").is_file()
    assert all(spec.source for spec in plugin.file.parameters.values())


@pytest.mark.parametrize("name", BASELINES)
def test_no_baseline_repeats_what_it_could_share(name: str) -> None:
    shared = read_toml(ROOT / "baselines" / "training.toml", SharedParameters).parameters
    own = tomllib.loads((ROOT / "baselines" / name / "baseline.toml").read_text())
    for key in own.get("parameters", {}):
        if own.get("parameters_from"):
            assert read_plugin(ROOT, "baseline", name).file.parameters[key] != shared.get(key), key


def test_those_that_need_tones_say_so() -> None:
    needs = {name: read_plugin(ROOT, "baseline", name).file.needs for name in BASELINES}
    assert needs["resample"] == needs["reweight"] == ("tone_in_training",)
    assert needs["erm"] == ()
    told = {name for name, needed in needs.items() if "tone_at_test" in needed}
    assert told == {"attribute-aware", "fairadabn"}
