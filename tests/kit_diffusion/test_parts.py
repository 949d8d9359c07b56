"""Pipeline folders that are damaged, quantised or put together wrongly: one sentence when they are opened."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tonegap_kit.diffusion.models import open_models
from tonegap_kit.diffusion.parts import said
from tonegap_kit.errors import StageError

PARTS = ("unet", "vae", "text_encoder")
DROPPED: Any = object()


@pytest.fixture
def folder(pipeline_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny pipeline that a test may change."""
    return shutil.copytree(pipeline_folder, tmp_path / "copy")


def refusal(folder: Path) -> str:
    with pytest.raises(StageError) as told:
        open_models(folder, torch.device("cpu"))
    assert "\n" not in str(told.value)
    return str(told.value)


def weights_of(folder: Path, part: str) -> Path:
    (path,) = (folder / part).glob("*.safetensors")
    return path


def configured(folder: Path, file: str, **changes: Any) -> None:
    path = folder / file
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in found.items() if v is not DROPPED}))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kept", [0, -100])
def test_weights_that_were_cut_are_said_to_be_so(part: str, kept: int, folder: Path) -> None:
    path = weights_of(folder, part)
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{part}/{path.name}: cannot be read as safetensors (" in refusal(folder)


@pytest.mark.parametrize("part", PARTS)
def test_weights_that_are_whole_numbers_are_refused(part: str, folder: Path) -> None:
    path = weights_of(folder, part)
    tensors = load_file(path)
    name = sorted(tensors)[2]
    tensors[name] = tensors[name].to(torch.int8)
    save_file(tensors, path, metadata={"format": "pt"})
    assert f"{part}/{path.name}: {name} has whole numbers (I8)" in refusal(folder)


def test_positions_of_an_old_text_encoder_are_whole_numbers_and_no_weights(folder: Path) -> None:
    path = weights_of(folder, "text_encoder")
    positions = {"text_model.embeddings.position_ids": torch.arange(40)[None]}
    save_file(load_file(path) | positions, path, metadata={"format": "pt"})
    assert open_models(folder, torch.device("cpu")).text_encoder is not None


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_told_as_the_pipeline_s(
    part: str, number: float, folder: Path
) -> None:
    path = weights_of(folder, part)
    tensors = load_file(path)
    name = next(name for name in sorted(tensors) if name.endswith("weight"))
    tensors[name].view(-1)[-1] = number
    save_file(tensors, path, metadata={"format": "pt"})
    told = refusal(folder)
    assert f"{part}: " in told
    assert "weight has NaN or infinite numbers, wanted finite ones" in told


@pytest.mark.parametrize(
    ("file", "changes", "wanted"),
    [
        ("unet/config.json", {"quantization_config": {"bits": 4}}, "has a quantization_config"),
        ("text_encoder/config.json", {"quantization_config": {"bits": 4}}, "quantization_config"),
        ("unet/config.json", {"class_embed_type": "identity"}, "class_embed_type is 'identity'"),
        ("unet/config.json", {"norm_num_groups": 3}, "unet: num_channels"),
        ("vae/config.json", {"block_out_channels": []}, "vae: "),
        ("vae/config.json", {"scaling_factor": None}, "scaling_factor is None, wanted a number"),
        ("vae/config.json", {"scaling_factor": 0}, "scaling_factor is 0, wanted a number above 0"),
        ("vae/config.json", {"scaling_factor": float("nan")}, "scaling_factor is nan"),
        ("text_encoder/config.json", {"num_attention_heads": 3}, "not a multiple of"),
        ("text_encoder/config.json", {"hidden_size": "x"}, "text_encoder: .*hidden_size"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": DROPPED}, "wanted 3 to 40"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 77}, "is 77, wanted 3 to 40"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 2}, "is 2, wanted 3 to 40"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": "x"}, "'x', wanted 3 to 40"),
        ("tokenizer/tokenizer_config.json", {"pad_token": None}, "has no pad_token, wanted one"),
    ],
)
def test_settings_that_cannot_be_are_told(
    file: str, changes: dict[str, Any], wanted: str, folder: Path
) -> None:
    configured(folder, file, **changes)
    with pytest.raises(StageError, match=wanted) as told:
        open_models(folder, torch.device("cpu"))
    assert "\n" not in str(told.value)


def test_settings_of_a_tokenizer_that_are_a_list_are_told(folder: Path) -> None:
    (folder / "tokenizer" / "tokenizer_config.json").write_text("[1]")
    assert "tokenizer: " in refusal(folder)


def test_a_tokenizer_without_files_has_no_words(folder: Path) -> None:
    for path in (folder / "tokenizer").iterdir():
        path.unlink()
    assert "tokenizer: has no words" in refusal(folder)


def test_a_tokenizer_of_another_pipeline_is_refused(folder: Path) -> None:
    path = folder / "tokenizer" / "tokenizer.json"
    found = json.loads(path.read_text())
    found["model"]["vocab"]["zebra</w>"] = 90_000
    path.write_text(json.dumps(found))
    assert "numbers its words up to 90000" in refusal(folder)


def test_a_tokenizer_with_gaps_in_its_numbers_is_refused(folder: Path) -> None:
    """A learned word would get the number of one that is there."""
    path = folder / "tokenizer" / "tokenizer.json"
    found = json.loads(path.read_text())
    words = found["model"]["vocab"]
    last = max(words.values())
    configured(folder, "text_encoder/config.json", vocab_size=last + 9)
    weights = weights_of(folder, "text_encoder")
    tensors = load_file(weights)
    name = next(name for name in tensors if name.endswith("token_embedding.weight"))
    tensors[name] = torch.zeros(last + 9, tensors[name].shape[1])
    save_file(tensors, weights, metadata={"format": "pt"})
    open_models(folder, torch.device("cpu"))
    words["zebra</w>"] = last + 5
    path.write_text(json.dumps(found))
    n = len(words)
    assert f"numbers its {n} words with gaps, wanted 0 to {n - 1}" in refusal(folder)


def test_a_network_for_other_words_than_the_text_encoder_s_is_refused(folder: Path) -> None:
    """Weights that fit their settings: what does not fit is one part beside the other."""
    path = weights_of(folder, "unet")
    tensors = load_file(path)
    for name, value in tensors.items():
        if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight")):
            tensors[name] = value.repeat(1, 2)
    save_file(tensors, path, metadata={"format": "pt"})
    configured(folder, "unet/config.json", cross_attention_dim=32)
    assert "cross_attention_dim is 32, the text encoder's words have 16 numbers" in refusal(folder)


def test_what_a_library_says_is_one_line() -> None:
    assert said(ValueError("\n first\n second")) == "first"
    assert said(ValueError("What follows:\n    the reason\n more")) == "What follows: the reason"
    assert said(NotImplementedError()) == "NotImplementedError"


@pytest.mark.parametrize(
    "problem",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 5 bytes"),
    ],
)
def test_a_full_or_failing_machine_is_no_fault_of_a_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, problem: RuntimeError
) -> None:
    def full(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr("diffusers.UNet2DConditionModel.from_pretrained", full)
    with pytest.raises(RuntimeError) as raised:
        open_models(folder, torch.device("cpu"))
    assert raised.value is problem
