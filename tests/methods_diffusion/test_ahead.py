"""What a method's `generate`, or a later step of its `fit`, would refuse: said before anything is learned."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from masked_toy import Made, Workbench, draw_masked
from tiny_pipeline import build_pipeline
from transformers import CLIPTokenizer

from tonegap_kit.command import Stage
from tonegap_kit.diffusion.ahead import check_steps
from tonegap_kit.errors import StageError
from tonegap_kit.job import Job

INVERSION = {"inversion_steps": 1, "inversion_batch": 2, "inversion_accumulation": 1}
LORA = {"lora_steps": 1, "lora_batch": 2}
VARIANTS = {"sampling_steps": 4, "per_source": 1, "output_px": 16, "ratio": 0.2}
QUICK: dict[str, dict[str, Any]] = {
    "skin-diff": VARIANTS | INVERSION | LORA,
    "skin-diff-2024": VARIANTS | INVERSION | LORA,
    "ti-only": VARIANTS | INVERSION,
    "lora-only": VARIANTS | LORA,
    "magic": {
        **{"sampling_steps": 4, "strength": 0.8, "output_px": 16, "ratio": 0.2, "lora_rank": 2},
        **{"pairs": 2, "preference_steps": 1, "preference_accumulation": 1},
        **(INVERSION | LORA),
    },
    "cgddi-semantic": {
        **{"min_images": 2, "healthy_images": 1, "healthy_steps": 2, "prior_images": 1},
        **{"sampling_steps": 4, "repeats": 1, "ratio": 0.5, "output_px": 16},
        **{"lora_resolution_px": 0, "held_out": 0.1},
        **(INVERSION | LORA),
    },
    "dreambooth": {
        **{"augmentation": False, "epochs": 1, "batch": 8, "prior_images": 0},
        **{"sampling_steps": 2, "ratio": 0.2, "targets": ["VI"], "fill": 2.0},
    },
}
Try = Callable[..., Made]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_pipeline(tmp_path_factory.mktemp("pipelines") / "tiny")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_masked(tmp_path_factory.mktemp("ahead") / "toy", n=24)


@pytest.fixture
def attempt(
    drawn: Path,
    pipeline: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Try:
    """Runs a stage on the drawn images, whose labels and tones are called as `renamed` says."""

    def run(
        method: str,
        stage: str = "fit",
        renamed: Mapping[str, str] | None = None,
        model: Path | None = None,
        job: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> Made:
        inputs, work = tmp_path / "in", tmp_path / "work"
        if not inputs.exists():
            shutil.copytree(drawn, inputs)
            work.mkdir()
            rename(inputs / "train.csv", renamed or {})
        bench = Workbench(work, inputs, monkeypatch, capsys)
        given = QUICK[method] | {"pipeline": pipeline} | parameters
        return bench.run(method, stage, given, model, **(job or {}))

    return run


def rename(table: Path, names: Mapping[str, str]) -> None:
    with table.open(newline="", encoding="utf-8") as f:
        rows = [[names.get(cell, cell) for cell in row] for row in csv.reader(f)]
    with table.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)


def refused(made: Made) -> str:
    """What was said in one sentence, nothing having been learned."""
    assert made.code == 1, made.errors
    assert not [path for path in made.out.rglob("*") if path.is_file()]
    (line,) = [one for one in made.errors.splitlines() if not one.startswith("tonegap-")]
    return line


SAMPLED = [
    ({"sampling_steps": 2000}, "sampling_steps is 2000, wanted at most 1000, as the"),
    ({"output_px": 0}, "output_px is 0, wanted a side of 1 to 4,096 pixels"),
    ({"output_px": 5000}, "output_px is 5000, wanted a side of 1 to 4,096 pixels"),
    ({"guidance": float("nan")}, "parameter guidance is nan, wanted a finite number"),
    ({"strength": float("inf")}, "parameter strength is inf, wanted a finite number"),
    ({"ratio": float("nan")}, "parameter ratio is nan, wanted a finite number"),
    ({"checkpoint_every": -1}, "checkpoint_every is -1, wanted steps between two checkpoints"),
]
CAPTIONED = [
    ({"caption": "no word"}, "caption is 'no word', wanted one with {token} in it"),
    (
        {"caption": "{token} of {style}"},
        "caption is '{token} of {style}', wanted no braces but those of {token}, {tone}",
    ),
]
WORDED = [
    ({"inversion_templates": ["a {} in {style}"]}, "wanted no braces but those of {}"),
    ({"inversion_templates": ["{} {"]}, "wanted no braces but those of {}"),
    ({"inversion_at_once": -1}, "inversion_at_once is -1, wanted how many words"),
    (
        {"inversion_initial_token": "no one word"},
        "inversion_initial_token is 'no one word', which is",
    ),
]
OF = {
    "skin-diff": [*SAMPLED, *CAPTIONED, *WORDED],
    "skin-diff-2024": [*SAMPLED[:2], *CAPTIONED[:1], WORDED[0], WORDED[3]],
    "ti-only": [*SAMPLED[:2], *CAPTIONED, *WORDED],
    "lora-only": [*SAMPLED[:2], *CAPTIONED],
    "magic": [
        *SAMPLED,
        *CAPTIONED,
        *WORDED[:1],
        ({"prompt": "no word"}, "prompt is 'no word', wanted one with {token} in it"),
        (
            {"prompt": "{token} {tones}"},
            "prompt is '{token} {tones}', wanted no braces but those of {tone}, {group}, {token}",
        ),
        ({"prompt": "{token} {label}"}, "wanted no braces but those of {tone}, {group}, {token}"),
        WORDED[3],
        ({"pairs": 0}, "pairs is 0 of 2 conditions, wanted 1 or more"),
        ({"preference_beta": -1.0}, "preference_beta is -1.0"),
        ({"preference_clip": 2.0}, "preference_clip 2.0"),
        ({"strength": 0.3}, "strength 0.3 leave 1 steps of sampling, of which the last has no"),
        ({"ratio": 0.001}, "0 images by ratio"),
    ],
    "cgddi-semantic": [
        *SAMPLED,
        *WORDED[2:],
        ({"targets": ["VII"]}, "targets are VII and 2 diseases were learned, wanted a tone"),
        (
            {"sampling_template": "none"},
            "sampling_template is 'none', wanted one with {label} in it",
        ),
        ({"template": "none"}, "template is 'none', wanted one with {label} in it"),
        (
            {"prior_prompt": "{label}"},
            "prior_prompt is '{label}', wanted no braces but those of {tone}, {group}",
        ),
        (
            {"healthy_prompt": "{label}"},
            "healthy_prompt is '{label}', wanted no braces but those of {tone}, {group}",
        ),
        ({"ratio": 0.0, "repeats": 0}, "ratio is 0.0 and repeats is 0, which allow no image"),
        ({"ratio": 0.001}, "ratio is 0.001 and repeats is 1, which allow no image"),
        ({"ratio": -1.0}, "ratio is -1.0 and repeats is 1, which allow no image"),
        ({"healthy_steps": 1001}, "healthy_steps is 1001, wanted at most 1000, as the"),
        ({"healthy_strength": 0.0}, "strength is 0.0, wanted a number above 0"),
        ({"healthy_dilation_px": -1}, "healthy_dilation_px is -1"),
        ({"held_out": 1.0}, "held_out is 1.0, wanted a share from 0 to below 1"),
        ({"min_images": 99}, "no class has min_images (99) or more images"),
        ({"lora_resolution_px": -5}, "lora_resolution_px is -5, wanted a side of 1 to"),
        ({"prior_images": -1}, "prior_images is -1"),
    ],
    "dreambooth": [
        ({"template": "none"}, "template is 'none', wanted one with {label} in it"),
        ({"template": "{label} {token}"}, "wanted no braces but those of {tone}, {group}, {label}"),
        ({"sampling_steps": 2000}, "sampling_steps is 2000, wanted at most 1000, as the"),
        ({"ratio": 0.001}, "ratio is 0.001, which of 24 training images allows no image"),
        ({"fill": float("inf")}, "parameter fill is inf, wanted a finite number"),
        ({"batch": 0}, "batch is 0, wanted 1 or more"),
        ({"epochs": 0}, "steps is 0, wanted 1 or more"),
        ({"precision": "fp16"}, "precision is 'fp16', which needs device 'cuda'"),
        ({"prior_images": -1}, "prior_images is -1"),
    ],
}


@pytest.mark.parametrize(
    ("method", "parameters", "said"),
    [(method, *case) for method, cases in OF.items() for case in cases],
)
def test_a_parameter_is_refused_before_anything_is_learned(
    attempt: Try, method: str, parameters: dict[str, Any], said: str
) -> None:
    assert said in refused(attempt(method, **parameters))


OPENS_NOTHING = [
    *(
        (method, "fit", {"inversion_initial_token": "no one word"}, "inversion_initial_token is")
        for method in ("skin-diff", "skin-diff-2024", "ti-only", "magic", "cgddi-semantic")
    ),
    ("magic", "fit", {"strength": 0.3}, "strength 0.3 leave 1 steps of sampling"),
    ("skin-diff", "fit", {"acceleration": ["x"]}, "acceleration: found 'x', wanted some of"),
    ("img2img-plain", "generate", {"output_px": 0}, "output_px is 0, wanted a side of"),
    ("cgddi-healthy", "generate", {"healthy_prompt": "{x}"}, "healthy_prompt is '{x}', wanted no"),
    ("cgddi-healthy", "generate", {"healthy_edge_sigma_px": -1.0}, "healthy_edge_sigma_px is -1.0"),
    (
        "cgddi-lesion-mapping",
        "generate",
        {"healthy": "diffusion", "healthy_prompt": "{x}", "as_published": True},
        "healthy_prompt is '{x}', wanted no",
    ),
]


@pytest.mark.parametrize(("method", "stage", "parameters", "said"), OPENS_NOTHING)
def test_it_is_refused_before_the_network_is_read(
    attempt: Try,
    pipeline: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    stage: str,
    parameters: dict[str, Any],
    said: str,
) -> None:
    """The network's weights are cut: opening them would end the stage with another sentence."""
    cut = shutil.copytree(pipeline, tmp_path / "cut")
    for part in ("unet", "vae", "text_encoder"):
        for path in (cut / part).glob("*.safetensors"):
            path.write_bytes(b"cut")
    own = {"img2img-plain": VARIANTS, "cgddi-healthy": {"labels": ["psoriasis"]}}
    monkeypatch.setitem(QUICK, method, QUICK.get(method, own.get(method, {})))
    found = attempt(method, stage, pipeline=cut, **parameters)
    assert (found.code, said in found.errors) == (1, True), found.errors


def test_such_a_network_is_told_of_where_nothing_else_is_wrong(
    attempt: Try, pipeline: Path, tmp_path: Path
) -> None:
    """Or else the test above could not fail."""
    cut = shutil.copytree(pipeline, tmp_path / "cut")
    (cut / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    assert "cannot be read as safetensors" in refused(attempt("skin-diff", pipeline=cut))


@pytest.mark.parametrize("method", ["skin-diff", "ti-only", "magic"])
def test_a_placeholder_that_the_pipeline_knows_is_refused_before_the_network_is_read(
    attempt: Try, pipeline: Path, tmp_path: Path, method: str
) -> None:
    cut = shutil.copytree(pipeline, tmp_path / "cut")
    for path in (cut / "unet").glob("*.safetensors"):
        path.write_bytes(b"cut")
    tokenizer = CLIPTokenizer.from_pretrained(cut / "tokenizer")
    tokenizer.add_tokens(["pso-class"])
    tokenizer.save_pretrained(cut / "tokenizer")
    said = refused(attempt(method, pipeline=cut))
    assert "placeholder 'pso-class' is a word of the pipeline already" in said


@pytest.mark.parametrize("method", ["skin-diff", "cgddi-semantic", "magic"])
def test_generate_refuses_the_same_in_the_same_words(attempt: Try, method: str) -> None:
    fitted = attempt(method)
    assert fitted.code == 0, fitted.errors
    told = "sampling_template" if method == "cgddi-semantic" else "output_px"
    for name, value in {told: 0 if told == "output_px" else "none", "sampling_steps": 1001}.items():
        model = fitted.out / "model"
        asked = attempt(method, "generate", model=model, **{name: value})
        assert refused(asked) == refused(attempt(method, **{name: value}))


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("text2img-plain", {"template": "none"}),
        ("text2img-plain", {"sampling_steps": 1001}),
        ("img2img-plain", {"output_px": 0}),
        ("img2img-plain", {"majority": ["X"], "targets": ["VI"], "ratio": 0.01}),
    ],
)
def test_methods_that_learn_nothing_make_no_image_first(
    attempt: Try, monkeypatch: pytest.MonkeyPatch, method: str, parameters: dict[str, Any]
) -> None:
    given = {"text2img-plain": {"ratio": 0.2, "fill": 2.0}, "img2img-plain": VARIANTS}[method]
    monkeypatch.setitem(QUICK, method, {"sampling_steps": 4} | given)
    refused(attempt(method, "generate", **parameters))


OWN_TONES = {"I": "pale", "II": "fair", "III": "mid", "IV": "olive", "V": "brown", "VI": "deep"}


@pytest.mark.parametrize("method", ["skin-diff", "skin-diff-2024", "ti-only", "lora-only", "magic"])
def test_tones_that_have_no_words_are_refused(attempt: Try, method: str) -> None:
    tones = {"majority": ["pale", "fair"], "targets": ["brown", "deep"]}
    prompts = {"tones": [*OWN_TONES.values()], "prompt": "{token} on {tone} skin"}
    said = refused(attempt(method, renamed=OWN_TONES, **(prompts if method == "magic" else tones)))
    assert "has no words, wanted one of I, II, III" in said


def test_a_tone_of_the_captions_alone_needs_words_too(attempt: Try) -> None:
    """No image is asked for in III, but the LoRA's captions name it."""
    said = refused(attempt("lora-only", renamed={"III": "mid"}))
    assert "tone 'mid' has no words" in said


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("cgddi-semantic", ("a b", "a-b")),
        ("cgddi-semantic", ("Psoriasis", "psoriasis")),
        ("cgddi-semantic", ("a/b", "A b")),
        ("skin-diff", ("a b", "a-b")),
        ("skin-diff-2024", ("Psoriasis", "psoriasis")),
    ],
)
def test_classes_that_make_one_word_or_one_part_are_refused(
    attempt: Try, method: str, names: tuple[str, str]
) -> None:
    renamed = dict(zip(("basal cell carcinoma", "psoriasis"), names, strict=True))
    said = refused(attempt(method, renamed=renamed))
    assert f"classes {names[0]!r}" in said
    assert "have the same letters" in said


def test_a_class_of_unknown_tone_alone_has_no_lora(
    attempt: Try, drawn: Path, tmp_path: Path
) -> None:
    shutil.copytree(drawn, tmp_path / "in")
    (tmp_path / "work").mkdir()
    table = tmp_path / "in" / "train.csv"
    lines = table.read_text().splitlines()
    told = [one.rpartition(",")[0] + "," if ",psoriasis," in one else one for one in lines]
    table.write_text("\n".join([*told, ""]))
    said = refused(attempt("skin-diff-2024", job={"tones": [*OWN_TONES]}))
    assert "lora-pso-class: no training image of known tone" in said


@pytest.mark.parametrize("method", ["skin-diff", "skin-diff-2024", "ti-only", "magic"])
def test_a_class_without_images_has_no_word(attempt: Try, method: str) -> None:
    job = {"classes": ["basal cell carcinoma", "psoriasis", "wart"]}
    said = refused(attempt(method, job=job))
    assert "war" in said
    assert "no training image" in said


@pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is there")
def test_an_optimiser_that_is_not_installed_is_said_first(attempt: Try) -> None:
    said = refused(attempt("skin-diff", lora_optimiser="adamw-8bit"))
    assert "needs the package bitsandbytes" in said


def test_a_judgement_that_is_none_is_said_first(attempt: Try, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps({"image": 1}))
    said = refused(attempt("magic", feedback=tmp_path / "f.json"))
    assert "f.json: not a JSON list of objects with image" in said


def test_a_network_that_paints_is_refused_before_skin_is_painted(
    attempt: Try, tmp_path: Path
) -> None:
    nine = build_pipeline(tmp_path / "nine", in_channels=9)
    said = refused(attempt("cgddi-semantic", pipeline=nine))
    assert "its network has 9 input channels" in said


def test_leading_timesteps_leave_one_step_less(attempt: Try, tmp_path: Path) -> None:
    """As in the folders of Stable Diffusion: the first of 1000 steps would be timestep 1000, which there is none of."""
    plain = build_pipeline(tmp_path / "plain", "eps-pndm")
    said = refused(attempt("lora-only", pipeline=plain, sampling_steps=1000))
    assert "sampling_steps is 1000, wanted at most 999, as the pipeline was trained on 1000" in said
    few = {"ratio": 0.05, "sampling_steps": 999, "strength": 0.003}
    fitted = attempt("lora-only", pipeline=plain, **few)
    assert fitted.code == 0, fitted.errors
    made = attempt("lora-only", "generate", model=fitted.out / "model", pipeline=plain, **few)
    assert made.code == 0, made.errors
    assert len(made.rows) == 1


@pytest.mark.parametrize(
    ("method", "parameter"),
    [
        ("magic", "ratio"),
        ("cgddi-semantic", "ratio"),
        ("skin-diff", "ratio"),
        ("dreambooth", "ratio"),
    ],
)
def test_more_images_than_anybody_wants_are_refused_at_once(
    attempt: Try, method: str, parameter: str
) -> None:
    said = refused(attempt(method, **{parameter: 1e300}))
    assert "ratio is 1e+300, wanted at most 1,000 images for each training image" in said


def asked(place: Path, told: dict[str, Any], **parameters: object) -> Stage:
    """A generate stage with these parameters and a pipeline whose scheduler has these settings."""
    folder = place / "files" / "p" / "scheduler"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scheduler_config.json").write_text(json.dumps(told))
    values: dict[str, Any] = {"pipeline": "p#sha256=0"} | parameters
    job = Job("generate", "t", (), (), (), 0, 64, "crop", values, "cpu", 1, 60)
    return Stage(job, place, place)


@pytest.mark.parametrize(
    ("told", "sampler", "most"),
    [
        ({"_class_name": "PNDMScheduler"}, "folder", 999),  # the class has leading timesteps
        ({"_class_name": "PNDMScheduler", "steps_offset": 0}, "ddim", 999),
        ({"_class_name": "PNDMScheduler"}, "euler", 1000),  # linspace
        ({"_class_name": "EulerDiscreteScheduler"}, "folder", 1000),
        ({"_class_name": "PNDMScheduler", "timestep_spacing": "trailing"}, "pndm", 1000),
        ({"_class_name": "DDIMScheduler", "num_train_timesteps": 500}, "folder", 499),
    ],
)
def test_as_many_steps_as_a_sampler_can_take(
    tmp_path: Path, told: dict[str, Any], sampler: str, most: int
) -> None:
    for steps in (most, most + 1):
        stage = asked(tmp_path, told, sampler=sampler, sampling_steps=steps)
        if steps == most:
            check_steps(stage)
        else:
            with pytest.raises(StageError, match=f"wanted at most {most}"):
                check_steps(stage)


@pytest.mark.parametrize(
    ("told", "sampler", "least"),
    [
        ({"_class_name": "PNDMScheduler"}, "folder", 4),
        ({"_class_name": "DDIMScheduler", "skip_prk_steps": False}, "pndm", 4),
        ({"_class_name": "PNDMScheduler", "skip_prk_steps": True}, "folder", 1),
        ({"_class_name": "PNDMScheduler"}, "ddim", 1),
    ],
)
def test_as_few_steps_as_a_sampler_can_take(
    tmp_path: Path, told: dict[str, Any], sampler: str, least: int
) -> None:
    """PNDM itself cannot take fewer, where it begins with Runge and Kutta's."""
    kind = {"pndm": "PNDMScheduler", "ddim": "DDIMScheduler"}.get(sampler, told["_class_name"])
    for steps in (1, 2, 3, 4):
        stage = asked(tmp_path, told, sampler=sampler, sampling_steps=steps)
        its = getattr(diffusers, kind).from_config(told)
        if steps >= least:
            check_steps(stage)
            its.set_timesteps(steps)
        else:
            with pytest.raises(StageError, match=f"sampling_steps is {steps}, wanted at least 4"):
                check_steps(stage)
            with pytest.raises(ValueError, match="could not be broadcast"):
                its.set_timesteps(steps)
