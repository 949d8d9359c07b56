"""MAGIC: the probability of a step, the loss of preferences, judgements of images, and what its stages leave."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from masked_toy import Made, Workbench, draw_masked
from programs import importable
from safetensors.torch import load_file
from tiny_pipeline import build_pipeline

from tonegap.formats.lineage import check_lineage
from tonegap_kit.diffusion.lora import LoraRecipe, train_additions
from tonegap_kit.diffusion.models import Latents, open_models, with_sampler
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch
from tonegap_kit.diffusion.sampling import SamplingRecipe
from tonegap_kit.errors import StageError

with importable("methods/magic"):
    import feedback
    import preferences

TONES = ("I", "II", "III", "IV", "I", "II", "III", "I", "II", "I", "V", "VI")
QUICK: dict[str, Any] = {
    "sampling_steps": 4,
    "strength": 0.8,
    "output_px": 16,
    "inversion_steps": 1,
    "inversion_batch": 2,
    "inversion_accumulation": 1,
    "lora_steps": 1,
    "lora_batch": 2,
    "lora_rank": 2,
    "lora_learning_rate": 1e-2,
    "pairs": 4,
    "preference_steps": 2,
    "preference_accumulation": 2,
    "preference_learning_rate": 1e-2,
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_pipeline(tmp_path_factory.mktemp("pipelines") / "tiny")


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    inputs = draw_masked(tmp_path / "toy", n=24, tones=TONES)
    (tmp_path / "work").mkdir()
    return Workbench(tmp_path / "work", inputs, monkeypatch, capsys)


def fit(bench: Workbench, pipeline: Path, **parameters: Any) -> Made:
    made = bench.run("magic", "fit", QUICK | {"pipeline": pipeline} | parameters)
    assert made.code == 0, made.errors
    return made


def told(bench: Workbench) -> dict[str, list[str]]:
    lines = (bench.inputs / "train.csv").read_text().splitlines()[1:]
    return {line.split(",")[0]: line.split(",")[1:] for line in lines}


def test_the_loss_of_a_pair_by_hand() -> None:
    """Log-ratios 0.05 and -0.02 stay, the first preferred: beta 2 times 0.07 is 0.14.

    Ratios beyond 0.9 and 1.1 are cut to log 1.1 and log 0.9, the second preferred: 2 (log 0.9 - log 1.1). A pair that
    is equal gives log 2 whatever the network says.
    """
    recipe = preferences.PreferenceRecipe(beta=2.0, clip=0.1, batch=1, guidance=1.0)
    ratios = torch.tensor([[0.05, -0.02], [0.5, -0.5], [0.05, 0.09]])
    prefers = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]])
    alone = [
        math.log(1 + math.exp(-0.14)),
        math.log(1 + math.exp(-2 * (math.log(0.9) - math.log(1.1)))),
        math.log(2),
    ]
    for row, wanted in enumerate(alone):
        at = slice(row, row + 1)
        found = preferences.preference_loss(ratios[at], prefers[at], recipe)
        assert found.item() == pytest.approx(wanted, abs=1e-6)
    whole = preferences.preference_loss(ratios, prefers, recipe)
    assert whole.item() == pytest.approx(sum(alone) / 3, abs=1e-6)


def test_the_log_ratio_of_a_step_by_hand() -> None:
    """Of two numbers at 1 and 0: means 0.8 and 0.1 against a reference of 0.7 and 0.3, spread 0.5.

    Squared distances 0.09 - 0.04 and 0.09 - 0.01, over 2 x 0.25: 0.1 and 0.16, mean 0.13.
    """
    after, mean, reference = (
        torch.tensor(v).view(1, 1, 1, 2) for v in ([1.0, 0.0], [0.8, 0.1], [0.7, 0.3])
    )
    found = preferences.log_ratio(after, mean, reference, torch.tensor([0.5]))
    assert found.item() == pytest.approx(0.13, abs=1e-6)


@pytest.mark.parametrize("schedule", ["v-zero", "eps-pndm"])
def test_a_step_is_that_of_the_diffusers_library(
    schedule: str, tmp_path: Path, pipeline: Path
) -> None:
    """DDIM with eta 1: the same mean (its step with no noise) and the same spread (what noise of 1 adds)."""
    folder = pipeline if schedule == "v-zero" else build_pipeline(tmp_path / "plain", schedule)
    models = open_models(folder, torch.device("cpu"))
    chain = preferences.chain_of(models, SamplingRecipe(10, 0.6, 1.0, 1))
    stock = DDIMScheduler.from_config(dict(models.scheduler_config), clip_sample=False)
    stock.set_timesteps(10)
    assert chain.t.tolist() == stock.timesteps[4:].tolist()
    draws = torch.Generator().manual_seed(1)
    x, found = (torch.randn((1, 4, 8, 8), generator=draws) for _ in range(2))
    for k, t in enumerate(chain.t):
        step = torch.tensor([k])
        without, with_noise = (
            stock.step(found, t, x, eta=1.0, variance_noise=torch.full_like(x, v)).prev_sample
            for v in (0.0, 1.0)
        )
        torch.testing.assert_close(chain.mean(step, x, found), without, atol=1e-5, rtol=1e-5)
        spread = float((with_noise - without).mean())
        assert float(chain.spread[k]) == pytest.approx(spread, abs=1e-5)


def test_steps_are_not_clipped_and_begin_as_in_a_stock_pipeline_whatever_the_folder_leaves_unsaid(
    tmp_path: Path,
) -> None:
    """Of PNDM's settings without `steps_offset`: DDIM as `StableDiffusionImg2ImgPipeline` sets it, 1 and unclipped."""
    folder = build_pipeline(tmp_path / "plain", "eps-pndm")
    path = folder / "scheduler" / "scheduler_config.json"
    found = {k: v for k, v in json.loads(path.read_text()).items() if k != "steps_offset"}
    path.write_text(json.dumps(found))
    models = open_models(folder, torch.device("cpu"))
    chain = preferences.chain_of(models, SamplingRecipe(10, 0.6, 1.0, 1))
    stock = DDIMScheduler.from_config(found, steps_offset=1, clip_sample=False)
    stock.set_timesteps(10)
    assert chain.t.tolist() == stock.timesteps[4:].tolist() == [501, 401, 301, 201, 101, 1]
    assert "clip_sample" not in found
    x, noise = torch.full((1, 4, 8, 8), 9.0), torch.full((1, 4, 8, 8), 0.5)
    wanted = stock.step(noise, chain.t[0], x, eta=1.0, variance_noise=torch.zeros_like(x))
    sampled = with_sampler(models, "ddim").new_sampler()
    sampled.set_timesteps(10)
    drawn = sampled.step(noise, chain.t[0], x, eta=1.0, variance_noise=torch.zeros_like(x))
    torch.testing.assert_close(
        chain.mean(torch.tensor([0]), x, noise), wanted.prev_sample, atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(drawn.prev_sample, wanted.prev_sample)


def test_the_fit_leaves_samples_their_form_and_the_origin_of_every_part(
    bench: Workbench, pipeline: Path
) -> None:
    model = fit(bench, pipeline).out / "model"
    form = json.loads((model / "samples" / "feedback.json").read_text())
    assert [entry["image"] for entry in form[:3]] == ["00000-a.png", "00000-b.png", "00001-a.png"]
    assert len(form) == 8
    known = told(bench)
    # Both images of a pair are of one photograph, asked for in the other condition.
    for one, other in zip(form[::2], form[1::2], strict=True):
        assert (one["source"], one["prompt"]) == (other["source"], other["prompt"])
        assert one["sha256"] != other["sha256"]
        assert one["condition"] != known[one["source"]][0]
        assert set(one["checklist"].values()) == {None}
        assert len(one["checklist"]) == 5
        assert one["score"] < 0
    parts = json.loads((model / "lineage.json").read_text())["parts"]
    assert set(parts) == {"word-bas-class", "word-pso-class", "lora", "preference"}
    assert parts["preference"]["sources"] == sorted(known)
    check_lineage(model, list(known))
    learned = load_file(model / "preference" / "pytorch_lora_weights.safetensors")
    assert max(float(v.abs().max()) for k, v in learned.items() if "up" in k) > 1e-3


def test_every_photograph_becomes_the_other_condition_on_its_own_tone(
    bench: Workbench, pipeline: Path
) -> None:
    given = QUICK | {"pipeline": pipeline}
    model = fit(bench, pipeline).out / "model"
    made = bench.run("magic", "generate", given, model)
    assert made.code == 0, made.errors
    known = told(bench)
    assert sorted(row["sources"] for row in made.rows) == sorted(known)
    for row in made.rows:
        label, tone = known[row["sources"]]
        assert row["tone"] == tone
        assert row["label"] != label
        word = "bas-class" if row["label"].startswith("bas") else "pso-class"
        assert row["prompt"] == f"an image of {word} on human skin"
        assert row["models"].split() == [f"word-{word}", "lora", "preference"]
        assert made.image(row).shape == (16, 16, 3)
    again = bench.run("magic", "generate", given, model)
    assert again.files() == made.files()
    # Without what was preferred the images are others.
    other = fit(bench, pipeline, preference_learning_rate=0.3).out / "model"
    moved = bench.run("magic", "generate", given | {"strength": 1.0}, other)
    plain = bench.run("magic", "generate", given | {"strength": 1.0}, model)
    assert moved.rows[0]["prompt"] == plain.rows[0]["prompt"]
    assert any((moved.image(row) != plain.image(row)).any() for row in moved.rows)


def test_three_levels_make_dark_tones_as_many_as_light_ones(
    bench: Workbench, pipeline: Path
) -> None:
    """Tones I to VI have 8, 6, 4, 2, 2, 2 images: 24 more bring all to 8."""
    model = fit(bench, pipeline).out / "model"
    made = bench.run(
        "magic", "generate", QUICK | {"pipeline": pipeline, "balance": "three-level"}, model
    )
    assert made.code == 0, made.errors
    tones = Counter(row["tone"] for row in made.rows)
    assert tones == {"II": 2, "III": 4, "IV": 6, "V": 6, "VI": 6}
    assert Counter(row["label"] for row in made.rows if row["tone"] == "V") == dict.fromkeys(
        ("basal cell carcinoma", "psoriasis"), 3
    )


def test_a_judgement_of_the_same_samples_decides_what_is_learned(
    bench: Workbench, pipeline: Path, tmp_path: Path
) -> None:
    """Three files on the same samples: first images better, second images better, and a pair left out."""
    ruled = fit(bench, pipeline)
    form = json.loads((ruled.out / "model" / "samples" / "feedback.json").read_text())
    learned = {}
    for name, better in (("first", "a"), ("second", "b")):
        for entry in form:
            entry["checklist"] = {
                "location": True,
                "colour": entry["image"].endswith(f"{better}.png"),
                "texture": None,
            }
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(form))
        made = fit(bench, pipeline, feedback=path)
        assert (made.out / "model" / "samples" / "feedback.json").read_bytes() == path.read_bytes()
        samples = [k for k in made.files() if k.endswith(".png")]
        assert {k: made.files()[k] for k in samples} == {k: ruled.files()[k] for k in samples}
        learned[name] = made.files()["model/preference/pytorch_lora_weights.safetensors"]
    assert learned["first"] != learned["second"]
    path.write_text(json.dumps(form[:6]))
    made = fit(bench, pipeline, feedback=path)
    assert made.files()["model/preference/pytorch_lora_weights.safetensors"] != learned["second"]


def test_words_and_a_lora_that_are_given_are_not_learned_and_what_follows_is_of_unknown_origin(
    bench: Workbench, pipeline: Path
) -> None:
    before = fit(bench, pipeline)
    model = before.out / "model"
    lora = model / "lora" / "pytorch_lora_weights.safetensors"
    made = fit(bench, pipeline, words=model / "words", lora=lora)
    parts = json.loads((made.out / "model" / "lineage.json").read_text())["parts"]
    assert parts["lora"]["sources"] == parts["word-bas-class"]["sources"] == ["?"]
    assert parts["preference"]["sources"][0] == "?"
    # The same start and the same draws: the same images, and the same is learned from them.
    for name, content in before.files().items():
        if "samples" in name or name.startswith("model/preference"):
            assert made.files()[name] == content


def test_the_preferred_samples_become_more_probable_than_the_others(pipeline: Path) -> None:
    """What preference training is for, seen on its own pairs: the loss falls below log 2, which is no preference."""
    models = open_models(pipeline, torch.device("cpu"))
    how = SamplingRecipe(5, 0.8, 1.0, 4)
    latents = Latents(torch.zeros(1, 4, 8, 8), torch.ones(1, 4, 8, 8))
    chain = preferences.chain_of(models, how)
    wanted = [preferences.Wanted(0, "an image of skin", seed) for seed in range(4)]
    pairs = preferences.sample_pairs(models, chain, latents, wanted, how)
    one_by_one = preferences.sample_pairs(
        models, chain, latents, wanted, SamplingRecipe(5, 0.8, 1.0, 1)
    )
    torch.testing.assert_close(pairs.latents, one_by_one.latents, atol=1e-4, rtol=1e-4)
    scores = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5], [0.0, 0.0]])
    recipe = preferences.PreferenceRecipe(beta=20.0, clip=0.5, batch=3, guidance=1.0)
    loss = preferences.pair_loss(models, chain, pairs, scores, recipe, seed=0)
    steps = StepRecipe(30, 3, 1, 1e-2, max_grad_norm=1.0)
    seen = []

    def watched(number: int) -> torch.Tensor:
        value = loss(number)
        seen.append(value.item())
        return value

    train_additions(models, watched, LoraRecipe(steps, 4, 4), 0, Watch("preference"))
    assert seen[0] == pytest.approx(math.log(2), abs=1e-6)  # additions start at the reference
    assert np.mean(seen[-6:]) < math.log(2) - 0.05


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            [{"image": "00000-a.png", "sha256": "1", "score": 1}],
            "is about other images than this fit",
        ),
        ([{"image": "9.png", "sha256": "0", "score": 1}], "is about other images than this fit"),
        ([{"image": "00000-a.png", "score": 1}], "not a JSON list of objects with image, sha256"),
        ([{"image": "00000-a.png", "sha256": "0"}], "not a JSON list of objects"),
        (
            [{"image": "00000-a.png", "sha256": "0", "checklist": {"colour": "yes"}}],
            "wants true, false or null",
        ),
        (
            [{"image": "00000-a.png", "sha256": "0", "score": float("nan")}],
            "wanted a finite number",
        ),
        ([{"image": "00000-a.png", "sha256": "0", "score": True}], "is true or false"),
        ([{"image": "00000-a.png", "sha256": "0", "score": 10**400}], "OverflowError"),
        (
            [
                {"image": "00000-a.png", "sha256": "0", "checklist": {"colour": answer}}
                for answer in (True, False)
            ],
            "00000-a.png stands twice",
        ),
        ("nothing", "not a JSON list of objects"),
    ],
)
def test_judgements_that_cannot_be_used_are_refused(
    entries: Any, said: str, tmp_path: Path
) -> None:
    sampled = [feedback.Sampled("00000-a.png", "0", "t0", "psoriasis", "an image")]
    path = tmp_path / "feedback.json"
    path.write_text(json.dumps(entries))
    with pytest.raises(StageError, match=said):
        feedback.read_scores(path, sampled)


def test_judgements_nested_beyond_reading_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "feedback.json"
    path.write_text("[" * 200_000 + "]" * 200_000)
    with pytest.raises(StageError, match="not a JSON list of objects"):
        feedback.read_scores(path, [])


def test_checklists_are_shares_of_criteria_and_count_before_scores(tmp_path: Path) -> None:
    sampled = [feedback.Sampled(f"{i}.png", "0", "t0", "psoriasis", "an image") for i in range(3)]
    path = tmp_path / "feedback.json"
    entries = [
        {"image": "0.png", "sha256": "0", "checklist": {"colour": True, "size": False, "x": None}},
        {"image": "1.png", "sha256": "0", "checklist": {"colour": None}, "score": -3.5},
    ]
    path.write_text(json.dumps(entries))
    scores = feedback.read_scores(path, sampled).tolist()
    # One of two criteria; a rule's score is no answer beside a person's; the third image is not in the file.
    assert scores[0] == 0.5
    assert [math.isnan(score) for score in scores] == [False, True, True]
    entries[0] = {"image": "0.png", "sha256": "0", "checklist": {"colour": None}, "score": -1.0}
    path.write_text(json.dumps(entries))
    assert feedback.read_scores(path, sampled).tolist()[:2] == [-1.0, -3.5]


def test_no_better_image_in_any_pair_is_said(pipeline: Path) -> None:
    models = open_models(pipeline, torch.device("cpu"))
    chain = preferences.chain_of(models, SamplingRecipe(5, 0.8, 1.0, 4))
    pairs = preferences.SampledPairs(("a", "b"), torch.zeros(2, 2, 5, 4, 8, 8))
    recipe = preferences.PreferenceRecipe(0.1, 0.1, 1, 1.0)
    equal = torch.tensor([[1.0, 1.0], [float("nan"), 1.0]])
    with pytest.raises(StageError, match="none of 2 pairs has a better image"):
        preferences.pair_loss(models, chain, pairs, equal, recipe, seed=0)


def test_the_rule_measures_a_lesion_against_the_photographs_of_its_condition() -> None:
    """A light skin with a red square of 8 x 8 in 32 x 32: size 1/16. Photographs have 7, 8 and 9 px."""

    def skin(side: int, colour: tuple[int, int, int] = (180, 60, 60)) -> np.ndarray:
        image = np.full((32, 32, 3), (224, 180, 150), np.uint8)
        image[12 : 12 + side, 12 : 12 + side] = colour
        return image

    (own,) = feedback.measure([skin(8)])
    assert own[0] == pytest.approx(64 / 1024)
    assert own[1] > 20  # redder than the skin
    assert own[2] > 20  # darker than the skin
    photographs = {"psoriasis": feedback.measure([skin(7), skin(8), skin(9)])}
    like, brown, large, bare = feedback.by_rule(
        np.stack([skin(8), skin(8, (60, 50, 40)), skin(16), skin(0)]),
        ["psoriasis"] * 4,
        photographs,
    )
    assert like == pytest.approx(0, abs=1e-9)  # the median of the photographs
    # Twice the side: 192 of 1,024 pixels off, in halves of the photographs' middle 80 %.
    sizes = [(v * v) / 1024 for v in (7, 8, 9)]
    half = (np.percentile(sizes, 90) - np.percentile(sizes, 10)) / 2
    far = feedback._apart(feedback.measure([skin(16)])[0], photographs["psoriasis"])
    assert far[0] == pytest.approx(min((256 - 64) / 1024 / half, 10))
    assert brown < like
    assert large < like
    # No lesion: its two colours are as far as can be, 20 of 40.
    assert bare <= -5


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"pairs": 0}, "pairs is 0 of 2 conditions, wanted 1 or more"),
        ({"prompt": "skin"}, "prompt is 'skin', wanted one with {token} in it"),
        ({"preference_beta": 0.0}, "preference_beta is 0.0 and preference_clip 0.1, wanted"),
        ({"strength": 0.1}, "strength 0.1 of 4 steps does no step at all"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    bench: Workbench, pipeline: Path, changed: dict[str, Any], said: str
) -> None:
    made = bench.run("magic", "fit", QUICK | {"pipeline": pipeline} | changed)
    assert made.code == 1
    assert said in made.errors
