"""Folders from strangers are walked to a bounded depth and removed whatever is in them."""

import os
import stat
from pathlib import Path

import pytest

from tonegap.errors import BadOutput
from tonegap.untrusted import MAX_DEPTH, remove_tree, shown, walk, without_folders, written_bytes


def nested(folder, depth):
    """A chain of folders that no path of this system reaches the end of."""
    here = Path.cwd()
    folder.mkdir()
    os.chdir(folder)
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    Path("f").touch()
    os.chdir(here)


class TestWalk:
    def test_a_link_is_given_and_not_followed(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "link").symlink_to("/usr")
        found = {path.name: status.st_mode for path, status in walk(tmp_path)}
        assert set(found) == {"a", "link"}
        assert stat.S_ISLNK(found["link"])

    def test_as_deep_as_allowed_is_fine_and_one_deeper_is_refused(self, tmp_path):
        nested(tmp_path / "fine", MAX_DEPTH - 1)
        assert sum(1 for _ in walk(tmp_path / "fine")) == MAX_DEPTH
        nested(tmp_path / "deep", MAX_DEPTH)
        with pytest.raises(BadOutput, match="nested deeper than 64"):
            list(walk(tmp_path / "deep"))

    def test_what_vanishes_meanwhile_is_left_out(self, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        found = walk(tmp_path)
        next(found)
        for name in ("a", "b"):
            (tmp_path / name).rmdir()
        assert len(list(found)) <= 1


class TestWrittenBytes:
    def test_a_hole_counts_as_if_it_were_filled(self, tmp_path):
        with (tmp_path / "hole").open("wb") as f:
            f.truncate(1 << 30)
        assert written_bytes(tmp_path) == 1 << 30

    def test_empty_files_and_folders_take_4_kib_each(self, tmp_path):
        for i in range(3):
            (tmp_path / str(i)).touch()
        (tmp_path / "folder").mkdir()
        assert written_bytes(tmp_path) == 4 * 4096


class TestRemoveTree:
    def test_folders_deeper_than_any_path_can_name_are_removed(self, tmp_path):
        nested(tmp_path / "deep", 3000)
        remove_tree(tmp_path / "deep")
        assert list(tmp_path.iterdir()) == []

    def test_folders_without_any_permission_are_removed(self, tmp_path):
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "f").touch()
        (tmp_path / "a" / "b").chmod(0o000)
        remove_tree(tmp_path / "a")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_not_there_is_no_error(self, tmp_path):
        remove_tree(tmp_path / "absent")
        assert list(tmp_path.iterdir()) == []


def test_a_name_that_would_rewrite_a_terminal_is_shown_harmless():
    assert shown(Path("a/\x1b[2J\udcff\n")) == r"a/\x1b[2J\udcff\n"


def test_of_a_link_the_link_alone_is_removed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


def test_a_message_keeps_no_folder_of_this_machine(tmp_path):
    store = tmp_path / "my runs"
    store.mkdir()
    (tmp_path / "photos").mkdir()
    text = f"{store}/stages/ab/abc: damaged; {tmp_path}/photos/1.png: no image; /in/job.json: absent; 1/2"
    assert without_folders(text, store) == (
        "stages/ab/abc: damaged; 1.png: no image; /in/job.json: absent; 1/2"
    )
