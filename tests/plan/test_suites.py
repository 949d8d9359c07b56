"""The suites that come with the project: every entry can be spelt out, and a suite can be planned on a download."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonegap.data.mask_file import read_mask
from tonegap.declared.dataset import read_dataset
from tonegap.declared.suite import plugins_of, read_suite, suite_ids
from tonegap.engines import open_engine
from tonegap.files import folder_digest
from tonegap.formats.job import ImageSpec
from tonegap.plan.entries import PluginIdentity, entries_of
from tonegap.run.search.draws import draws_suite, searched
from tonegap.split.load import load_data

PROJECT = Path(__file__).parents[2]
SUITES = suite_ids(PROJECT)


def identities(suite):
    environment = open_engine("local", PROJECT).environment
    return {
        plugin.label: PluginIdentity(plugin, folder_digest(plugin.folder), environment(plugin))
        for plugin in plugins_of(suite)
    }


@pytest.fixture(scope="module")
def skin_tones(tmp_path_factory):
    """656 rows with DDI's file names, tones and labels by turns, and a drawn image for each."""
    folder = tmp_path_factory.mktemp("download")
    rows = ["DDI_file,skin_tone,malignant,disease"]
    rng = np.random.default_rng(0)
    for n in range(656):
        rows.append(f"{n + 1:06}.png,{(12, 34, 56)[n % 3]},{n % 4 == 0},disease-{n % 7}")
        pixels = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 32), 0).save(folder / f"{n + 1:06}.png")
    (folder / "ddi_metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_spells_out_its_entries(name):
    suite = read_suite(PROJECT, name)
    entries = entries_of(suite, identities(suite))
    assert any(entry.baseline.plugin.file.control for entry in entries)
    assert any(not entry.baseline.plugin.file.control for entry in entries)


@pytest.mark.parametrize("name", SUITES)
def test_the_baselines_of_every_suite_can_be_searched(name):
    suite = read_suite(PROJECT, name)
    plugins = {plugin.label: plugin for plugin in plugins_of(suite)}
    search = searched(suite, plugins, 3, 0)
    assert {len(draws) for draws in search.draws.values()} == {3}
    assert entries_of(draws_suite(suite, search, plugins), identities(suite))


def test_the_leaderboard_suite_has_one_recipe():
    suite = read_suite(PROJECT, "leaderboard")
    shared = suite.file.parameters["baselines"]
    for entry in entries_of(suite, identities(suite)):
        has_recipe = "backbone" in entry.baseline.parameters
        recipe = {name: entry.baseline.parameters.get(name) for name in shared}
        assert not has_recipe or recipe == shared, entry.id.label


def test_a_suite_of_all_baselines_can_be_planned(skin_tones, tonegap, tmp_path):
    words = ("ddi", "--suite-root", PROJECT, "--root", skin_tones, "--jobs", 1)
    assert tonegap("plan", *words, "--store", tmp_path / "runs", "--subset", 120) == 0, tonegap.err
    assert (
        "would run: none + fairdisco (resnet18), ddi/patchalign seed 200704: baselines/fairdisco train"
        in tonegap.out
    )


def test_without_images_a_plan_says_what_is_missing(skin_tones, tonegap, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "ddi_metadata.csv").write_bytes((skin_tones / "ddi_metadata.csv").read_bytes())
    (bare / "000001.png").write_bytes((skin_tones / "000001.png").read_bytes())
    words = ("ddi", "--suite-root", PROJECT, "--root", bare, "--jobs", 1)
    assert tonegap("plan", *words, "--store", tmp_path / "runs") == 2
    assert "655 images that ddi/fairdisco needs are missing" in tonegap.err


def test_ddi_takes_sddis_masks_whatever_their_shape(skin_tones, tmp_path):
    folder = shutil.copytree(skin_tones, tmp_path / "ddi")
    image = Image.open(folder / "000002.png").resize((48, 32))
    image.save(folder / "000002.png")
    (folder / "masks").mkdir()
    kinds = np.repeat(np.arange(4, dtype=np.uint8)[None], 4, axis=0)  # columns 0, 1, 2, 3; square
    np.save(folder / "masks" / "000002.npy", kinds)
    data = load_data(read_dataset(PROJECT, "ddi"), folder, tmp_path / "cache", 1)
    ((image_id, mask),) = data.masks.items()
    assert image_id == "000002.png"
    found = read_mask(mask, data.index.paths[image_id], ImageSpec(4, "stretch"))
    assert found.tolist() == kinds.tolist()
