"""Wheels are those of the lock, or there are none."""

import pytest
from small_wheel import locked_wheel

from tonegap.engines.images.wheels import wheelhouse
from tonegap.errors import EngineError


def test_a_locked_wheel_is_fetched_once_and_kept(tmp_path):
    lock = locked_wheel(tmp_path, "drawn", "1.0")
    first = wheelhouse([lock], "3.11", "x86_64", tmp_path / "cache")
    assert list(first) == ["drawn-1.0-py3-none-any.whl"]
    first["drawn-1.0-py3-none-any.whl"].with_name("mark").touch()
    second = wheelhouse([lock], "3.11", "x86_64", tmp_path / "cache")
    assert second == first
    assert second["drawn-1.0-py3-none-any.whl"].with_name("mark").exists()


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path):
    lock = locked_wheel(tmp_path, "drawn", "1.0")
    lock.write_text(lock.read_text()[:-8] + "0" * 8)
    with pytest.raises(
        EngineError, match=r"requirements.txt: its wheels cannot be fetched: .*HASH"
    ):
        wheelhouse([lock], "3.11", "x86_64", tmp_path / "cache")
    assert list((tmp_path / "cache" / "wheels").iterdir()) == []
