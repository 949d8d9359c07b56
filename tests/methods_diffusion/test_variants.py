"""Methods that make dark variants of light images: what each learns, what it makes, and of what."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from masked_toy import Workbench, draw_masked
from safetensors.torch import load_file
from tiny_pipeline import build_pipeline

from tonegap.declared.plugin import read_plugin
from tonegap_kit.command import Stage
from tonegap_kit.diffusion.fitting import at_once
from tonegap_kit.diffusion.variants import plan_variants
from tonegap_kit.job import Job
from tonegap_kit.partition import Partition, Pictures

ROOT = Path(__file__).parents[2]

# Twelve in turn: seven of a majority tone, three of others, two dark; 24 images, 12 of each label.
TONES = ("I", "II", "III", "IV", "I", "II", "III", "I", "II", "I", "V", "VI")
INVERSION = {"inversion_steps": 2, "inversion_batch": 2, "inversion_accumulation": 1}
LORA = {"lora_steps": 2, "lora_batch": 2, "lora_learning_rate": 1e-2}
QUICK = {"sampling_steps": 4, "per_source": 1, "output_px": 16} | INVERSION | LORA
FITTED = ("skin-diff", "skin-diff-2024", "ti-only", "lora-only")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    torch.set_num_threads(1)
    return build_pipeline(tmp_path_factory.mktemp("pipelines") / "tiny")


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    inputs = draw_masked(tmp_path / "toy", n=24, tones=TONES)
    (tmp_path / "work").mkdir()
    return Workbench(tmp_path / "work", inputs, monkeypatch, capsys)


@pytest.fixture
def made_by(bench, pipeline):
    """Fits where the method does, and generates: what both stages left."""

    def run(method, **parameters):
        given = QUICK | {"pipeline": pipeline} | parameters
        if method not in FITTED:
            return None, bench.run(method, "generate", given)
        fitted = bench.run(method, "fit", given)
        assert fitted.code == 0, fitted.errors
        return fitted, bench.run(method, "generate", given, fitted.out / "model")

    return run


def lineage(fitted):
    return json.loads((fitted.out / "model" / "lineage.json").read_text())["parts"]


WORDS = {"basal cell carcinoma": "bas-class", "psoriasis": "pso-class"}
NAMES = {label: label for label in WORDS}
BRACKETED = {label: f"<{word}>" for label, word in WORDS.items()}


@pytest.mark.parametrize(
    ("method", "words", "parts"),
    [
        ("skin-diff", WORDS, {"word-bas-class", "word-pso-class", "lora"}),
        (
            "skin-diff-2024",
            BRACKETED,
            {"word-bas-class", "word-pso-class", "lora-bas-class", "lora-pso-class"},
        ),
        ("ti-only", WORDS, {"word-bas-class", "word-pso-class"}),
        ("lora-only", NAMES, {"lora"}),
        ("img2img-plain", NAMES, set()),
    ],
)
def test_every_light_image_becomes_a_dark_one_and_a_dark_one_stays_dark(
    made_by, bench, method, words, parts
):
    fitted, made = made_by(method)
    assert made.code == 0, made.errors
    told = {image_id: (label, tone) for image_id, label, tone in map(cells, lines(bench))}
    assert Counter(told[row["sources"]][1] for row in made.rows) == {
        "I": 8,
        "II": 6,
        "V": 2,
        "VI": 2,
    }
    used = set()
    for row in made.rows:
        label, own = told[row["sources"]]
        assert (row["label"], row["image_id"]) == (label, f"{row['sources']}_0")
        assert row["tone"] == (own if own in {"V", "VI"} else row["tone"])
        tone = {"V": "a dark-skinned", "VI": "a very dark-skinned"}[row["tone"]]
        wanted = f"An image of {words[label]} on the skin of {tone} individual"
        assert row["prompt"] == wanted
        assert made.image(row).shape == (16, 16, 3)
        used |= set(row["models"].split())
        assert all(WORDS[label] in part or part == "lora" for part in row["models"].split())
    assert {row["tone"] for row in made.rows} == {"V", "VI"}
    assert used == parts
    if fitted is not None:
        assert set(lineage(fitted)) == parts


def lines(bench):
    return (bench.inputs / "train.csv").read_text().splitlines()[1:]


def cells(line):
    return line.split(",")


def test_a_word_descends_from_its_own_images_and_the_lora_from_all(made_by, bench):
    fitted, _ = made_by("skin-diff")
    parts = lineage(fitted)
    own = sorted(line.split(",")[0] for line in lines(bench) if ",psoriasis," in line)
    assert parts["word-pso-class"]["sources"] == own
    assert parts["lora"]["sources"] == sorted(line.split(",")[0] for line in lines(bench))


def test_the_form_of_2024_as_published_learns_each_word_from_all_images(made_by, bench):
    ids = sorted(line.split(",")[0] for line in lines(bench))
    as_meant = lineage(made_by("skin-diff-2024")[0])
    published = lineage(made_by("skin-diff-2024", inversion_unfiltered=True)[0])
    assert len(as_meant["word-bas-class"]["sources"]) == 12
    assert published["word-bas-class"]["sources"] == ids
    assert len(published["lora-bas-class"]["sources"]) == 12


def test_the_same_job_gives_the_same_bytes_and_another_seed_does_not(bench, pipeline):
    given = QUICK | {"pipeline": pipeline}
    fits = [bench.run("skin-diff", "fit", given, seed=seed) for seed in (0, 0, 1)]
    models = [{k: v for k, v in fit.files().items() if k.startswith("model/")} for fit in fits]
    assert models[0] == models[1]
    assert models[0].keys() == models[2].keys()
    assert models[0] != models[2]
    runs = [
        bench.run("skin-diff", "generate", given, fits[0].out / "model", seed=seed).files()
        for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_ratio_limits_how_many_sources_are_used(made_by):
    _, made = made_by("img2img-plain", per_source=3, ratio=0.5)
    assert Counter(Counter(row["sources"] for row in made.rows).values()) == {3: 4}


def test_images_of_one_source_differ_and_share_their_tone(made_by):
    _, made = made_by("img2img-plain", per_source=3, ratio=0.5, strength=1.0)
    first = [row for row in made.rows if row["sources"] == made.rows[0]["sources"]]
    assert len({row["tone"] for row in first}) == 1
    images = [made.image(row).astype(int) for row in first]
    assert abs(images[0] - images[1]).max() > 2


def test_another_batch_size_gives_the_same_images(made_by):
    runs = [made_by("img2img-plain", sampling_batch=batch)[1] for batch in (1, 7)]
    for one, other in zip(*(run.rows for run in runs), strict=True):
        assert one == other
        assert abs(runs[0].image(one).astype(int) - runs[1].image(other)).max() <= 1


def test_a_lora_that_learned_changes_the_images(made_by):
    _, plain = made_by("img2img-plain", strength=1.0)
    fitted, tuned = made_by("lora-only", strength=1.0, lora_learning_rate=0.1, lora_steps=6)
    learned = load_file(fitted.out / "model" / "lora" / "pytorch_lora_weights.safetensors")
    assert max(float(v.abs().max()) for k, v in learned.items() if "up" in k) > 0.05
    differences = [abs(plain.image(row).astype(int) - tuned.image(row)).max() for row in plain.rows]
    assert max(differences) > 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"pipeline": "none"}, "parameter pipeline is 'none', wanted a Stable Diffusion pipeline"),
        ({"targets": ["V-VI"]}, "targets are V-VI, none of which is a tone of this task"),
        ({"strength": 0.2}, "strength 0.2 of 4 steps does no step at all"),
        ({"per_source": 0}, "per_source is 0 and ratio is 5.0, wanted"),
        ({"ratio": 0.01}, "ratio 0.01 allows no variant of any source"),
        ({"caption": "An image"}, "caption is 'An image', wanted one with {token} in it"),
        ({"precision": "fp16"}, "precision is 'fp16', which needs device 'cuda'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(made_by, changed, said):
    _, made = made_by("img2img-plain", **changed)
    assert made.code == 1
    assert made.errors.startswith("error: ")
    assert said in made.errors
    assert made.errors.count("\n") == 1


def test_captions_for_words_are_the_eleven_of_the_released_script():
    captions = read_plugin(ROOT, "method", "skin-diff").file.parameters["inversion_templates"]
    assert captions.default == [
        "a photo of a {}",
        "a rendering of a {}",
        "a cropped photo of the {}",
        "the photo of a {}",
        "a close-up photo of a {}",
        "a cropped photo of a {}",
        "a photo of the {}",
        "a photo of one {}",
        "a close-up photo of the {}",
        "a rendition of the {}",
        "a rendition of a {}",
    ]


@pytest.mark.parametrize("method", ["skin-diff", "skin-diff-2024", "ti-only"])
def test_captions_for_words_speak_of_no_brightness(method):
    """The released script left 'dark', 'bright', 'clean' and 'dirty' out of the usual list."""
    captions = read_plugin(ROOT, "method", method).file.parameters["inversion_templates"].default
    assert len(set(captions)) == 11
    words = {word for caption in captions for word in caption.split()}
    plain = {"a", "the", "of", "one", "photo", "rendering", "cropped", "close-up", "rendition"}
    assert words == plain | {"{}"}


def test_words_learn_one_at_a_time_on_a_gpu_unless_told(bench):
    def at_once_of(device, told):
        job = Job(
            "fit",
            "toy",
            ("a",),
            (),
            ("I",),
            0,
            8,
            "crop",
            {"inversion_at_once": told},
            device,
            1,
            9,
        )
        return at_once(job)

    assert [at_once_of("cuda", 0), at_once_of("cuda", 7), at_once_of("cpu", 0)] == [1, 7, 0]


def test_a_pipeline_for_inpainting_cannot_learn(made_by, bench, tmp_path):
    painter = build_pipeline(tmp_path / "painter", in_channels=9)
    made = bench.run("skin-diff", "fit", QUICK | {"pipeline": painter})
    assert made.code == 1
    assert "pipeline: its network has 9 input channels, as inpainting weights have" in made.errors
    assert made.errors.count("\n") == 1


def test_a_pipeline_without_a_part_is_refused(made_by, pipeline, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "unet").symlink_to(pipeline / "unet")
    _, made = made_by("img2img-plain", pipeline=Path(broken))
    assert "has no vae, text_encoder, tokenizer, scheduler, wanted a pipeline folder" in made.errors


def test_a_pipeline_of_pickles_is_refused(made_by, pipeline, tmp_path):
    pickled = tmp_path / "pickled"
    for part in pipeline.iterdir():
        if part.is_dir() and part.name != "unet":
            (pickled / part.name).parent.mkdir(exist_ok=True)
            (pickled / part.name).symlink_to(part)
    (pickled / "unet").mkdir()
    (pickled / "unet" / "config.json").write_text((pipeline / "unet" / "config.json").read_text())
    torch.save({}, pickled / "unet" / "diffusion_pytorch_model.bin")
    _, made = made_by("img2img-plain", pipeline=pickled)
    assert "the weights of unet are pickles (.bin)" in made.errors


def test_three_levels_count_tones_first_then_classes_then_sources(bench):
    """V has 3 images (2 of a, 1 of b), VI has 1 (of b); 8 more bring both tones to 6, and each class of them to 3."""
    cells = [("a", 0)] * 4 + [("b", 0)] * 2 + [("a", 4), ("a", 4), ("b", 4), ("b", 5)]
    parameters = {
        "majority": ["I"],
        "targets": ["V", "VI"],
        "per_source": 5,
        "ratio": 0.8,
        "balance": "three-level",
    }
    tones = ("I", "II", "III", "IV", "V", "VI")
    job = Job("generate", "toy", ("a", "b"), (), tones, 0, 8, "crop", parameters, "cpu", 1, 9)
    train = Partition(
        tuple(map(str, range(10))),
        np.array(["ab".index(label) for label, _ in cells]),
        np.array([t for _, t in cells]),
        Pictures((np.zeros((10, 8, 8, 3), np.uint8),)),
    )
    variants = plan_variants(Stage(job, bench.inputs, bench.place), train)
    made = Counter((cells[v.row][0], v.t) for v in variants)
    assert made == {("a", 4): 1, ("b", 4): 2, ("a", 5): 3, ("b", 5): 2}
    # VI of a: three of the four light images of a, each once; a dark source stays dark.
    assert len({v.row for v in variants if cells[v.row][0] == "a" and v.t == 5}) == 3
    assert all(v.t == cells[v.row][1] for v in variants if cells[v.row][1] > 3)
    assert len({(v.row, v.k) for v in variants}) == len(variants)


def test_tones_are_drawn_about_equally(bench):
    parameters = {
        "majority": ["I"],
        "targets": ["V", "VI"],
        "per_source": 2,
        "ratio": 5.0,
        "balance": "off",
    }
    job = Job(
        "generate", "toy", ("a",), (), ("I", "V", "VI"), 0, 8, "crop", parameters, "cpu", 1, 9
    )
    n = 400
    t = np.array([0] * (n - 2) + [1, 2])
    train = Partition(
        tuple(map(str, range(n))),
        np.zeros(n, int),
        t,
        Pictures((np.zeros((n, 8, 8, 3), np.uint8),)),
    )
    variants = plan_variants(Stage(job, bench.inputs, bench.place), train)
    assert len(variants) == 800
    # 398 fair coins: 199, with a standard deviation of 10.
    assert 150 < sum(v.t == 1 for v in variants[:796]) / 2 < 250
    assert [v.t for v in variants[796:]] == [1, 1, 2, 2]
