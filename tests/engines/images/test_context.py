"""A build context depends on names, contents and the right to execute, and on nothing else."""

import hashlib
import io
import os
import tarfile

import pytest

from tonegap.engines.images.context import context_sha256, folder_context
from tonegap.engines.images.tarring import write_files
from tonegap.errors import BadData, EngineError


def archived(files):
    out = io.BytesIO()
    write_files(out, files)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.py").write_text("b")
    (tmp_path / "sub" / "a.py").write_text("a")
    return tmp_path


def test_the_same_files_give_the_same_bytes_on_another_day(folder):
    before = archived(folder_context(folder))
    os.utime(folder / "b.py", (1, 1))
    (folder / "b.py").chmod(0o600)
    assert archived(folder_context(folder)) == before


def test_members_are_sorted_and_owned_by_root_without_times(folder):
    with tarfile.open(fileobj=io.BytesIO(archived(folder_context(folder)))) as archive:
        rows = [(m.name, m.mtime, m.uid, m.gid, m.mode) for m in archive]
    assert rows == [
        ("b.py", 0, 0, 0, 0o644), ("sub", 0, 0, 0, 0o755), ("sub/a.py", 0, 0, 0, 0o644),
    ]  # fmt: skip


def test_the_right_to_execute_is_part_of_a_context(folder):
    before = context_sha256(folder_context(folder))
    (folder / "b.py").chmod(0o755)
    assert context_sha256(folder_context(folder)) != before


def test_caches_are_no_part_of_a_context(folder):
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "b.pyc").write_text("x")
    assert sorted(folder_context(folder)) == ["b.py", "sub/a.py"]


def test_a_link_is_refused_by_name(folder):
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(EngineError, match="link: is a link"):
        folder_context(folder)


@pytest.mark.parametrize("target", ["sub", "nowhere", "loop"])
def test_a_link_whose_files_nobody_would_see_is_refused_by_name(folder, target):
    (folder / "loop").symlink_to(target)
    with pytest.raises(BadData, match="loop: a link to a folder, or to nothing; put there what"):
        folder_context(folder)


def test_a_link_among_caches_is_left_out(folder):
    (folder / "__pycache__").symlink_to("nowhere")
    assert sorted(folder_context(folder)) == ["b.py", "sub/a.py"]


def test_the_digest_is_that_of_the_archive(folder):
    files = folder_context(folder)
    assert context_sha256(files) == hashlib.sha256(archived(files)).hexdigest()
