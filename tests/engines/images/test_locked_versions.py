"""The pins of a lock, read as requirements."""

import pytest

from tonegap.engines.images.recipe import locked_versions
from tonegap.errors import EngineError


def test_pins_with_hashes_markers_and_extras_are_read(tmp_path):
    lock = tmp_path / "kit.txt"
    lock.write_text(
        "# by hand\n"
        "numpy==2.4.6 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
        "Pillow==12.1 ; sys_platform == 'linux' \\\n    --hash=sha256:22\n"
        "coverage[toml]==7.1+cpu --hash=sha256:33\n"
    )
    assert locked_versions(lock) == {"numpy": "2.4.6", "Pillow": "12.1", "coverage": "7.1+cpu"}


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "numpy==2,==3", "numpy === "])
def test_a_line_that_pins_nothing_is_named_and_not_left_out(tmp_path, line):
    (tmp_path / "kit.txt").write_text(f"torch==2.7\n{line}\n")
    with pytest.raises(EngineError, match=r"kit\.txt: no lock of wheels \("):
        locked_versions(tmp_path / "kit.txt")
