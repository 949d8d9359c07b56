"""Colour transfer from real photographs of the tone asked for."""

from pathlib import Path

import numpy as np
import pytest
from masked_toy import Made, Workbench, draw_masked

from tonegap_kit.colour import lab_from_rgb, typology_angle
from tonegap_kit.colour_transfer import match_histograms, move_statistics
from tonegap_kit.skin import skin_colour

METHODS = ["reinhard-transfer", "histogram-match"]
# Without V and with a single VI, so that there is something to fill and one image to take colours from.
LIGHT = ("I", "II", "III", "IV", "I", "II", "III", "IV", "VI")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_masked(tmp_path_factory.mktemp("toy") / "in", n=36, tones=LIGHT)


@pytest.fixture
def bench(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    return Workbench(tmp_path, toy, monkeypatch, capsys)


def _real(toy: Path) -> dict[str, tuple[str, str]]:
    lines = (toy / "train.csv").read_text().splitlines()[1:]
    return {i: (label, tone) for i, label, tone in (line.split(",") for line in lines)}


def _angle(image: np.ndarray) -> float:
    return float(typology_angle(skin_colour(lab_from_rgb(image))))


def _noise(low: int, high: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (24, 24, 3), dtype=np.uint8)


def test_statistics_are_those_of_the_reference() -> None:
    image, reference = _noise(150, 220, 0), _noise(60, 110, 1)
    moved = move_statistics(image, reference).astype(float)
    assert np.allclose(moved.mean((0, 1)), reference.mean((0, 1)), atol=1.5)
    assert np.allclose(moved.std((0, 1)), reference.std((0, 1)), atol=1.5)


def test_an_image_with_its_own_statistics_stays_as_it_is() -> None:
    image = _noise(40, 220, 2)
    assert np.abs(move_statistics(image, image).astype(int) - image).max() <= 1


def test_ranks_take_the_values_of_the_reference() -> None:
    image = np.repeat(np.array([[10, 20], [30, 40]], np.uint8)[..., None], 3, axis=2)
    reference = np.repeat(np.array([[4, 3], [2, 1]], np.uint8)[..., None], 3, axis=2)
    assert match_histograms(image, reference)[..., 0].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("name", METHODS)
def test_an_image_gets_darker_and_names_both_images(name: str, bench: Workbench, toy: Path) -> None:
    made: Made = bench.run(name, "generate", {"targets": ["VI"]})
    assert made.code == 0, made.errors
    real, images = _real(toy), np.load(toy / "train.npy")
    assert made.rows
    for row in made.rows:
        own, other = row["sources"].split()
        assert (row["label"], row["tone"]) == (real[own][0], "VI")
        assert real[other] == (real[own][0], "VI")
        assert _angle(made.image(row)) < _angle(images[int(own[1:])])


@pytest.mark.parametrize("name", METHODS)
def test_the_same_job_makes_the_same_bytes(name: str, bench: Workbench) -> None:
    few = {"targets": ["VI"], "ratio": 0.3}
    assert bench.run(name, "generate", few).files() == bench.run(name, "generate", few).files()


def test_a_tone_without_any_image_is_named(bench: Workbench) -> None:
    tones = ["I", "II", "III", "IV", "V", "VI"]
    made = bench.run(METHODS[0], "generate", {"targets": ["V"]}, tones=tones)
    assert made.code == 1
    assert "tone V has no training image" in made.errors
