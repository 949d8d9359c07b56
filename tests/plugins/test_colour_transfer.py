"""Colour transfer from real photographs of the tone asked for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from masked_toy import Made, Workbench, draw_masked
from programs import importable

from tonegap.colour import individual_typology_angle
from tonegap_kit.colour import lab_from_rgb
from tonegap_kit.colour_transfer import darkens_alike
from tonegap_kit.skin import skin_colour

with importable("methods/reinhard-transfer"):
    from statistics_transfer import move_statistics
with importable("methods/histogram-match"):
    from histograms import match_histograms

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
    return float(individual_typology_angle(skin_colour(lab_from_rgb(image))))


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


def _spotted(skin: tuple[int, ...], lesion: tuple[int, ...], noise: int) -> np.ndarray:
    """32 by 32 pixels of skin, 8 by 8 of them in the middle a lesion."""
    image = np.tile(np.array(skin, np.int64), (32, 32, 1))
    image[12:20, 12:20] = lesion
    image += np.random.default_rng(noise).integers(-4, 5, image.shape)
    return image.clip(0, 255).astype(np.uint8)


# A pale lesion on light skin; a strong one beside skin that is hardly darker; and dark skin with a lesion as pale.
PALE = _spotted((225, 190, 165), (200, 150, 130), 0)
STRONG = _spotted((205, 165, 140), (40, 25, 20), 1)
ALIKE = _spotted((110, 72, 50), (95, 56, 38), 2)


@pytest.mark.parametrize("transfer", [move_statistics, match_histograms])
def test_a_lesion_that_darkens_more_than_its_skin_is_seen(
    transfer: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    def beyond_the_skin(made: np.ndarray) -> float:
        darker = (lab_from_rgb(PALE) - lab_from_rgb(made))[..., 0]
        return float(np.median(darker[12:20, 12:20]) - np.median(darker[:6]))

    browned, even = transfer(PALE, STRONG), transfer(PALE, ALIKE)
    assert beyond_the_skin(browned) > 20
    assert not darkens_alike(PALE, browned)
    assert beyond_the_skin(even) < 5
    assert darkens_alike(PALE, even)


def test_an_image_whose_border_shows_no_skin_is_not_judged_even() -> None:
    framed = PALE.copy()
    framed[:6], framed[-6:], framed[:, :6], framed[:, -6:] = (250,) * 4
    assert not darkens_alike(framed, match_histograms(framed, ALIKE))


@pytest.mark.parametrize("name", METHODS)
def test_pairs_that_darken_the_lesion_more_are_passed_over_and_counted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = draw_masked(tmp_path / "in", n=36, tones=LIGHT)
    images, real = np.load(folder / "train.npy"), list(_real(folder).values())
    dark = [i for i, (_label, tone) in enumerate(real) if tone == "VI"]
    for i in range(len(real)):
        images[i] = _spotted((225, 190, 165), (200, 150, 130), i)
    for k, i in enumerate(dark):  # half of them would make the lesion brown
        images[i] = (STRONG, ALIKE)[k // 2 % 2]
    np.save(folder / "train.npy", images)
    made = Workbench(tmp_path, folder, monkeypatch, capsys).run(
        name, "generate", {"targets": ["VI"]}
    )
    assert made.code == 0, made.errors
    position = {image_id: i for i, image_id in enumerate(_real(folder))}
    sources = [row["sources"].split() for row in made.rows]
    assert sources
    for row, (own, _other) in zip(made.rows, sources, strict=True):
        assert darkens_alike(images[position[own]], made.image(row))
    (passed_over, *_unmade) = made.notes["skipped"].values()
    assert passed_over > 0
