"""The index of images: what it says, and that each file is decoded once."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tonegap.data.index import ImageIndex, Problem, index_images
from tonegap.data.metadata import read_metadata
from tonegap.declared.dataset import Dataset
from tonegap.errors import StoreError
from tonegap.files import sha256_file

Write = Callable[..., None]
Index = Callable[..., ImageIndex]


@pytest.fixture
def index(clinic: Dataset, tmp_path: Path) -> Index:
    def _index(workers: int = 1, cache: str = "cache") -> ImageIndex:
        metadata = read_metadata(clinic, clinic.folder)
        return index_images(clinic, metadata, clinic.folder, tmp_path / cache, workers)

    return _index


def replace_unnoticed(path: Path, content: bytes) -> None:
    """Other content of the same length, under the same time of change."""
    before = path.stat()
    path.write_bytes(content.ljust(before.st_size, b"\0")[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_usable_images_have_path_hash_and_group(
    clinic: Dataset, write_pictures: Write, index: Index
) -> None:
    write_pictures(clinic.folder, {"a1.png": 1, "a2.png": 2, "a4.png": 1})
    found = index()
    assert found.paths["a2"] == clinic.folder / "a2.png"
    assert found.sha256["a2"] == sha256_file(clinic.folder / "a2.png")
    assert found.groups == {"a1": 0, "a2": 1, "a4": 0}
    assert found.problems == (Problem("a3", "missing", "no file of any of its names"),)


def test_a_broken_image_is_a_problem_and_not_in_the_index(
    clinic: Dataset, write_pictures: Write, index: Index
) -> None:
    write_pictures(clinic.folder, ["a1.png", "a2.png", "a3.png"])
    (clinic.folder / "a4.png").write_text("<html>not found</html>")
    found = index()
    assert set(found.sha256) == set(found.groups) == {"a1", "a2", "a3"}
    assert found.problems == (Problem("a4", "not an image", "an HTML or XML page"),)


def test_an_unchanged_file_is_not_read_again(
    clinic: Dataset, write_pictures: Write, index: Index
) -> None:
    write_pictures(clinic.folder, ["a1.png", "a2.png", "a3.png", "a4.png"])
    first = index()
    replace_unnoticed(clinic.folder / "a1.png", b"no image any more")
    assert index() == first


def test_a_changed_file_is_read_again(clinic: Dataset, write_pictures: Write, index: Index) -> None:
    write_pictures(clinic.folder, ["a1.png", "a2.png"])
    first = index()
    write_pictures(clinic.folder, {"a1.png": 77})
    second = index()
    assert second.sha256["a1"] != first.sha256["a1"]
    assert second.sha256["a2"] == first.sha256["a2"]
    assert second.digest != first.digest


def test_a_cache_without_a_column_is_made_again(
    clinic: Dataset, write_pictures: Write, index: Index, tmp_path: Path
) -> None:
    write_pictures(clinic.folder, ["a1.png", "a2.png", "a3.png", "a4.png"])
    first = index()
    for path in (tmp_path / "cache").iterdir():
        table = pq.ParquetFile(path).read()
        pq.write_table(table.drop_columns(table.column_names[-1:]), path)
    assert index() == first


def test_what_is_kept_is_read_without_pandas(
    clinic: Dataset, write_pictures: Write, index: Index, tmp_path: Path
) -> None:
    write_pictures(clinic.folder, ["a1.png", "a2.png"])
    index()
    (pictures,), (groups,) = (
        list((tmp_path / "cache").glob(f"{name}-*")) for name in ("images", "duplicates")
    )
    code = (
        "import sys; from pathlib import Path; from tonegap.data.index import _load_groups; "
        "from tonegap.data.picture_cache import _load; import tonegap.plan.prepare; import tonegap.run.runner; "
        "pictures, groups = map(Path, sys.argv[1:]); "
        "assert len(_load(pictures, ['path', 'size', 'mtime_ns', 'sha256', 'problem', 'text'])) == 2; "
        "_load_groups(groups, {'a1', 'a2'}); "
        "sys.exit(str({'pandas', 'scipy.ndimage', 'pyarrow.dataset'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, pictures, groups], capture_output=True, text=True, check=False
    )
    assert ended.stderr.strip() == "set()"


@pytest.mark.parametrize("content", [b"", b"PAR1 half-written", b"no parquet"])
def test_a_damaged_cache_is_made_again(
    clinic: Dataset, write_pictures: Write, index: Index, tmp_path: Path, content: bytes
) -> None:
    write_pictures(clinic.folder, ["a1.png", "a2.png", "a3.png", "a4.png"])
    first = index()
    kept = list((tmp_path / "cache").iterdir())
    assert len(kept) == 2
    for path in kept:
        path.write_bytes(content)
    assert index() == first
    replace_unnoticed(clinic.folder / "a1.png", b"no image any more")
    assert index() == first


def test_an_unwritable_cache_is_one_sentence(
    clinic: Dataset, write_pictures: Write, index: Index, tmp_path: Path
) -> None:
    write_pictures(clinic.folder, ["a1.png"])
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="the index of images cannot be written"):
        index(cache="file")


def test_the_digest_does_not_depend_on_order_or_folder(
    clinic: Dataset, write_pictures: Write, index: Index
) -> None:
    names = ["a1.png", "a2.png", "a3.png", "a4.png"]
    write_pictures(clinic.folder / "here", names)
    first = index()
    rows = (clinic.folder / "rows.csv").read_text().splitlines()
    (clinic.folder / "rows.csv").write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    (clinic.folder / "here").rename(clinic.folder / "there")
    second = index()
    assert (second.digest, second.groups) == (first.digest, first.groups)


def test_workers_do_not_change_the_result(
    clinic: Dataset, write_pictures: Write, index: Index
) -> None:
    lines = [f"b{i},wart,1,no" for i in range(40)]
    (clinic.folder / "rows.csv").write_text("\n".join(["picture no,what,skin,bad", *lines]) + "\n")
    write_pictures(clinic.folder, [f"b{i}.png" for i in range(40)])
    assert index(workers=2, cache="two") == index(workers=1, cache="one")


def test_no_image_at_all_is_an_empty_index(index: Index) -> None:
    found = index()
    assert (found.paths, found.groups, len(found.problems)) == ({}, {}, 4)
