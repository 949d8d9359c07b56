"""A fit that is killed and started again ends with the very weights of one that was not."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from masked_toy import draw_masked
from safetensors import safe_open
from safetensors.torch import load_file

from tonegap.declared.plugin import read_plugin
from tonegap_kit.diffusion.checkpoint import (
    Checkpoint,
    Keeper,
    drop_checkpoint,
    read_checkpoint,
    write_checkpoint,
    write_tensors,
)
from tonegap_kit.diffusion.lora import Captioned, LoraRecipe, train_lora
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch, encode_examples, shuffled_rows
from tonegap_kit.errors import StageError

ROOT = Path(__file__).parents[2]
STEPS = {"inversion_steps": 6, "lora_steps": 20}
QUICK = STEPS | {
    "inversion_batch": 2,
    "inversion_accumulation": 1,
    "lora_batch": 4,
    "lora_learning_rate": 1e-2,
    "checkpoint_every": 2,
}


class Fit:
    """A method's fit stage in a process of its own, with the checkpoints of an earlier try if any."""

    def __init__(self, place, inputs, checkpoints=None):
        self.out = place / "out"
        self.checkpoints = self.out / "checkpoints"
        self.out.mkdir(parents=True)
        if checkpoints is None:
            self.checkpoints.mkdir()
        else:
            shutil.copytree(checkpoints, self.checkpoints)
        room = ROOT / "methods" / "skin-diff"
        argv = ["skin_diff.py", "fit", "--in", str(inputs), "--out", str(self.out)]
        kit = {"PYTHONPATH": str(ROOT / "docker" / "kit"), "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [sys.executable, *argv],
            cwd=room,
            env={**os.environ, **kit, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def kill_at(self, name, step):
        """Ends the process without a word as soon as this part has done so many steps."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and self.process.poll() is None:
            path = self.checkpoints / f"{name}.safetensors"
            if path.exists() and done_steps(path) >= step:
                self.process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        self.process.communicate()
        assert self.process.returncode == -signal.SIGKILL

    def model(self):
        """The bytes of all that it learned."""
        _, errors = self.process.communicate(timeout=240)
        assert self.process.returncode == 0, errors
        self.first_progress = int(errors.split("tonegap-progress ")[1].split()[0])
        model = self.out / "model"
        return {p.relative_to(model): p.read_bytes() for p in model.rglob("*") if p.is_file()}


def done_steps(path):
    with safe_open(path, framework="pt") as f:
        return int(f.metadata()["step"])


@pytest.fixture
def inputs(tmp_path, pipeline_folder):
    folder = draw_masked(tmp_path / "in", n=12)
    (folder / "files").mkdir()
    (folder / "files" / "tiny").symlink_to(pipeline_folder)
    spec = read_plugin(ROOT, "method", "skin-diff").file.parameters
    parameters = {name: entry.default for name, entry in spec.items()} | QUICK
    job = {
        "contract": 1,
        "stage": "fit",
        "task": "toy/masked",
        "classes": ["basal cell carcinoma", "psoriasis"],
        "positive": [],
        "tones": ["I", "II", "III", "IV", "V", "VI"],
        "seed": 0,
        "image": {"size_px": 32, "geometry": "stretch"},
        "parameters": parameters | {"pipeline": f"tiny#sha256={'0' * 64}"},
        "device": "cpu",
        "threads": 1,
        "time_limit_s": 600,
    }
    (folder / "job.json").write_text(json.dumps(job))
    return folder


@pytest.mark.slow
def test_a_fit_killed_twice_ends_with_the_weights_of_one_that_was_not(inputs, tmp_path):
    whole = Fit(tmp_path / "whole", inputs).model()
    first = Fit(tmp_path / "first", inputs)
    first.kill_at("fit-words-0", 2)
    second = Fit(tmp_path / "second", inputs, first.checkpoints)
    second.kill_at("fit-lora", 4)
    third = Fit(tmp_path / "third", inputs, second.checkpoints)
    assert third.model() == whole
    assert third.first_progress >= STEPS["inversion_steps"]


@pytest.fixture
def train(models, images):
    examples = Captioned(
        encode_examples(models, images, mirror=False), torch.arange(6), ("skin",) * 6
    )

    def run(steps, keeper):
        recipe = LoraRecipe(StepRecipe(steps, 2, 1, 1e-2, max_grad_norm=1.0), rank=2, alpha=2)
        return train_lora(models, examples, None, recipe, 0, Watch("lora", keeper))

    return run


def test_a_checkpoint_of_half_the_steps_leads_to_the_same_bits(train, tmp_path):
    keeper = Keeper(tmp_path, every=3)
    whole = train(6, None)
    train(3, keeper)
    resumed = train(6, keeper)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_finished_part_is_not_trained_again(train, tmp_path):
    keeper = Keeper(tmp_path, every=0)
    learned = train(3, keeper)
    assert [path.name for path in tmp_path.iterdir()] == ["lora.safetensors"]
    before = (tmp_path / "lora.safetensors").stat().st_mtime_ns
    again = train(3, keeper)
    assert (tmp_path / "lora.safetensors").stat().st_mtime_ns == before
    assert all(torch.equal(learned[name], again[name]) for name in learned)


def test_a_part_that_is_saved_elsewhere_leaves_no_last_checkpoint(models, images, tmp_path):
    examples = Captioned(
        encode_examples(models, images, mirror=False), torch.arange(6), ("skin",) * 6
    )
    recipe = LoraRecipe(StepRecipe(3, 2, 1, 1e-2), rank=2, alpha=2)
    keeper = Keeper(tmp_path, every=2)
    train_lora(models, examples, None, recipe, 0, Watch("lora", keeper, keep_last=False))
    assert done_steps(tmp_path / "lora.safetensors") == 2
    drop_checkpoint(keeper, "lora")
    assert list(tmp_path.iterdir()) == []


class Looking(dict):
    """Tensors that note which files of a folder are there whenever one of them is asked for."""

    def __init__(self, tensors, folder):
        super().__init__(tensors)
        self.folder, self.seen = folder, set()

    def __getitem__(self, name):
        self.seen.add(tuple(sorted(path.name for path in self.folder.iterdir())))
        return super().__getitem__(name)


@pytest.mark.parametrize(
    ("alone", "beside"),
    [(False, ("big.partial", "big.safetensors")), (True, ("big.partial",))],
)
def test_where_two_would_be_too_large_the_checkpoint_before_goes_first(tmp_path, alone, beside):
    keeper = Keeper(tmp_path, every=1, one_at_a_time=alone)
    for step in (1, 2):
        tensors = Looking({"a": torch.full((1000,), float(step))}, tmp_path)
        write_checkpoint(keeper, "big", Checkpoint(step, tensors))
    assert beside in tensors.seen
    assert not alone or all(len(names) < 2 for names in tensors.seen)
    assert read_checkpoint(keeper, "big").step == 2


def test_tensors_are_written_as_the_library_reads_them(tmp_path):
    """A transposed one, one without a dimension, an empty one, and half precision."""
    tensors = {
        "z": torch.arange(6.0).reshape(2, 3).T,
        "step": torch.tensor(7.0),
        "none": torch.empty(0, 4),
        "half": torch.tensor([1.5, -2], dtype=torch.bfloat16),
    }
    write_tensors(tmp_path / "x.safetensors", tensors, {"step": "7"})
    found = load_file(tmp_path / "x.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert found["half"].dtype == torch.bfloat16
    assert done_steps(tmp_path / "x.safetensors") == 7


def test_a_checkpoint_of_other_weights_is_refused(train, tmp_path):
    keeper = Keeper(tmp_path, every=1)
    write_checkpoint(keeper, "lora", Checkpoint(1, {"weight/other": torch.zeros(2)}))
    with pytest.raises(StageError, match="is of 1 weights, wanted the 112 that learn here"):
        train(3, keeper)


DAMAGES = (
    *("shape", "moment's shape", "no moment", "step", "too many steps", "no step at all"),
    *("a moment of half precision", "whole numbers", "nan", "infinite moment"),
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_that_does_not_fit_is_one_sentence(train, tmp_path, damage):
    keeper = Keeper(tmp_path, every=2)
    train(2, keeper)
    found = read_checkpoint(keeper, "lora")
    tensors, step = dict(found.tensors), found.step
    weight = next(name for name in tensors if name.startswith("weight/"))
    moment = weight.replace("weight/", "state/", 1) + "/exp_avg"
    if damage == "shape":
        tensors[weight] = torch.zeros(3, 3)
    elif damage == "moment's shape":
        tensors[moment] = torch.zeros(3, 3)
    elif damage == "no moment":
        del tensors[moment]
    elif damage == "no step at all":
        tensors = {k: v for k, v in tensors.items() if not k.endswith("/step")}
    elif damage == "a moment of half precision":
        tensors[moment] = tensors[moment].half()
    elif damage == "whole numbers":
        tensors[weight] = tensors[weight].long()
    elif damage == "nan":
        tensors[weight] = tensors[weight] * float("nan")
    elif damage == "infinite moment":
        tensors[moment] = tensors[moment] + float("inf")
    else:
        step = {"step": -3, "too many steps": 40}[damage]
    write_checkpoint(keeper, "lora", Checkpoint(step, tensors))
    with pytest.raises(StageError, match="delete it to start anew"):
        train(4, keeper)


@pytest.mark.parametrize("where", ["lora.partial", "lora.safetensors"])
def test_a_folder_where_a_checkpoint_is_to_be_is_one_sentence(tmp_path, where):
    (tmp_path / where).mkdir()
    for alone in (False, True):
        with pytest.raises(StageError, match=r"lora\.partial: cannot be written: .*; make room or"):
            write_checkpoint(Keeper(tmp_path, 1, alone), "lora", Checkpoint(1, {}))


def test_a_number_of_steps_between_checkpoints_is_not_below_0(tmp_path):
    with pytest.raises(StageError, match="checkpoint_every is -1, wanted steps between two"):
        Keeper(tmp_path, -1)


def test_weights_that_the_last_update_broke_are_neither_kept_nor_returned(models, images, tmp_path):
    """An infinite step in one update: the loss before it is finite, and nothing looks at one after it."""
    examples = Captioned(
        encode_examples(models, images, mirror=False), torch.arange(6), ("skin",) * 6
    )
    for steps, every in ((1, 0), (2, 1)):
        recipe = LoraRecipe(StepRecipe(steps, 2, 1, 3e38), rank=2, alpha=2)
        watch = Watch("lora", Keeper(tmp_path, every))
        with pytest.raises(StageError, match="became NaN or infinite and is not saved; lower"):
            train_lora(models, examples, None, recipe, 0, watch)
        assert list(tmp_path.iterdir()) == []


def test_a_pipeline_without_finite_numbers_is_named_before_anything_is_learned(models, images):
    examples = Captioned(
        encode_examples(models, images, mirror=False), torch.arange(6), ("skin",) * 6
    )
    models.unet.conv_out.bias.fill_(float("nan"))
    recipe = LoraRecipe(StepRecipe(3, 2, 1, 1e-3), rank=2, alpha=2)
    with pytest.raises(StageError, match="before anything was learned the loss is nan: the pipe"):
        train_lora(models, examples, None, recipe, 0, Watch("lora"))


def test_a_broken_checkpoint_is_named(tmp_path):
    (tmp_path / "lora.safetensors").write_bytes(b"torn")
    with pytest.raises(StageError, match=r"lora\.safetensors: is no checkpoint: .*; delete it"):
        read_checkpoint(Keeper(tmp_path, 1), "lora")


def test_rows_come_round_after_round_whatever_is_asked_for_at_once():
    one_by_one = [int(shuffled_rows(5, i, 1, 0, "x")[0]) for i in range(20)]
    assert (
        one_by_one
        == [int(row) for start in (0, 7, 14) for row in shuffled_rows(5, start, 7, 0, "x")][:20]
    )
    for start in range(0, 20, 5):
        assert sorted(one_by_one[start : start + 5]) == [0, 1, 2, 3, 4]
    assert np.any(np.array(one_by_one[:5]) != np.array(one_by_one[5:10]))
