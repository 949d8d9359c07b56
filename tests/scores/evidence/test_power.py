"""How many images a difference needs, and what a test set can show."""

import json
from pathlib import Path

import numpy as np
import pytest

from tonegap.cli.main import main
from tonegap.report.power_text import SILENT, reach_sentences, training_words
from tonegap.scores.evidence.power import (
    difference_of_entries,
    gap_power,
    half_width,
    images_for_entries,
    images_for_gap,
    images_for_two,
    lower_by,
    reach,
)
from tonegap.scores.evidence.proportions import wilson

ROOT = Path(__file__).parents[3]


def test_images_for_two_tones_by_hand():
    # (1.95996 + 0.84162)² = 7.8489; (.85 × .15 + .80 × .20) / .05² = 115: 902.6.
    assert images_for_two(0.85, 0.05) == 903
    assert images_for_two(0.85, 0.05, gaps=2) == 1806


def test_images_for_two_entries_by_hand():
    # Both right: .8 × .75 + .7 × √(.8 × .2 × .75 × .25) = .72124, one alone: .8 + .75 - 2 × .72124 = .10751;
    # (1.95996 × √.10751 + .84162 × √(.10751 - .0025))² / .0025 = 335.2.
    assert images_for_entries(0.8, 0.05, 0.7) == 336
    assert difference_of_entries(0.8, 336, 0.7) == pytest.approx(0.05, abs=1e-4)


def test_near_100_percent_two_entries_cannot_be_right_together_as_often_as_asked():
    # The lower one is never right alone: of .98 and .88 a tenth of the images tells them apart, no less.
    # (1.95996 × √.1 + .84162 × √(.1 - .01))² / .01 = 76.1.
    assert images_for_entries(0.98, 0.1, 0.9) == 77
    assert np.isnan(difference_of_entries(0.98, 3, 0.7))


def test_the_search_for_a_gaps_images_ends():
    # Two neighbours below 200: the middle of 120 and 122 is 121, not 120 again.
    assert 60 < images_for_gap(0.85, 0.15, 3) < 250


def test_a_half_width_is_the_mean_over_samples():
    # One image: right or not, each with Wilson's interval of a share of one.
    low, high = wilson(1.0, 1, 1.959964)
    assert half_width(0.5, 1) == pytest.approx((high - low) / 2, abs=1e-6)
    assert np.isnan(half_width(0.5, 0))


def test_training_widens_an_interval():
    # 10,000 images: ±0.8 points; training at 3 points' sd, 4 runs: ±2.9.
    assert half_width(0.8, 10_000) == pytest.approx(0.0078, abs=1e-4)
    assert half_width(0.8, 10_000, seeds=4, seed_sd=0.03) == pytest.approx(0.0304, abs=5e-4)


def test_images_for_two_tones_with_training_by_hand():
    # 7.8489 x 2 x .02² / 4 = .00157 of .05² is training's: 7.8489 x (.85 x .15 + .80 x .20) / .00093 = 2426.
    assert images_for_two(0.85, 0.05, added=0.02**2 / 4) == 2426
    assert images_for_two(0.85, 0.05, added=0.02**2) is None


def test_no_images_show_entries_that_training_moves_as_far():
    # (1.95996 + .84162) x √(2 x .02²) = 7.9 points, whatever the images; 9 points are more.
    assert images_for_entries(0.8, 0.05, 0.7, added=0.02**2) is None
    n = images_for_entries(0.8, 0.09, 0.7, added=0.02**2)
    assert difference_of_entries(0.8, n, 0.7, 0.02**2) == pytest.approx(0.09, abs=1e-4)


@pytest.mark.parametrize(("seeds", "seed_sd"), [(3, 0.03), (1, 0.02)])
def test_two_entries_are_found_as_often_as_said_whatever_training_adds(seeds, seed_sd):
    n, p, rng = 300, 0.8, np.random.default_rng(3)
    (one, _) = reach({"A": n, "B": n}, p, 0.7, seeds, seed_sd)
    low = p - one.entries
    both = p * low + min(0.7 * np.sqrt(p * (1 - p) * low * (1 - low)), low * (1 - p))
    counts = rng.multinomial(n, [both, p - both, low - both, 1 - p - low + both], 4000)
    runs = rng.normal(0, seed_sd, (4000, 2, seeds)).mean(axis=2)
    apart = (counts[:, 1] - counts[:, 2]) / n + runs[:, 0] - runs[:, 1]
    images = (counts[:, 1] + counts[:, 2]) / n**2 - ((counts[:, 1] - counts[:, 2]) / n) ** 2 / n
    found = np.abs(apart) > 1.959964 * np.sqrt(images + 2 * seed_sd**2 / seeds)
    assert found.mean() == pytest.approx(0.8, rel=0.1)


@pytest.mark.parametrize(("seeds", "seed_sd"), [(3, 0.03), (1, 0.02)])
def test_a_lower_tone_is_found_as_often_as_said_whatever_training_adds(seeds, seed_sd):
    n, p, rng = np.array([300, 300, 150]), 0.8, np.random.default_rng(4)
    lower = reach(dict(zip("ABC", n.tolist(), strict=True)), p, 0.7, seeds, seed_sd)[2].lower
    truth = np.array([p, p, p - lower])

    def gaps(accuracy):
        runs = rng.normal(0, seed_sd, (4000, 3, seeds)).mean(axis=2)
        return np.ptp(rng.binomial(n, accuracy, (4000, 3)) / n + runs, axis=1)

    equal = np.quantile(gaps(np.full(3, truth @ n / n.sum())), 0.95)
    assert (gaps(truth) > equal).mean() == pytest.approx(0.8, rel=0.1)


def test_every_sentence_names_the_correlation_and_the_training(capsys):
    words = ("power", "--n", "I=300", "--n", "V=300", "--correlation", "0.99")
    _, said = run(capsys, *words, "--seeds", "3", "--seed-sd", "2")
    lines = [line for line in said.out.splitlines() if line.endswith(("points.", "points:"))]
    assert sum("with other training of 3 runs, sd 2 points" in line for line in lines) == 4
    assert "correlation 0.99, with other" in lines[-1]
    _, said = run(capsys, *words)
    assert said.out.count("of these training runs alone") == 4
    assert "0.7" not in said.out


def test_equal_tones_are_found_in_one_of_twenty():
    assert gap_power((300, 300, 300), 0.8, 0, 0.0) == pytest.approx(0.05, abs=0.015)


def test_the_images_for_a_gap_give_its_power():
    n = images_for_gap(0.8, 0.1, 3)
    assert gap_power((n,) * 3, 0.8, 0, 0.1) >= 0.8
    assert gap_power((int(n * 0.8),) * 3, 0.8, 0, 0.1) < 0.8


def test_what_is_found_is_found_in_four_of_five():
    counts = (200, 200, 100)
    found = lower_by(counts, 0.8, 2)
    assert gap_power(counts, 0.8, 2, found) >= 0.8
    assert gap_power(counts, 0.8, 2, found - 0.03) < 0.8


def test_ten_images_allow_no_statement():
    found = reach({"I-II": 180, "III-IV": 90, "V": 10}, 0.8, 0.7)
    assert [r.silent for r in found] == [False, False, True]
    # The gap is then that of the other two.
    assert found[0].lower == lower_by((180, 90), 0.8, 0)
    said = reach_sentences(found, 0.8, 0.7, training_words(1, 0.0))
    assert said[-1] == f"V: {SILENT} (10 images, ±22 points)."


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code, capsys.readouterr()


def test_the_command_says_what_a_tasks_images_can_show(capsys):
    code, said = run(capsys, "power", "pad-ufes-20-sample/malignant", "--suite-root", str(ROOT))
    assert code == 0
    assert f"V-VI: {SILENT} (no image)." in said.out
    assert "1,091" in said.out


def test_the_command_is_for_programs_too(capsys):
    code, said = run(capsys, "power", "--n", "I-II=400", "--n", "56=8", "--score", "85", "--json")
    document = json.loads(said.out)
    assert code == 0
    assert [tone["silent"] for tone in document["tones"]] == [False, True]
    assert [tone["tone"] for tone in document["tones"]] == ["I-II", "V-VI"]
    assert document["images_per_tone"]["two tones, one entry"] == "903"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--n", "V"), "wanted TONE=N"),
        (("--n", "V=99999999999"), "a whole number up to 1,000,000"),
        (("--n", f"V={'9' * 5000}"), "wanted TONE=N"),
        (("--n", "V=10", "--n", "5=20"), "found images of V more than once"),
        (
            ("--n", "Z=10"),
            "images of 'Z', which is no skin tone; wanted 1 to 6, I to VI, M1 to M10",
        ),
        (("--n", "dark=10"), "or a group: I-II, III-IV, V-VI, M1-3, M4-7, M8-10"),
        (("--score", "nan"), "is no number"),
        (("--correlation", "nan"), "is no number"),
        (("phantom/smoke", "--n", "V=3"), "not both"),
        (("--points", "70", "--score", "60"), "would have none"),
    ],
)
def test_a_bad_request_is_one_sentence(capsys, arguments, words):
    code, said = run(capsys, "power", *arguments)
    assert code == 2
    assert words in said.err
