"""A bound environment's digest follows its content."""

import os

import pytest
from images_root import make_environment, write

from tonegap.engines.images.environment import bound_environment
from tonegap.errors import EngineError


@pytest.fixture
def digest(environment, tmp_path):
    return lambda folder=environment: bound_environment(folder, [], tmp_path / "cache").sha256


def test_a_second_look_finds_the_same(digest):
    assert digest() == digest()


def test_two_folders_of_the_same_content_have_one_digest(digest, tmp_path):
    assert digest() == digest(make_environment(tmp_path / "elsewhere"))


def test_other_content_of_the_same_size_and_time_is_seen(digest, environment):
    path = environment / "torch" / "__init__.py"
    before, status = digest(), path.stat()
    write(path, path.read_text().replace("9.1", "9.2"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert digest() != before


@pytest.mark.parametrize("name", ["new.py", "torch/new.py", "torch-9.1.dist-info/RECORD"])
def test_a_new_file_is_seen(digest, environment, name):
    before = digest()
    write(environment / name, "")
    assert digest() != before


def test_a_file_that_went_is_seen(digest, environment):
    before = digest()
    (environment / "torch" / "__init__.py").unlink()
    assert digest() != before


def test_a_link_counts_by_where_it_points(digest, environment):
    (environment / "link").symlink_to("/nowhere")
    before = digest()
    (environment / "link").unlink()
    (environment / "link").symlink_to("/elsewhere")
    assert digest() != before


@pytest.mark.parametrize(
    "name",
    ["torch/__pycache__/x.cpython-311.pyc", "old.pyc", "tonegap/x.py", "tonegap-1.dist-info/RECORD",
     "_editable_impl_tonegap.pth"],
)  # fmt: skip
def test_compiled_files_and_tonegap_itself_do_not_count(digest, environment, name):
    before = digest()
    write(environment / name, "x")
    assert digest() == before


def test_a_damaged_memory_of_digests_is_made_anew(digest, tmp_path):
    before = digest()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text("{")
    assert digest() == before


def test_versions_are_those_asked_for(environment, tmp_path):
    found = bound_environment(environment, ["torch", "jax"], tmp_path / "cache")
    assert (found.host, found.versions) == (str(environment), {"torch": "9.1"})


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(EngineError, match="nowhere: no such folder"):
        bound_environment(tmp_path / "nowhere", [], tmp_path)
