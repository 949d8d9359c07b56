"""`tonegap split` as people type it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_rooms import CLINIC

from tonegap.cli.main import main
from tonegap.declared.task import Task

WriteTask = Callable[..., Task]
METADATA = """\
image_id,label,tone,half
z,a,I,pool
y,b,I,pool
x,a,VI,pool
"w,1",b,VI,pool
v,a,I,probe
u,b,VI,probe
t,c,VI,probe
"""


@pytest.fixture
def root(tmp_path: Path, write_task: WriteTask) -> Path:
    """A suite root with one data set and one task; its metadata lies in `copy`."""
    write_task()
    (tmp_path / "benchmarks" / "mine" / "dataset.toml").write_text(CLINIC)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "rows.csv").write_text(METADATA)
    return tmp_path


def tonegap(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as e:
        main([str(a) for a in arguments])
    assert isinstance(e.value.code, int)
    return e.value.code


def split(root: Path, *more: str | Path) -> int:
    return tonegap("split", "mine/task", "--suite-root", root, "--root", root / "copy", *more)


def test_every_row_of_the_metadata_is_listed_in_its_order(
    root: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert split(root) == 0
    lines = capfdbinary.readouterr().out.decode().split("\n")
    assert lines[0] == "image_id,partition"
    assert [line.rsplit(",", 1)[0] for line in lines[1:-1]] == ["z", "y", "x", '"w,1"', *"vut"]
    assert lines[5:] == ["v,test", "u,test", "t,unused", ""]


def test_the_same_command_gives_the_same_bytes(
    root: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert split(root) == 0
    first = capfdbinary.readouterr().out
    assert split(root, "--seed", "5") == 0
    assert capfdbinary.readouterr().out == first


def test_pin_writes_the_pin_and_prints_the_csv(
    root: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = root / "benchmarks" / "mine" / "tasks" / "task.toml"
    before = path.read_bytes()
    assert split(root, "--pin") == 0
    pinned = path.read_bytes()
    assert pinned.startswith(before + b"\n[pins.published]  # 3 train, 1 validation, 2 test")
    assert split(root, "--pin") == 0
    assert path.read_bytes() == pinned
    assert capfdbinary.readouterr().err.count(b"pinned the published split in ") == 1


def test_a_moved_image_ends_with_code_two_and_a_sentence(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split(root, "--pin")
    capsys.readouterr()
    (root / "copy" / "rows.csv").write_text(METADATA.replace("u,b,VI,probe", "u,b,VI,spare"))
    assert split(root) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: mine/task, the published split: 1 image is not where")
    assert "(u test -> unused)" in said.err


def test_without_a_root_it_says_how_to_get_the_data(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tonegap("split", "mine/task", "--suite-root", root) == 2
    said = capsys.readouterr().err
    assert "pass --root DIR" in said
    assert "Licence: ask the clinic" in said
    assert "Access: walk in" in said


def test_a_file_that_cannot_be_written_is_a_sentence(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("tonegap.split.pins.write_atomic", full)
    assert split(root, "--pin") == 2
    assert "task.toml: cannot be written: No space left on device" in capsys.readouterr().err


def test_a_value_that_the_split_does_not_take_is_counted(
    root: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    rows = root / "copy" / "rows.csv"
    rows.write_text(METADATA + "s,a,I,spare\nr,b,I,spare\nq,c,I,spare\n")  # c is no class
    assert split(root) == 0
    said = capfdbinary.readouterr().err.decode()
    assert said == "images that the split by half leaves unused: 2 ('spare' 2)\n"


def test_a_list_is_pinned_and_what_it_names_in_vain_is_counted(
    root: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = root / "benchmarks" / "mine" / "tasks" / "task.toml"
    text = path.read_text()
    before, rest = text.split("[split]\n")
    path.write_text(
        f'{before}[split]\nrule = "pinned"\nseeds = [0]\n\n[validation]{rest.split("[validation]")[1]}'
    )
    rows = ["image_id,partition", "z,train", "y,train", "x,train", "v,test", "u,test", "t,test"]
    (root / "list.csv").write_text("\n".join(rows))
    assert split(root, "--pin", "--from", root / "list.csv") == 0
    said = capfdbinary.readouterr().err.decode()
    # Image t has the label c, which is no class of the task.
    assert "asks for: 1 of 6 are unused (first: t)" in said
