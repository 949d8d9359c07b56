"""What is kept of work done before is only a saving: damage is work to do again."""

import pytest

from tonegap.caches import kept_or_made, read_kept


def lines_of(path):
    return lambda: path.read_text(encoding="utf-8").split()


def test_what_is_kept_is_not_made_again(tmp_path):
    path = tmp_path / "kept"
    for _ in range(2):
        found = kept_or_made(lines_of(path), lambda: ["a", "b"], lambda x: path.write_text("a b"))
        assert found == ["a", "b"]
    assert kept_or_made(lines_of(path), lambda: pytest.fail("made again"), path.write_text) == found


@pytest.mark.parametrize("damage", [b"\xff\xfe", None])
def test_what_is_damaged_or_not_there_is_made_and_kept(tmp_path, damage):
    path = tmp_path / "kept"
    if damage:
        path.write_bytes(damage)
    made = kept_or_made(lines_of(path), lambda: ["a"], lambda x: path.write_text(" ".join(x)))
    assert (made, path.read_text()) == (["a"], "a")


def test_other_faults_pass_unless_they_are_named_as_damage():
    def read():
        return 1 // 0

    with pytest.raises(ZeroDivisionError):
        read_kept(read)
    assert read_kept(read, ZeroDivisionError) is None
