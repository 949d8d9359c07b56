"""Semantic sampling: words and LoRAs of diseases, learned beside healthy images, and what they make of those."""

import json
import shutil
import subprocess
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from masked_toy import LABELS, TYPES, Made, Workbench, draw_masked
from programs import importable
from safetensors.torch import load_file
from tiny_pipeline import WIDTH, build_pipeline

from tonegap_kit.command import Stage
from tonegap_kit.diffusion.inversion import file_stem, read_tokens, save_tokens
from tonegap_kit.diffusion.models import add_tokens, open_models, token_ids
from tonegap_kit.job import Job
from tonegap_kit.masks import MARKER, RULER, SKIN

ROOT = Path(__file__).parents[2]
QUICK = {
    "min_images": 4,
    "held_out": 0.1,
    "healthy_images": 2,
    "healthy_steps": 2,
    "inversion_steps": 2,
    "inversion_batch": 2,
    "inversion_accumulation": 1,
    "lora_steps": 2,
    "lora_batch": 2,
    "lora_learning_rate": 1e-2,
    "lora_resolution_px": 0,
    "output_px": 24,
    "prior_images": 2,
    "sampling_steps": 4,
    "repeats": 1,
    "ratio": 1.0,
}

Act = Callable[..., Made]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_pipeline(tmp_path_factory.mktemp("pipelines") / "tiny")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 training images and one for what stages leave, shared by all tests here."""
    place = tmp_path_factory.mktemp("semantic")
    draw_masked(place / "toy", n=24)
    (place / "work").mkdir()
    return place


@pytest.fixture(scope="module")
def fitted_before() -> dict[str, Made]:
    """What has been fitted, by its parameters: a fit takes most of a test's time."""
    return {}


@pytest.fixture
def bench(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    return Workbench(place / "work", place / "toy", monkeypatch, capsys)


@pytest.fixture
def fit(bench: Workbench, pipeline: Path, fitted_before: dict[str, Made]) -> Act:
    def run(**parameters: object) -> Made:
        given = QUICK | {"pipeline": pipeline} | parameters
        key = repr(parameters)
        if key not in fitted_before:
            fitted_before[key] = bench.run("cgddi-semantic", "fit", given)
        assert fitted_before[key].code == 0, fitted_before[key].errors
        return fitted_before[key]

    return run


@pytest.fixture
def sample(bench: Workbench, pipeline: Path) -> Act:
    def run(fitted: Made, **parameters: object) -> Made:
        given = QUICK | {"pipeline": pipeline} | parameters
        made = bench.run("cgddi-semantic", "generate", given, fitted.out / "model")
        assert made.code == 0, made.errors
        return made

    return run


def _real(bench: Workbench) -> dict[str, tuple[str, str]]:
    lines = (bench.inputs / "train.csv").read_text().splitlines()[1:]
    return {i: (label, tone) for i, label, tone in (line.split(",") for line in lines)}


def _parts(fitted: Made) -> dict[str, list[str]]:
    document = json.loads((fitted.out / "model" / "lineage.json").read_text())
    return {name: part["sources"] for name, part in document["parts"].items()}


def _stem(label: str) -> str:
    return label.replace(" ", "_")


def test_every_disease_is_made_on_every_tone_of_healthy_images_that_are_named(
    fit: Act, sample: Act, bench: Workbench
) -> None:
    fitted = fit()
    made = sample(fitted)
    cells = Counter((row["label"], row["tone"]) for row in made.rows)
    assert cells == {(label, tone): 2 for label in LABELS for tone in TYPES}  # 24 in 12 cells
    rows = np.load(fitted.out / "model" / "healthy-rows.npy")
    healthy = {list(_real(bench))[row] for row in rows}
    for row in made.rows:
        assert row["sources"] in healthy
        stem = _stem(row["label"])
        assert row["models"].split() == [f"word-{stem}", f"lora-{stem}"]
        assert f"<{stem}-class>" in row["prompt"]


def test_without_a_ratio_each_healthy_image_serves_each_cell_as_often_as_repeats_says(
    fit: Act, sample: Act
) -> None:
    made = sample(fit(), ratio=0.0, repeats=2, targets=["VI"], sampling_steps=2)
    per_source = Counter((row["label"], row["sources"]) for row in made.rows)
    assert len(per_source) == 2 * 12  # diseases times healthy images, two of each of six tones
    assert set(per_source.values()) == {2}


def test_words_and_loras_name_their_own_disease_and_the_healthy_images_beside_it(
    fit: Act, bench: Workbench
) -> None:
    fitted, real = fit(), _real(bench)
    parts = _parts(fitted)
    ids = list(real)
    healthy = {ids[row] for row in np.load(fitted.out / "model" / "healthy-rows.npy")}
    for label in LABELS:
        word, lora = (set(parts[f"{kind}-{_stem(label)}"]) for kind in ("word", "lora"))
        assert {real[i][0] for i in word} == {label}
        assert len(word) == 11  # of 12, one is held out
        assert lora == word | healthy


def test_the_published_words_are_learned_from_the_images_of_all_diseases(
    fit: Act, bench: Workbench
) -> None:
    parts, real = _parts(fit(inversion_unfiltered=True)), _real(bench)
    assert {real[i][0] for i in parts[f"word-{_stem(LABELS[0])}"]} == set(LABELS)


def test_the_published_prior_is_the_lightest_images_alone(fit: Act, bench: Workbench) -> None:
    name = f"lora-{_stem(LABELS[0])}"
    real = _real(bench)

    def prior(fitted: Made) -> Counter[str]:
        parts = _parts(fitted)
        own = set(parts[f"word-{_stem(LABELS[0])}"])
        # Healthy images that come from the disease's own photographs cannot be told from those.
        return Counter(real[i][1] for i in set(parts[name]) - own)

    assert set(prior(fit(prior_cumulative=True))) == {"I"}
    assert len(prior(fit())) > 1


def test_images_have_the_side_asked_for(fit: Act, sample: Act) -> None:
    made = sample(fit(), ratio=0.5, sampling_steps=2)
    assert {made.image(row).shape for row in made.rows} == {(24, 24, 3)}


def test_loras_draw_rare_tones_more_often_and_tie_the_prior_unless_told(fit: Act) -> None:
    name = f"model/lora-{_stem(LABELS[0])}/pytorch_lora_weights.safetensors"
    loras = [
        fit(**how).files()[name] for how in ({}, {"lora_draws": "in-turn"}, {"prior_draws": "own"})
    ]
    assert len(set(loras)) == 3


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ((SKIN,), ""),
        ((RULER,), " with a ruler"),
        ((MARKER,), " deliniated with marker"),
        ((RULER, MARKER), " deliniated with marker and a ruler"),
    ],
)
def test_captions_name_ruler_and_marker_in_the_published_words(
    shown: tuple[int, ...], said: str
) -> None:
    with importable("methods/cgddi-semantic"):
        from semantic import _props

        parameters = {"name_props": True}
        job = Job("fit", "toy", ("a",), (), ("I",), 0, 8, "crop", parameters, "cpu", 1, 9)
        mask = np.array([[SKIN, *shown]], np.uint8)
        assert _props(Stage(job, Path(), Path()), mask, (RULER, MARKER)) == said
        # A healthy image has no marker: what was marked is painted over.
        ruled = " with a ruler" if RULER in shown else ""
        assert _props(Stage(job, Path(), Path()), mask, (RULER,)) == ruled


def test_one_pipeline_paints_and_another_learns(
    bench: Workbench, pipeline: Path, tmp_path: Path
) -> None:
    painter = build_pipeline(tmp_path / "painter", in_channels=9)
    both = QUICK | {"pipeline": pipeline, "healthy_pipeline": painter}
    fitted = bench.run("cgddi-semantic", "fit", both)
    assert fitted.code == 0, fitted.errors
    plain = bench.run("cgddi-semantic", "fit", QUICK | {"pipeline": pipeline})
    ours, theirs = (np.load(made.out / "model" / "healthy.npy") for made in (fitted, plain))
    assert ours.shape == theirs.shape
    assert (ours != theirs).any()
    alone = bench.run("cgddi-semantic", "fit", QUICK | {"pipeline": painter})
    assert alone.code == 1
    assert "give a plain Stable Diffusion folder, and these as healthy_pipeline" in alone.errors


def test_what_is_wrong_with_the_one_that_learns_is_said_before_the_other_paints(
    bench: Workbench, pipeline: Path, tmp_path: Path
) -> None:
    painter = build_pipeline(tmp_path / "painter", in_channels=9)
    learner = shutil.copytree(pipeline, tmp_path / "learner")
    settings = learner / "scheduler" / "scheduler_config.json"
    whole = settings.read_text()
    settings.write_text(json.dumps(json.loads(whole) | {"prediction_type": "sample"}))
    for given in ({"healthy_pipeline": painter}, {}):
        made = bench.run("cgddi-semantic", "fit", QUICK | {"pipeline": learner} | given)
        assert "the pipeline predicts 'sample', wanted epsilon or v_prediction" in made.errors
        assert (made.code, list(made.out.rglob("healthy.npy"))) == (1, [])
    settings.write_text(whole)
    (learner / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    both = {"pipeline": learner, "healthy_pipeline": painter}
    made = bench.run("cgddi-semantic", "fit", QUICK | both)
    assert "cannot be read as safetensors" in made.errors
    assert (made.code, list(made.out.rglob("healthy.npy"))) == (1, [])


# Of the 65 these have more than letters and blanks in their names.
RELEASED = {
    "acne-cystic": "<acne-cystic-class>",
    "cutaneous T-cell lymphoma": "<cutaneous_T-cell_lymphoma-class>",
    "eczema/atopic dermatitis": "<eczema/atopic_dermatitis-class>",
    "focal-acral-hyperkeratosis": "<focal-acral-hyperkeratosis-class>",
    "graft-vs-host disease": "<graft-vs-host_disease-class>",
    "scleroderma/morphea": "<scleroderma/morphea-class>",
}

KEPT = (  # diagnoses that the mapping leaves as they are
    "abscess",
    "acne-cystic",
    "acrochordon",
    "angioleiomyoma",
    "angioma",
    "coccidioidomycosis",
    "dermatofibroma",
    "dermatomyositis",
    "focal-acral-hyperkeratosis",
    "folliculitis",
    "glomangioma",
    "hematoma",
    "hyperpigmentation",
    "keloid",
    "lipoma",
    "neurofibroma",
    "neuroma",
    "onychomycosis",
    "scar",
    "trichilemmoma",
    "trichofolliculoma",
    "xanthogranuloma",
)


def test_the_placeholders_of_all_65_diseases_are_those_of_the_released_script() -> None:
    """train_ti.bash names a disease's placeholder by replacing blanks: bash does it here with our names."""
    diseases = diseases_of_cgddi()
    assert len(diseases) == 65
    script = 'for disease in "$@"; do echo "<${disease// /_}-class>"; done'
    ran = subprocess.run(
        ["bash", "-c", script, "bash", *diseases], capture_output=True, text=True, check=True
    )
    stage = stage_of(diseases)
    with importable("methods/cgddi-semantic"):
        from semantic import _check_names, _part, _token

        ours = [_token(stage, y) for y in range(65)]
        parts = {_part("word", stage, y) for y in range(65)}
        _check_names(stage, range(65))
    assert ours == ran.stdout.splitlines()
    assert {name: ours[diseases.index(name)] for name in RELEASED} == RELEASED
    files = {file_stem(token) for token in ours}
    assert len(files) == len(parts) == 65
    assert not any(set("/<> ") & set(name) for name in files | parts)


def diseases_of_cgddi() -> list[str]:
    """The names that the task gives: those that diagnoses are renamed to, and the diagnoses that keep their own."""
    task = tomllib.loads((ROOT / "benchmarks/ddi/tasks/joined-diseases.toml").read_text())
    renamed = set(task["labels"]["rename"].values())
    return sorted(renamed | set(KEPT))


def stage_of(diseases: Sequence[str]) -> Stage:
    job = Job("fit", "toy", tuple(diseases), (), ("I",), 0, 8, "crop", {}, "cpu", 1, 9)
    return Stage(job, Path(), Path())


def test_a_placeholder_with_a_slash_is_one_word_of_one_file(tmp_path: Path, pipeline: Path) -> None:
    word = RELEASED["eczema/atopic dermatitis"]
    vectors = torch.ones(1, WIDTH)
    files = save_tokens(tmp_path, {word: vectors})
    assert files[word] == tmp_path / "eczema_atopic_dermatitis-class.safetensors"
    models = open_models(pipeline, torch.device("cpu"))
    length = token_ids(models, ["skin"])[0].tolist().index(models.tokenizer.eos_token_id)
    add_tokens(models, read_tokens(list(files.values())))
    found = token_ids(models, [f"skin {word}"])[0].tolist()
    assert found.index(models.tokenizer.eos_token_id) == length + 1


def test_both_parts_load_into_a_stock_pipeline_by_their_own_names(fit: Act) -> None:
    model = fit().out / "model"
    stem = _stem(LABELS[0])
    (word,) = load_file(model / "words" / f"{stem}-class.safetensors")
    assert word == f"<{stem}-class>"
    lora = load_file(model / f"lora-{stem}" / "pytorch_lora_weights.safetensors")
    assert all(name.startswith("unet.") for name in lora)


def test_fit_and_generate_give_the_same_bytes_twice_and_another_seed_others(
    fit: Act, sample: Act, bench: Workbench, pipeline: Path
) -> None:
    once = fit()
    images = sample(once).files()
    given = QUICK | {"pipeline": pipeline}
    again = bench.run("cgddi-semantic", "fit", given)
    assert again.files() == once.files()
    assert sample(again).files() == images
    other = bench.run("cgddi-semantic", "fit", given, seed=1)
    word = f"model/words/{_stem(LABELS[0])}-class.safetensors"
    assert other.files()[word] != once.files()[word]


def test_a_set_without_enough_images_of_any_disease_is_told_so(
    bench: Workbench, pipeline: Path
) -> None:
    given = QUICK | {"pipeline": pipeline, "min_images": 13}
    made = bench.run("cgddi-semantic", "fit", given)
    assert made.code == 1
    assert "no class has min_images (13) or more images" in made.errors
