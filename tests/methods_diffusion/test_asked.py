"""Methods that ask for images in words: zero-shot and DreamBooth."""

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from masked_toy import Made, Workbench, draw_masked
from PIL import Image
from programs import importable
from safetensors.torch import load_file, save_file
from tiny_pipeline import build_pipeline

from tonegap.declared.plugin import read_plugin
from tonegap_kit.diffusion.lora import Captioned, CaptionedSides
from tonegap_kit.diffusion.models import open_models
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch, encode_examples
from tonegap_kit.diffusion.text2img_plan import worded
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Pictures

ROOT = Path(__file__).parents[2]

# One dark image of 36, so that both classes are short of it.
TONES = ("I", "II", "III", "IV", "I", "II", "III", "IV", "VI")
QUICK = {"sampling_steps": 2, "ratio": 0.2, "targets": ["VI"]}
TRAINED = QUICK | {
    "augmentation": False,
    "epochs": 1,
    "batch": 4,
    "prior_images": 2,
    "learning_rate": 1e-3,
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_pipeline(tmp_path_factory.mktemp("pipelines") / "tiny")


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    inputs = draw_masked(tmp_path / "toy", n=36, tones=TONES)
    (tmp_path / "work").mkdir()
    return Workbench(tmp_path / "work", inputs, monkeypatch, capsys)


Dream = Callable[..., tuple[Made, Made]]


@pytest.fixture
def dream(bench: Workbench, pipeline: Path) -> Dream:
    def run(**parameters: object) -> tuple[Made, Made]:
        given = TRAINED | {"pipeline": pipeline} | parameters
        fitted = bench.run("dreambooth", "fit", given)
        assert fitted.code == 0, fitted.errors
        return fitted, bench.run("dreambooth", "generate", given, fitted.out / "model")

    return run


def test_a_template_is_filled_with_the_words_for_type_and_group() -> None:
    asked = "An image of {label} on {tone} individual, a {group} skin"
    filled = worded(asked, "psoriasis", "VI")
    assert filled == "An image of psoriasis on a very dark-skinned individual, a dark skin"
    with pytest.raises(StageError, match=r"wanted one with \{label\} in it"):
        worded("An image", "psoriasis", "VI")


def test_without_the_tone_the_prompt_is_the_published_one() -> None:
    asked = "An image of {label}, a skin disease"
    assert (
        worded(asked, "basal cell carcinoma", "")
        == "An image of basal cell carcinoma, a skin disease"
    )
    own = read_plugin(ROOT, "method", "dreambooth").file.parameters["template"].default
    assert str(own).startswith(asked)


def test_zero_shot_images_have_words_and_no_source(bench: Workbench, pipeline: Path) -> None:
    made = bench.run("text2img-plain", "generate", QUICK | {"pipeline": pipeline})
    assert made.code == 0, made.errors
    assert made.rows
    for row in made.rows:
        assert row["tone"] == "VI"
        assert row["prompt"] == (
            f"An image of {row['label']}, a skin disease, on the skin of a very dark-skinned individual"
        )
        assert row["sources"] == row["models"] == ""
        assert made.image(row).shape == (32, 32, 3)


def test_without_a_tone_in_the_template_the_tone_is_unknown(
    bench: Workbench, pipeline: Path
) -> None:
    plain = QUICK | {"pipeline": pipeline, "template": "An image of {label}"}
    made = bench.run("text2img-plain", "generate", plain)
    assert {row["tone"] for row in made.rows} == {""}


def test_zero_shot_gives_the_same_bytes_and_another_seed_others(
    bench: Workbench, pipeline: Path
) -> None:
    given = QUICK | {"pipeline": pipeline}
    once = bench.run("text2img-plain", "generate", given).files()
    assert bench.run("text2img-plain", "generate", given | {"sampling_batch": 8}).files() == once
    other = bench.run("text2img-plain", "generate", given, seed=1).files()
    assert other["synthetic.csv"] != once["synthetic.csv"]


def test_each_class_has_a_network_that_names_its_own_images(dream: Dream, bench: Workbench) -> None:
    fitted, made = dream()
    lines = (bench.inputs / "train.csv").read_text().splitlines()[1:]
    labels = {i: label for i, label, _ in (line.split(",") for line in lines)}
    lineage = json.loads((fitted.out / "model" / "lineage.json").read_text())
    for y, label in enumerate(("basal cell carcinoma", "psoriasis")):
        part = lineage["parts"][f"network-{y}"]
        assert part["sources"] == sorted(i for i, own in labels.items() if own == label)
        rows = [row for row in made.rows if row["label"] == label]
        assert rows
        assert {row["models"] for row in rows} == {f"network-{y}"}


def test_the_networks_are_trained_and_differ_from_each_other(dream: Dream, pipeline: Path) -> None:
    fitted, _ = dream()
    begun = load_file(pipeline / "unet" / "diffusion_pytorch_model.safetensors")
    ends = [load_file(fitted.out / "model" / f"network-{y}.safetensors") for y in range(2)]
    name = "conv_in.weight"
    assert set(ends[0]) == set(begun)
    assert not torch.equal(ends[0][name], begun[name])
    assert not torch.equal(ends[0][name], ends[1][name])


def test_no_checkpoint_stays_beside_a_network_that_is_saved(dream: Dream) -> None:
    names = [name for name in dream()[0].files() if name.endswith(".safetensors")]
    assert names == ["model/network-0.safetensors", "model/network-1.safetensors"]


def test_nothing_of_a_trained_network_is_left_when_the_next_is_read(
    pipeline: Path, tmp_path: Path
) -> None:
    """Two at once would be 20 GB at full size; what only a cycle of references holds would stay for a while."""
    with importable("methods/dreambooth"):
        from finetune import finetune, save_network
    models = open_models(pipeline, torch.device("cpu"))
    side = models.image_px
    encoded = encode_examples(models, np.zeros((2, side, side, 3), np.uint8), mirror=False)
    sides = CaptionedSides(Captioned(encoded, torch.arange(2), ("a", "b")), None, 1.0)
    gc.collect()
    gc.disable()
    try:
        finetune(models, sides, StepRecipe(1, 2, 1, 1e-4), 0, Watch("network"))
        save_network(tmp_path / "network.safetensors", models, torch.float32, Watch("network"))
        emptied = [*models.text_encoder.parameters(), *models.vae.decoder.parameters()]
        assert {p.device.type for p in emptied} == {"meta"}
        assert {p.device.type for p in models.vae.encoder.parameters()} == {"cpu"}
        held = [weakref.ref(part) for part in (models.unet, models.vae, models.text_encoder)]
        held += [weakref.ref(p) for p in models.unet.parameters()]
        del models, sides, emptied
        assert [ref for ref in held if ref() is not None] == []
        assert [o for o in gc.get_objects() if type(o) is torch.optim.AdamW] == []
    finally:
        gc.enable()


def test_a_network_of_an_earlier_try_is_not_trained_again(
    dream: Dream, bench: Workbench, pipeline: Path
) -> None:
    whole = dream()[0].out / "model"
    # What was kept as the first network is the second one's: that shows that nobody trained it.
    kept = [("network-0.trained.safetensors", whole / "network-1.safetensors")]
    again = bench.run("dreambooth", "fit", TRAINED | {"pipeline": pipeline}, kept=kept)
    model = again.out / "model"
    wanted = (whole / "network-1.safetensors").read_bytes()
    assert (model / "network-0.safetensors").read_bytes() == wanted
    assert (model / "network-1.safetensors").read_bytes() == wanted


def test_a_step_sees_each_image_cropped_coloured_and_mirrored_anew(pipeline: Path) -> None:
    models = open_models(pipeline, torch.device("cpu"))
    ramp = np.linspace(0, 200, 48).astype(np.uint8)  # dark on the left
    image = np.broadcast_to(ramp[None, None, :, None], (1, 48, 48, 3)).copy()
    with importable("methods/dreambooth"):
        from augmented import Augmented

        drawn = Augmented(models, Pictures((image,)))
    rows = torch.tensor([0, 0])
    one, same, other = (drawn.draw(rows, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert one.shape == (2, *models.latent_shape)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    seen = [drawn._change(Image.fromarray(image[0])) for _ in range(200)]
    mirrored = sum(bool(x[0, 0, 0] > x[0, 0, -1]) for x in seen)
    assert 70 < mirrored < 130  # a fair coin: 100, with a standard deviation of 7
    least = min(float(x.min()) for x in seen)
    assert least == pytest.approx(-1, abs=0.05)
    # Brightness changes by at most 5 %, and so does contrast; a crop keeps nine tenths or more.
    most = [float(x.max()) for x in seen]
    assert max(most) < 200 / 127.5 * 1.05 * 1.05 - 1 + 0.02
    assert min(most) > 200 / 127.5 * 0.9 * 0.95 * 0.95 - 1 - 0.02
    assert len(set(most)) > 10


def test_a_joint_network_serves_all_classes(dream: Dream) -> None:
    _, made = dream(joint=True)
    assert {row["models"] for row in made.rows} == {"network"}
    assert len({row["label"] for row in made.rows}) == 2


def test_the_published_training_sees_other_images_than_the_plain_one(dream: Dream) -> None:
    name = "model/network-0.safetensors"
    assert dream(augmentation=True)[0].files()[name] != dream()[0].files()[name]


def test_prior_images_change_what_is_learned(dream: Dream) -> None:
    with_prior, _ = dream()
    without, _ = dream(prior_images=0)
    name = "model/network-0.safetensors"
    assert with_prior.files()[name] != without.files()[name]


def test_dreambooth_gives_the_same_bytes_twice(dream: Dream) -> None:
    once, again = dream(), dream()
    assert [made.files() for made in once] == [made.files() for made in again]
    assert np.all([row["seed"] for row in once[1].rows])


def test_a_finished_network_that_is_none_is_not_handed_over(
    bench: Workbench, pipeline: Path, dream: Dream, tmp_path: Path
) -> None:
    """Forged, empty, of another network, or with numbers that are none; the finished one is taken as it is."""
    fitted, _ = dream()
    good = fitted.out / "model" / "network-0.safetensors"
    tensors = load_file(good)
    name = next(iter(tensors))
    forms: dict[str, bytes | dict[str, torch.Tensor]] = {
        "garbage": b"garbage",
        "empty": b"",
        "fewer": {k: v for k, v in tensors.items() if k != name},
        "shape": tensors | {name: tensors[name][..., None]},
        "nan": tensors | {name: tensors[name] * float("nan")},
    }
    given = TRAINED | {"pipeline": pipeline}
    for form, content in forms.items():
        path = tmp_path / form
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            save_file(content, path)
        kept = [("network-0.trained.safetensors", path)]
        made = bench.run("dreambooth", "fit", given, kept=kept)
        assert made.code == 1, form
        assert "network-0.trained.safetensors: is no finished network of this pipe" in made.errors
        assert not (made.out / "model").exists()
    kept = [("network-0.trained.safetensors", good)]
    again = bench.run("dreambooth", "fit", given, kept=kept)
    assert again.code == 0, again.errors
    assert (again.out / "model" / "network-0.safetensors").read_bytes() == good.read_bytes()
