"""Words and LoRAs that somebody learned elsewhere: in what forms they are taken, and what becomes of their lineage."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from masked_toy import Made, Workbench, draw_masked
from safetensors.torch import load_file, save_file
from tiny_pipeline import WIDTH, build_pipeline

from tonegap.errors import BadOutput
from tonegap.formats.lineage import check_lineage
from tonegap_kit.diffusion.given import _rows_by_name
from tonegap_kit.errors import StageError

TONES = ("I", "II", "III", "IV", "I", "II", "III", "I", "II", "I", "V", "VI")
QUICK = {
    "sampling_steps": 4,
    "per_source": 1,
    "output_px": 16,
    "inversion_steps": 2,
    "inversion_batch": 2,
    "inversion_accumulation": 1,
    "lora_steps": 2,
    "lora_batch": 2,
    "lora_learning_rate": 1e-1,
}
OLD_NAMES = (
    (".to_out.0.", ".to_out."),
    (".lora_A.", "_lora.down."),
    (".lora_B.", "_lora.up."),
    (".lora.down.", "_lora.down."),
    (".lora.up.", "_lora.up."),
    ("attn1.to", "attn1.processor.to"),
    ("attn2.to", "attn2.processor.to"),
)
WORDS = {"bas-class": 1.0, "pso-class": 2.0}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_pipeline(tmp_path_factory.mktemp("pipelines") / "tiny")


@pytest.fixture(scope="module")
def made_before() -> dict[str, Made]:
    return {}


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    inputs = draw_masked(tmp_path / "toy", n=24, tones=TONES)
    (tmp_path / "work").mkdir()
    return Workbench(tmp_path / "work", inputs, monkeypatch, capsys)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A folder as two runs of diffusers' textual_inversion.py leave it."""
    for word, value in WORDS.items():
        folder = tmp_path / "learned" / word
        folder.mkdir(parents=True)
        save_file({word: torch.full((1, WIDTH), value)}, folder / "learned_embeds.safetensors")
    return tmp_path / "learned"


@pytest.fixture
def lora(bench: Workbench, pipeline: Path) -> Path:
    """The file that a fit of lora-only left."""
    fitted = bench.run("lora-only", "fit", QUICK | {"pipeline": pipeline})
    return fitted.out / "model" / "lora" / "pytorch_lora_weights.safetensors"


def ids(bench: Workbench) -> list[str]:
    return [
        line.split(",")[0] for line in (bench.inputs / "train.csv").read_text().splitlines()[1:]
    ]


def learned(fitted: Made) -> dict[str, torch.Tensor]:
    files = (fitted.out / "model" / "words").glob("*.safetensors")
    return {k: v for path in files for k, v in load_file(path).items()}


def test_given_words_and_lora_are_handed_on_without_a_pipeline_and_of_unknown_origin(
    bench: Workbench, words: Path, lora: Path, pipeline: Path
) -> None:
    """A fit with both has nothing to learn: it does not even read the pipeline, which is none here."""
    fitted = bench.run("skin-diff", "fit", QUICK | {"words": words, "lora": lora})
    assert fitted.code == 0, fitted.errors
    assert {k: float(v[0, 0]) for k, v in learned(fitted).items()} == WORDS
    kept = fitted.out / "model" / "lora" / "pytorch_lora_weights.safetensors"
    assert kept.read_bytes() == lora.read_bytes()
    parts = json.loads((fitted.out / "model" / "lineage.json").read_text())["parts"]
    assert set(parts) == {"word-bas-class", "word-pso-class", "lora"}
    assert all(part["sources"] == ["?"] for part in parts.values())
    check_lineage(fitted.out / "model", ids(bench))
    made = bench.run("skin-diff", "generate", QUICK | {"pipeline": pipeline}, fitted.out / "model")
    assert made.code == 0, made.errors
    assert made.rows
    assert all(row["sources"].split()[1:] == ["?"] for row in made.rows)


def test_a_source_that_is_neither_an_image_nor_unknown_is_still_refused(
    bench: Workbench, words: Path
) -> None:
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    path = fitted.out / "model" / "lineage.json"
    path.write_text(path.read_text().replace('"?"', '"x9"'))
    with pytest.raises(BadOutput, match="sources names 'x9'"):
        check_lineage(fitted.out / "model", ids(bench))


def test_given_words_leave_the_lora_to_be_learned_with_them(
    bench: Workbench, words: Path, pipeline: Path
) -> None:
    fitted = bench.run("skin-diff", "fit", QUICK | {"pipeline": pipeline, "words": words})
    assert fitted.code == 0, fitted.errors
    parts = json.loads((fitted.out / "model" / "lineage.json").read_text())["parts"]
    assert parts["word-bas-class"]["sources"] == ["?"]
    assert parts["lora"]["sources"] == sorted(ids(bench))


def test_an_aggregate_of_all_words_and_the_names_of_cgddi_are_taken(
    bench: Workbench, tmp_path: Path
) -> None:
    """The seeds' aggregate, with cgDDI's placeholders of whole names for skin-diff's of three letters."""
    folder = tmp_path / "aggregated"
    folder.mkdir()
    table = {
        "<basal_cell_carcinoma-class>": torch.full((1, WIDTH), 3.0),
        "<psoriasis-class>": torch.full((WIDTH,), 4.0),
        "<nevus-class>": torch.full((1, WIDTH), 5.0),
    }
    torch.save(table, folder / "aggregated_embeds_SEED=0.pt")
    fitted = bench.run("ti-only", "fit", QUICK | {"words": folder})
    assert fitted.code == 0, fitted.errors
    assert {k: float(v[0, 0]) for k, v in learned(fitted).items()} == {
        "bas-class": 3.0,
        "pso-class": 4.0,
    }


def test_a_class_without_a_word_is_named_with_what_was_found(bench: Workbench, words: Path) -> None:
    (words / "pso-class" / "learned_embeds.safetensors").unlink()
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    assert fitted.code == 1
    assert "words: learned has none for 'psoriasis' (looked for 'pso-class'" in fitted.errors
    assert fitted.errors.rstrip().endswith("found bas")


def test_a_training_s_checkpoints_and_a_pipeline_beside_words_are_passed_over(
    bench: Workbench, words: Path
) -> None:
    """textual_inversion.py leaves both: the first after 500 steps, the second where it pushes to a hub."""
    run = words / "bas-class"
    for name in ("checkpoint-500", "unet", "text_encoder"):
        (run / name).mkdir()
    torch.save({"state": {}, "param_groups": []}, run / "checkpoint-500" / "optimizer.bin")
    save_file({"bas-class": torch.zeros(1, 4)}, run / "unet" / "x.safetensors")
    save_file({"bas-class": torch.zeros(1, 4)}, run / "text_encoder" / "model.safetensors")
    (run / "._learned_embeds.safetensors").write_bytes(
        b"\0\5\26\7"
    )  # what macOS leaves on other disks
    early = {"bas-class": torch.zeros(1, WIDTH)}
    save_file(early, run / "learned_embeds-steps-500.safetensors")
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    assert fitted.code == 0, fitted.errors
    assert {k: float(v[0, 0]) for k, v in learned(fitted).items()} == WORDS


def test_two_runs_of_one_word_are_refused_unless_they_are_the_same(
    bench: Workbench, words: Path
) -> None:
    other = words / "SEED=1" / "learned_embeds.safetensors"
    other.parent.mkdir()
    save_file({"<bas-class>": torch.full((1, WIDTH), 1.0)}, other)
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    assert fitted.code == 0, fitted.errors
    save_file({"<bas-class>": torch.full((1, WIDTH), 7.0)}, other)
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    assert fitted.code == 1
    assert (
        "words: '<bas-class>' of SEED=1/learned_embeds.safetensors and 'bas-class' of "
        "bas-class/learned_embeds.safetensors have different numbers for 'basal cell carcinoma', wanted one of them; "
        "remove the other, or give the folder of one run" in fitted.errors
    )


@pytest.mark.parametrize(
    ("method", "stage", "ours"),
    [
        ("skin-diff", "fit", "bas-class"),
        ("skin-diff-2024", "fit", "bas-class"),
        ("ti-only", "fit", "bas-class"),
        ("magic", "fit", "bas-class"),
        ("text2img-plain", "generate", "bas-class"),
        ("cgddi-semantic", "fit", "<basal_cell_carcinoma-class>"),
    ],
)
def test_a_condition_by_its_placeholder_and_by_its_name_is_refused_before_any_work(
    bench: Workbench, words: Path, tmp_path: Path, method: str, stage: str, ours: str
) -> None:
    """Neither wins in silence; the pipeline's weights are none, so that nothing can have been opened."""
    cut = build_pipeline(tmp_path / "cut")
    for path in cut.glob("*/*.safetensors"):
        path.write_bytes(b"cut")
    file = words / "bas-class" / "learned_embeds.safetensors"
    one, other = torch.full((1, WIDTH), 1.0), torch.full((1, WIDTH), 7.0)
    save_file({ours: one, "basal cell carcinoma": other}, file)
    quick: dict[str, object] = {"sampling_steps": 4, "pipeline": cut, "words": words}
    quick |= {
        "cgddi-semantic": {"min_images": 2, "healthy_steps": 2},
        "magic": {"strength": 0.8},
    }.get(method, {})
    made = bench.run(method, stage, quick)
    assert made.code == 1
    where = "bas-class/learned_embeds.safetensors"
    both = [f"{name!r} of {where}" for name in (ours, "basal cell carcinoma")]
    assert all(entry in made.errors for entry in both), made.errors
    assert "different numbers for 'basal cell carcinoma', wanted one of them; remove" in made.errors
    save_file({ours: one, "basal cell carcinoma": one[0].clone()}, file)  # the same is no question
    assert "different numbers" not in bench.run(method, stage, quick).errors


@pytest.mark.parametrize("shape", [(1, 1, WIDTH), (0, WIDTH)])
def test_words_of_another_shape_are_refused_with_their_file(
    bench: Workbench, words: Path, shape: tuple[int, ...]
) -> None:
    save_file({"pso-class": torch.zeros(shape)}, words / "pso-class" / "learned_embeds.safetensors")
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    assert fitted.code == 1
    said = f"words: pso-class/learned_embeds.safetensors has numbers of the shape {list(shape)}"
    assert said in fitted.errors


def test_half_an_addition_is_refused_before_anything_is_learned(
    bench: Workbench, lora: Path, tmp_path: Path
) -> None:
    tensors = load_file(lora)
    gone = next(name for name in sorted(tensors) if ".down." in name)
    del tensors[gone]
    save_file(tensors, tmp_path / "x.safetensors")
    fitted = bench.run("lora-only", "fit", QUICK | {"lora": tmp_path / "x.safetensors"})
    assert fitted.code == 1
    assert f"and no {gone}, wanted both halves of each addition" in fitted.errors


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ({"strength": 2.0}, "strength is 2.0"),
        ({"per_source": 0}, "per_source is 0"),
        ({"targets": ["VII"]}, "targets are VII"),
    ],
)
@pytest.mark.parametrize("method", ["skin-diff", "skin-diff-2024", "ti-only", "lora-only"])
def test_what_generate_would_refuse_is_refused_before_anything_is_learned(
    bench: Workbench, method: str, parameter: dict[str, object], said: str
) -> None:
    """No pipeline is read until then: there is none here."""
    fitted = bench.run(method, "fit", QUICK | parameter)
    assert fitted.code == 1
    assert said in fitted.errors


@pytest.mark.parametrize(
    ("ids", "image", "row"),
    [
        (("a.1", "a.2"), "a.1", 0),
        (("a.1", "a.2"), "x/a.2.jpg", 1),
        (("2021.03.001",), "2021.03.001.jpg", 0),
        (("b.png", "c.png"), "c.jpg", 1),
        (("b", "c"), "c.jpg", 1),
        (("b",), "d.jpg", None),
    ],
)
def test_an_image_of_a_list_is_found_by_its_whole_name_first(
    ids: tuple[str, ...], image: str, row: int | None
) -> None:
    assert _rows_by_name("x", ids, [image]) == {image: row}


def test_an_image_that_may_be_two_is_refused() -> None:
    with pytest.raises(StageError, match=r"'a.jpg' may be any of a.1, a.2, wanted the id of one"):
        _rows_by_name("x", ("a.1", "a.2"), ["a.jpg"])


def test_words_of_another_pipeline_are_refused(
    bench: Workbench, words: Path, pipeline: Path
) -> None:
    for path in words.rglob("*.safetensors"):
        save_file({k: torch.zeros(1, 1024) for k in load_file(path)}, path)
    given = QUICK | {"pipeline": pipeline, "words": words, "ratio": 0.2, "targets": ["VI"]}
    made = bench.run("text2img-plain", "generate", given)
    assert made.code == 1
    assert "has vectors of 1024 numbers, this pipeline's words have 16" in made.errors
    fitted = bench.run("ti-only", "fit", QUICK | {"pipeline": pipeline, "words": words})
    assert fitted.code == 1
    assert "has vectors of 1024 numbers, this pipeline's words have 16" in fitted.errors


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_words_that_are_no_finite_numbers_are_refused_with_their_file(
    bench: Workbench, words: Path, number: float
) -> None:
    path = words / "pso-class" / "learned_embeds.safetensors"
    save_file({"pso-class": torch.full((1, WIDTH), number)}, path)
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    assert fitted.code == 1
    assert (
        "words: pso-class/learned_embeds.safetensors has NaN or infinite numbers for 'psoriasis'"
        in fitted.errors
    )


def test_a_lora_that_is_no_finite_numbers_is_refused_with_its_tensor(
    bench: Workbench, lora: Path, tmp_path: Path
) -> None:
    tensors = load_file(lora)
    name = sorted(tensors)[0]
    tensors[name][0, 0] = float("nan")
    save_file(tensors, tmp_path / "x.safetensors")
    fitted = bench.run("lora-only", "fit", QUICK | {"lora": tmp_path / "x.safetensors"})
    assert fitted.code == 1
    assert f"x.safetensors: {name} has NaN or infinite numbers" in fitted.errors


def test_a_lora_of_another_network_is_refused_in_the_fit_where_the_pipeline_is_given(
    bench: Workbench, lora: Path, pipeline: Path, tmp_path: Path
) -> None:
    renamed = {name.replace("attn1", "attn7"): value for name, value in load_file(lora).items()}
    save_file(renamed, tmp_path / "x.safetensors")
    given = QUICK | {"lora": tmp_path / "x.safetensors", "pipeline": pipeline}
    fitted = bench.run("lora-only", "fit", given)
    assert fitted.code == 1
    assert "is an addition to no layer of the pipeline's network" in fitted.errors


def test_learned_words_can_be_looked_at_by_text(
    bench: Workbench, words: Path, pipeline: Path
) -> None:
    given = QUICK | {"pipeline": pipeline, "ratio": 0.2, "targets": ["VI"]}
    given = {
        k: v for k, v in given.items() if k in {"pipeline", "ratio", "targets", "sampling_steps"}
    }
    by_name = bench.run("text2img-plain", "generate", given)
    by_word = bench.run("text2img-plain", "generate", given | {"words": words})
    assert by_word.code == 0, by_word.errors
    called = {row["label"]: row["prompt"].split(",")[0] for row in by_word.rows}
    assert called == {
        "basal cell carcinoma": "An image of bas-class",
        "psoriasis": "An image of pso-class",
    }
    assert {row["sources"] for row in by_word.rows} == {"?"}
    assert {row["sources"] for row in by_name.rows} == {""}


def test_a_lora_of_old_diffusers_gives_the_images_of_the_new_one(
    bench: Workbench, lora: Path, pipeline: Path, tmp_path: Path
) -> None:
    """cgDDI's were written by diffusers 0.22: other key names, no metadata, alpha equal to the rank."""
    old = {}
    for key, value in load_file(lora).items():
        for new, former in OLD_NAMES:
            key = key.replace(new, former)
        old[key] = value
    save_file(old, tmp_path / "old.safetensors")
    runs = []
    for file in (lora, tmp_path / "old.safetensors"):
        fitted = bench.run("lora-only", "fit", QUICK | {"lora": file})
        assert fitted.code == 0, fitted.errors
        given = QUICK | {"pipeline": pipeline, "strength": 1.0}
        runs.append(bench.run("lora-only", "generate", given, fitted.out / "model"))
    plain = bench.run(
        "img2img-plain",
        "generate",
        {k: QUICK[k] for k in ("sampling_steps", "per_source", "output_px")}
        | {"pipeline": pipeline, "strength": 1.0},
    )
    one, two, none = (
        np.stack([made.image(r) for r in made.rows]).astype(int) for made in (*runs, plain)
    )
    assert abs(one - two).max() <= 1
    assert abs(one - none).max() > 2


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"text_encoder.layers.0.q_proj.lora_A.weight": (2, 16)}, "a LoRA of text_encoder, wanted"),
        (
            {
                f"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_{side}.weight": shape
                for side, shape in (("A", (2, 320)), ("B", (320, 2)))
            },
            "a LoRA of another network than the pipeline's",
        ),
    ],
)
def test_a_lora_that_does_not_fit_is_refused_in_a_sentence(
    bench: Workbench, pipeline: Path, tmp_path: Path, tensors: dict[str, tuple[int, int]], said: str
) -> None:
    save_file(
        {name: torch.zeros(shape) for name, shape in tensors.items()}, tmp_path / "x.safetensors"
    )
    given = {"pipeline": pipeline, "sampling_steps": 2, "ratio": 0.2, "targets": ["VI"]}
    made = bench.run("text2img-plain", "generate", given | {"lora": tmp_path / "x.safetensors"})
    assert made.code == 1
    assert said in made.errors
    assert made.errors.count("error: ") == 1
    assert "Traceback" not in made.errors


def test_a_folder_has_one_lora_for_each_condition_by_its_name(
    bench: Workbench, words: Path, lora: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "loras"
    (folder / "lora-bas-class").mkdir(parents=True)
    (folder / "lora-bas-class" / "pytorch_lora_weights.safetensors").write_bytes(lora.read_bytes())
    given = QUICK | {"words": words, "loras": folder}
    fitted = bench.run("skin-diff-2024", "fit", given)
    assert fitted.code == 1
    assert "loras: loras has 0 files for 'psoriasis', wanted one" in fitted.errors
    (folder / "psoriasis.safetensors").write_bytes(lora.read_bytes())
    fitted = bench.run("skin-diff-2024", "fit", given)
    assert fitted.code == 0, fitted.errors
    parts = json.loads((fitted.out / "model" / "lineage.json").read_text())["parts"]
    assert set(parts) == {"word-bas-class", "word-pso-class", "lora-bas-class", "lora-pso-class"}


def test_loras_lie_as_cgddi_s_script_lays_them_out(
    bench: Workbench, words: Path, lora: Path, tmp_path: Path
) -> None:
    """A name with a slash is a folder in a folder, and another class may be called like the inner one."""
    names = {"basal cell carcinoma": "eczema/atopic dermatitis", "psoriasis": "atopic dermatitis"}
    table = (bench.inputs / "train.csv").read_text()
    for old, new in names.items():
        table = table.replace(old, new)
    (bench.inputs / "train.csv").write_text(table)
    folder, wordy = tmp_path / "SEED=0", tmp_path / "cgddi"
    wordy.mkdir()
    for number, name in enumerate(names.values()):
        own = folder / name.replace(" ", "_")
        own.mkdir(parents=True, exist_ok=True)
        tensors = {k: v + number for k, v in load_file(lora).items()}
        save_file(tensors, own / "pytorch_lora_weights.safetensors")
        word = {f"<{name.replace(' ', '_')}-class>": torch.full((1, WIDTH), 1.0 + number)}
        save_file(word, wordy / f"{number}.safetensors")
    given = {"words": wordy, "loras": folder} | {
        k: QUICK[k] for k in ("sampling_steps", "per_source")
    }
    fitted = bench.run("skin-diff-2024", "fit", given)
    assert fitted.code == 0, fitted.errors
    files = fitted.files()
    for number, stem in enumerate(("ecz-class", "ato-class")):
        kept = files[f"model/lora-{stem}/pytorch_lora_weights.safetensors"]
        own = folder / tuple(names.values())[number].replace(" ", "_")
        assert kept == (own / "pytorch_lora_weights.safetensors").read_bytes()


def a1111(vectors: torch.Tensor) -> dict[str, object]:
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": vectors},
        "name": "whatever",
        "step": 500,
        "sd_checkpoint": None,
    }


def test_words_of_other_trainers_are_read_by_their_file_s_name(
    bench: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "words"
    folder.mkdir()
    torch.save(a1111(torch.full((2, WIDTH), 3.0)), folder / "bas-class.pt")
    save_file({"emb_params": torch.full((1, WIDTH), 4.0)}, folder / "psoriasis.safetensors")
    fitted = bench.run("ti-only", "fit", QUICK | {"words": folder})
    assert fitted.code == 0, fitted.errors
    found = learned(fitted)
    assert torch.equal(found["bas-class"], torch.full((2, WIDTH), 3.0))
    assert torch.equal(found["pso-class"], torch.full((1, WIDTH), 4.0))


STRANGE: dict[str, Callable[[], object]] = {
    "numbers as names": lambda: {1: torch.zeros(1, WIDTH)},
    "sparse": lambda: {"pso-class": torch.eye(WIDTH).to_sparse()},
    "meta": lambda: {"pso-class": torch.zeros(1, WIDTH, device="meta")},
    "quantised": lambda: {
        "pso-class": torch.quantize_per_tensor(torch.ones(1, 4), 0.1, 0, torch.qint8)
    },
    "fp8": lambda: {"pso-class": torch.ones(1, WIDTH).to(torch.float8_e4m3fn)},
    "complex": lambda: {"pso-class": torch.ones(1, WIDTH, dtype=torch.complex64)},
    "two words in one": lambda: {"string_to_param": {"*": torch.ones(1), "+": torch.ones(1)}},
    "no tensor": lambda: {"string_to_param": {"*": [1.0]}},
    "no table": lambda: {"string_to_param": 3},
    "code": lambda: {"string_to_param": torch.nn.ParameterDict({"*": torch.ones(1, WIDTH)})},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", STRANGE)
def test_words_that_are_no_table_of_plain_numbers_are_one_sentence(
    bench: Workbench, words: Path, kind: str
) -> None:
    torch.save(STRANGE[kind](), words / "pso-class" / "odd.pt")
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    assert fitted.code == 1
    (said,) = fitted.errors.splitlines()
    assert "odd.pt" in said
    assert "wanted" in said


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "metadata",
    [{"lora_adapter_metadata": text} for text in ("[]", "3", "{", DEEP)]
    + [
        {"lora_adapter_metadata": json.dumps({"unet.r": 2, "unet.lora_alpha": "two"})},
        {"lora_adapter_metadata": json.dumps({"unet.r": 2, "unet.colour": 2})},
    ],
)
def test_a_lora_s_odd_metadata_is_one_sentence(
    bench: Workbench, lora: Path, pipeline: Path, tmp_path: Path, metadata: dict[str, str]
) -> None:
    """In `fit` if it can be seen there, else where the network is at hand."""
    save_file(load_file(lora), tmp_path / "x.safetensors", metadata=metadata)
    given = {"pipeline": pipeline, "sampling_steps": 2, "ratio": 0.2, "targets": ["VI"]}
    made = bench.run("text2img-plain", "generate", given | {"lora": tmp_path / "x.safetensors"})
    assert made.code == 1
    (said,) = [line for line in made.errors.splitlines() if "progress" not in line]
    assert "x.safetensors" in said or "pytorch_lora_weights" in said


def test_a_lora_of_eight_bits_is_one_sentence(bench: Workbench, lora: Path, tmp_path: Path) -> None:
    eighth = {k: v.to(torch.float8_e4m3fn) for k, v in load_file(lora).items()}
    save_file(eighth, tmp_path / "x.safetensors")
    fitted = bench.run("lora-only", "fit", QUICK | {"lora": tmp_path / "x.safetensors"})
    assert fitted.code == 1
    assert "of the kind torch.float8_e4m3fn, wanted a tensor of plain numbers" in fitted.errors


def test_learned_parts_that_a_hand_changed_are_one_sentence(
    bench: Workbench, words: Path, pipeline: Path
) -> None:
    fitted = bench.run("ti-only", "fit", QUICK | {"words": words})
    model = fitted.out / "model"
    table = model / "lineage.json"
    told = json.loads(table.read_text())
    path = model / told["parts"]["word-bas-class"]["file"]
    path.write_bytes(b"garbage")
    told["parts"]["word-bas-class"]["sha256"] = sha256(b"garbage").hexdigest()
    for text, said in (
        (json.dumps(told), "bas-class.safetensors: is no valid safetensors file"),
        (DEEP, "lineage.json: not a lineage as `write_lineage` leaves it"),
    ):
        table.write_text(text)
        made = bench.run("ti-only", "generate", QUICK | {"pipeline": pipeline}, model)
        assert made.code == 1
        assert said in made.errors
        assert "Traceback" not in made.errors


def test_the_images_of_a_lora_are_written_and_read_as_a_list(
    bench: Workbench, pipeline: Path, tmp_path: Path
) -> None:
    given = QUICK | {"pipeline": pipeline}
    fitted = bench.run("lora-only", "fit", given)
    path = fitted.out / "model" / "lora" / "train_lora.json"
    entries = json.loads(path.read_text())
    assert [entry["image_path"] for entry in entries] == [f"{name}.jpg" for name in ids(bench)]
    assert entries[10] == {
        "image_path": "t010.jpg",
        "label": "basal cell carcinoma",
        "skin_type": 5,
        "prompt": "An image of basal cell carcinoma on the skin of a dark-skinned individual",
    }
    again = bench.run("lora-only", "fit", given | {"lora_data": path})
    weights = "model/lora/pytorch_lora_weights.safetensors"
    assert again.files()[weights] == fitted.files()[weights]
    few = tmp_path / "few.json"
    few.write_text(
        json.dumps(
            [
                {
                    "image_path": "finalfitz17k/t003.jpg",
                    "label": "x",
                    "skin_type": 4,
                    "prompt": "a photo",
                },
                {
                    "image_path": "finalfitz17k/unknown.jpg",
                    "label": "x",
                    "skin_type": 4,
                    "prompt": "a photo",
                },
            ]
        )
    )
    fitted = bench.run("lora-only", "fit", given | {"lora_data": few})
    assert "1 of 1 captions have none of the words basal cell carcinoma, psoriasis" in fitted.said
    parts = json.loads((fitted.out / "model" / "lineage.json").read_text())["parts"]
    assert parts["lora"]["sources"] == ["t003"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "none of its 0 images is a training image shown here"),
        ('[{"prompt": "x"}]', "not a JSON list of objects with image_path and prompt"),
        ("[", "not a JSON list of objects with image_path and prompt"),
        ("[" * 100_000, "not a JSON list of objects with image_path and prompt"),
        (
            '[{"image_path": "t003", "prompt": null}]',
            "entry 0: prompt is None, wanted a text that is not empty",
        ),
        (
            '[{"image_path": "t003", "prompt": ["x", "y"]}]',
            "entry 0: prompt is ['x', 'y'], wanted a text",
        ),
        ('[{"image_path": "t003", "prompt": " "}]', "entry 0: prompt is ' ', wanted a text"),
    ],
)
def test_a_list_that_is_none_is_refused(
    bench: Workbench, pipeline: Path, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "list.json").write_text(text)
    given = QUICK | {"pipeline": pipeline, "lora_data": tmp_path / "list.json"}
    fitted = bench.run("lora-only", "fit", given)
    assert fitted.code == 1
    assert f"list.json: {said}" in fitted.errors
