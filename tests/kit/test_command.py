import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tonegap_kit.command import Stage, gpu_peak_mib, main, progress
from tonegap_kit.determinism import device_of
from tonegap_kit.errors import StageError


@pytest.fixture
def started(
    make_stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Stage], None]], int]:
    """The exit code of a plug-in whose `train` stage is this function."""

    def start(train: Callable[[Stage], None], stage: str = "train", **changes: object) -> int:
        made = make_stage(**changes)
        monkeypatch.setattr(
            sys, "argv", ["train.py", stage, "--in", str(made.inputs), "--out", str(made.out)]
        )
        with pytest.raises(SystemExit) as ended:
            main(train=train, generate=lambda _: None)
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return start


def _raises(problem: Exception) -> Callable[[Stage], None]:
    def train(_: Stage) -> None:
        raise problem

    return train


def test_a_stage_gets_its_job_and_its_folders(started: Callable[..., int], tmp_path: Path) -> None:
    seen: list[Stage] = []
    assert started(seen.append, seed=7) == 0
    (stage,) = seen
    assert (stage.job.seed, stage.inputs, stage.out) == (7, tmp_path / "in", tmp_path / "out")


def test_progress_lines_are_those_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    progress(3, 20)
    assert capsys.readouterr().err == "tonegap-progress 3 20\n"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (StageError("x.csv: is empty"), "error: x.csv: is empty\n"),
        (MemoryError(), "error: out of memory\n"),
        (
            RuntimeError("CUDA out of memory. Tried\nmore"),
            "error: out of memory: CUDA out of memory. Tried\n",
        ),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 5 bytes"),
            "error: out of memory: [enforce fail] DefaultCPUAllocator: can't allocate memory: 5 bytes\n",
        ),
    ],
)
def test_a_stage_that_cannot_go_on_says_so_in_one_line_and_ends_with_1(
    started: Callable[..., int], capsys: pytest.CaptureFixture[str], problem: Exception, said: str
) -> None:
    assert started(_raises(problem)) == 1
    assert capsys.readouterr().err == said


def test_a_bug_is_not_taken_for_a_message(started: Callable[..., int]) -> None:
    with pytest.raises(RuntimeError, match="shape mismatch"):
        started(_raises(RuntimeError("shape mismatch")))


def test_a_job_for_another_stage_is_refused(
    started: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert started(lambda _: None, stage="generate") == 1
    assert "stage is 'train', but 'generate' was started" in capsys.readouterr().err


def test_a_stage_that_the_plug_in_lacks_is_refused(
    started: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert started(lambda _: None, stage="fit") == 2
    assert "invalid choice: 'fit'" in capsys.readouterr().err


def test_a_device_that_is_neither_cpu_nor_cuda_is_refused() -> None:
    assert device_of("cpu").type == "cpu"
    with pytest.raises(StageError, match="device is 'tpu', wanted 'cpu' or 'cuda'"):
        device_of("tpu")


def test_a_folder_parameter_is_found_below_files(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage({"pipeline": f"tiny#sha256={'0' * 64}", "other": "none"})
    (stage.inputs / "files" / "tiny").mkdir(parents=True)
    assert stage.folder("pipeline") == stage.inputs / "files" / "tiny"
    assert stage.folder("other") is None


def test_a_folder_that_is_not_there_is_an_error(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage({"pipeline": f"tiny#sha256={'0' * 64}"})
    with pytest.raises(StageError, match="no such folder, but parameter pipeline names it"):
        stage.folder("pipeline")


def test_checkpoints_are_for_plug_ins_that_asked(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    with pytest.raises(StageError, match="resumable = true"):
        stage.checkpoints()
    (stage.out / "checkpoints").mkdir()
    assert stage.checkpoints() == stage.out / "checkpoints"


@dataclass
class Cuda:
    """What torch.cuda tells of a machine with as many GPUs as `peaks` has bytes for."""

    peaks: list[int]
    used: bool = True

    def is_initialized(self) -> bool:
        return self.used

    def device_count(self) -> int:
        return len(self.peaks)

    def max_memory_allocated(self, k: int) -> int:
        return self.peaks[k]


@pytest.mark.parametrize(
    ("cuda", "mib"),
    [
        (Cuda([2**20 * 5]), 5),
        (Cuda([2**20 * 5 + 1, 2**20 * 9, 0]), 9),
        (Cuda([2**20 * 5 + 1]), 6),
        (Cuda([0, 0]), None),
        (Cuda([2**20], used=False), None),
        (Cuda([]), None),
    ],
)
def test_the_peak_on_a_gpu_is_the_most_of_one_in_whole_mib(cuda: Cuda, mib: int | None) -> None:
    assert gpu_peak_mib(SimpleNamespace(cuda=cuda)) == mib


def test_a_stage_without_a_gpu_says_nothing_of_its_memory(
    started: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert gpu_peak_mib(None) is None
    assert started(lambda _: None) == 0
    assert "tonegap-gpu-memory" not in capfd.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_stage_on_a_gpu_says_what_it_had_of_it(
    started: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert started(lambda _: torch.zeros(2**20 * 64, device="cuda").sum().item()) == 0
    (line,) = (x for x in capfd.readouterr().err.splitlines() if x.startswith("tonegap-gpu-memory"))
    assert 256 <= int(line.split()[1]) < 300
