"""A set made elsewhere is read by the rules of `synthetic.csv`: long rows, and no path that leaves the folder."""

import pytest
from PIL import Image

from tonegap.errors import BadOutput, BadRequest
from tonegap.synthetic.external_set import read_set
from tonegap.synthetic.manifest import ALL_COLUMNS, read_synthetic


def set_of(folder, sources, file="a.png"):
    """A folder with one image and a `synthetic.csv` that names these sources of it."""
    (folder / "images").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "images" / "a.png")
    row = ("one", file, "acne", "VI", "", "0", " ".join(sources), "")
    (folder / "synthetic.csv").write_text(f"{','.join(ALL_COLUMNS)}\n{','.join(row)}\n")
    return folder


def test_a_row_of_very_many_sources_is_read_as_a_run_reads_it(tmp_path):
    sources = [f"{i:036}" for i in range(5000)]  # 185,000 letters in one cell
    folder = set_of(tmp_path, sources)
    (listed,), (made,) = read_set(folder, None).rows, read_synthetic(folder)
    assert listed.sources == made.sources == tuple(sources)


@pytest.mark.parametrize("file", ["../a.png", "/a.png", ""])
def test_a_file_that_is_not_below_the_folder_is_refused_by_both(tmp_path, file):
    folder = set_of(tmp_path, ["x"], file)
    with pytest.raises(BadRequest, match="not a path below"):
        read_set(folder, None)
    with pytest.raises(BadOutput, match="not a path below"):
        read_synthetic(folder)
