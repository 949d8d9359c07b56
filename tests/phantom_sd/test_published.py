"""The pipeline that is part of the project: what it weighs, that stock classes read it, and what it draws."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.phantom.models.training.captions import corpus
from benchmarks.phantom.models.training.evaluation import Asking, Verdict, judge, sample
from benchmarks.phantom.models.training.phantom_classifier import read_classifier
from benchmarks.phantom.models.training.pictures import TYPICAL, classes, draw_pictures
from benchmarks.phantom.models.training.publishing import CLASSIFIER, DIGESTS, PIPELINE, digests
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

MODELS = Path(__file__).parents[2] / "benchmarks" / "phantom" / "models"
FOLDER = MODELS / PIPELINE
CONDITIONS = classes()[:-1]  # without healthy skin


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def files() -> list[Path]:
    return [path for path in FOLDER.rglob("*") if path.is_file()]


def test_the_pipeline_weighs_at_most_8_mb():
    assert sum(path.stat().st_size for path in files()) <= 8_000_000


def test_the_classifier_weighs_at_most_1_mb():
    assert (MODELS / CLASSIFIER).stat().st_size <= 1_000_000


def test_every_file_has_the_digest_that_is_written_down():
    assert digests(MODELS) == (MODELS / DIGESTS).read_text(encoding="utf-8")


def test_a_changed_file_would_be_seen(tmp_path):
    (tmp_path / PIPELINE).mkdir()
    (tmp_path / PIPELINE / "a").write_bytes(b"abc")
    (tmp_path / CLASSIFIER).write_bytes(b"")
    first = hashlib.sha256(b"abc").hexdigest()
    assert digests(tmp_path).splitlines()[1] == f"{first}  {PIPELINE}/a"


def test_weights_are_safetensors_alone():
    suffixes = {path.suffix for path in files()}
    assert suffixes == {".safetensors", ".json"}


def test_the_noise_ends_in_nothing_but_noise():
    scheduler = json.loads((FOLDER / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["prediction_type"] == "v_prediction"
    assert scheduler["rescale_betas_zero_snr"] is True
    assert scheduler["timestep_spacing"] == "trailing"


def test_the_tokenizer_knows_every_word_of_the_captions():
    tokenizer = StableDiffusionPipeline.from_pretrained(FOLDER, local_files_only=True).tokenizer
    tokens = {token for caption in corpus(classes()) for token in tokenizer.tokenize(caption)}
    assert [token for token in tokens if not token.endswith("</w>")] == []


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    found = StableDiffusionPipeline.from_pretrained(FOLDER, local_files_only=True)
    found.set_progress_bar_config(disable=True)
    return found


def test_the_same_seed_gives_the_same_picture(pipeline):
    one, same = (
        pipeline(
            "An image of psoriasis",
            num_inference_steps=4,
            generator=torch.Generator().manual_seed(3),
        ).images[0]
        for _ in range(2)
    )
    assert np.array_equal(np.asarray(one), np.asarray(same))


def test_little_strength_keeps_the_picture_it_starts_from(pipeline):
    drawn = draw_pictures("start", 1, TYPICAL)
    start = Image.fromarray(drawn.images[0])
    img2img = StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    img2img.set_progress_bar_config(disable=True)
    near, far = (
        np.asarray(
            img2img(
                "An image of healthy skin",
                image=start,
                strength=strength,
                num_inference_steps=10,
                generator=torch.Generator().manual_seed(1),
            ).images[0],
            float,
        )
        for strength in (0.1, 1.0)
    )
    kept, lost = (np.abs(image - drawn.images[0]).mean() for image in (near, far))
    assert kept < 10
    assert kept < lost


def test_the_classifier_believes_drawings_it_has_not_seen():
    verdict = judge(draw_pictures("exam", 2, TYPICAL), read_classifier(MODELS / CLASSIFIER))
    assert verdict.class_right >= 0.95
    assert verdict.group_right >= 0.95


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    samples = sample(FOLDER, Asking(per_cell=1), CONDITIONS)
    return judge(samples, read_classifier(MODELS / CLASSIFIER))


@pytest.mark.slow
def test_the_classifier_recognises_the_class_of_most_samples(verdict):
    assert verdict.class_right >= 0.8


@pytest.mark.slow
def test_the_classifier_recognises_the_tone_group_of_most_samples(verdict):
    assert verdict.group_right >= 0.75


@pytest.mark.slow
def test_the_skin_of_most_samples_has_the_colour_asked_for(verdict):
    assert verdict.colour_group_right >= 0.75
