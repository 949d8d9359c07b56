"""Wheels are those of the lock, or there are none."""

from zipfile import ZipFile

import pytest
from small_wheel import lock_wheels, locked_wheel

from tonegap.engines.images.wheels import (
    LARGE,
    Wheel,
    check_apart,
    fetch_wheels,
    in_layers,
    install_wheel,
)
from tonegap.errors import EngineError


def fetched(lock, folder):
    said = []
    folder.mkdir()
    return fetch_wheels(lock, "3.11", "amd64", folder, said.append), said


def test_the_wheels_of_a_lock_are_fetched_and_named(tmp_path):
    lock = lock_wheels(tmp_path / "two.txt", tmp_path, {"drawn": "1.0", "shown": "2.0"})
    wheels, said = fetched(lock, tmp_path / "got")
    assert [(wheel.name, wheel.version) for wheel in wheels] == [("drawn", "1.0"), ("shown", "2.0")]
    assert said == [f"fetching {wheel.path.name}" for wheel in wheels]


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path):
    lock = locked_wheel(tmp_path, "drawn", "1.0")
    text, locked = lock.read_text(), lock.read_text()[-64:]
    lock.write_text(f"{text[:-64]}{'0' * 64} --hash=sha256:{'1' * 64}")
    with pytest.raises(EngineError) as caught:
        fetched(lock, tmp_path / "got")
    assert str(caught.value) == (
        f"{lock}: its wheels cannot be fetched: drawn-1.0-py3-none-any.whl: found SHA-256 {locked}, "
        f"wanted {'0' * 64} or one of 1 more as locked"
    )


def test_constraints_of_the_machine_say_nothing_about_a_lock(tmp_path, monkeypatch):
    (tmp_path / "bound.txt").write_text("drawn==3.0\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "bound.txt"))
    lock = locked_wheel(tmp_path, "drawn", "1.0")
    assert [wheel.version for wheel in fetched(lock, tmp_path / "got")[0]] == ["1.0"]


def test_a_wheel_is_installed_as_files_below_the_folder(tmp_path):
    wheels, _ = fetched(locked_wheel(tmp_path, "drawn", "1.0"), tmp_path / "got")
    install_wheel(wheels[0], tmp_path / "site")
    assert (tmp_path / "site" / "drawn.py").read_text() == "__version__ = '1.0'\n"
    assert (tmp_path / "site" / "drawn-1.0.dist-info" / "RECORD").is_file()


def test_large_wheels_have_layers_of_their_own_the_largest_lowest(tmp_path):
    sizes = {"a": 10, "b": LARGE + 1, "c": LARGE + 2, "d": LARGE}
    wheels = [Wheel(tmp_path, name, "1", size, "") for name, size in sizes.items()]
    assert [[one.name for one in group] for group in in_layers(wheels)] == [
        ["c"],
        ["b"],
        ["a", "d"],
    ]


@pytest.mark.parametrize("content", [b"", b"no wheel", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_wheel_is_one_sentence(tmp_path, content):
    path = tmp_path / "drawn-1.0-py3-none-any.whl"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="a wheel that cannot be installed"):
        install_wheel(Wheel(path, "drawn", "1.0", len(content), ""), tmp_path / "site")


def test_a_wheel_with_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path):
    wheels, _ = fetched(locked_wheel(tmp_path, "drawn", "1.0"), tmp_path / "got")
    (tmp_path / "site" / "drawn.py").mkdir(parents=True)
    with pytest.raises(EngineError, match="a wheel that cannot be installed"):
        install_wheel(wheels[0], tmp_path / "site")


def wheel_of(folder, name, path, content):
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with ZipFile(file, "w") as archive:
        archive.writestr(path, content)
    return Wheel(file, name, "1.0", file.stat().st_size, "")


def test_two_wheels_with_another_file_under_one_path_are_refused(tmp_path):
    one = wheel_of(tmp_path, "one", "shared/a.py", "x = 1")
    two = wheel_of(tmp_path, "two", "two-1.0.data/purelib/shared/a.py", "x = 2")
    with pytest.raises(EngineError) as caught:
        check_apart([one, two])
    assert str(caught.value) == (
        "one-1.0-py3-none-any.whl and two-1.0-py3-none-any.whl: both have the file 'shared/a.py', each another one; "
        "take one of them out of the lock"
    )


def test_two_wheels_may_have_the_same_file_as_parts_of_a_namespace_do(tmp_path):
    check_apart([wheel_of(tmp_path, name, "shared/__init__.py", "") for name in ("one", "two")])
