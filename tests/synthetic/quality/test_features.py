"""Features that a stranger left: what is taken, and what is refused in one sentence."""

import pickle

import numpy as np
import pytest

from tonegap.errors import BadOutput
from tonegap.synthetic.quality.features import read_features


@pytest.fixture
def left(tmp_path):
    """A folder with good features of three real and two synthetic images."""

    def save(**arrays):
        good = {"train": np.ones((3, 4), np.float32), "synthetic": np.zeros((2, 4), np.float32)}
        for name, array in (good | arrays).items():
            np.save(tmp_path / f"{name}.npy", array)
        return tmp_path

    return save


def test_good_features_are_read_in_order(left):
    found = read_features(left(train=np.arange(6, dtype=np.float32).reshape(3, 2),
                               synthetic=np.ones((2, 2), np.float32)), 3, 2)  # fmt: skip
    assert found.train.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found.synthetic.dtype == np.float64


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"train": np.ones((3, 4))}, "train.npy: wanted one float32 array"),
        ({"train": np.ones((3, 4, 1), np.float32)}, "train.npy: wanted one float32 array"),
        ({"synthetic": np.ones((3, 4), np.float32)}, r"synthetic.npy: found the shape \[3, 4\]"),
        ({"train": np.ones((3, 0), np.float32)}, r"train.npy: found the shape \[3, 0\]"),
        ({"train": np.ones((3, 5), np.float32)}, "synthetic.npy: 4 features .* has 5"),
        (
            {"train": np.full((3, 4), np.nan, np.float32)},
            "train.npy: holds a value that is no finite",
        ),
        ({"train": np.full((3, 4), 2e9, np.float32)}, "train.npy: .* or beyond"),
        (
            {"train": np.full((3, 4), -np.inf, np.float32)},
            "train.npy: holds a value that is no finite",
        ),
    ],
)
def test_features_that_do_not_fit_are_refused(left, arrays, words):
    with pytest.raises(BadOutput, match=words):
        read_features(left(**arrays), 3, 2)


def test_an_absent_file_is_refused(left):
    folder = left()
    (folder / "synthetic.npy").unlink()
    with pytest.raises(BadOutput, match=r"synthetic\.npy: absent"):
        read_features(folder, 3, 2)


def test_a_pickle_is_refused_unopened(left, tmp_path):
    folder = left()
    objects = np.empty((3, 4), object)
    np.save(folder / "train.npy", objects, allow_pickle=True)
    with pytest.raises(BadOutput, match=r"train.npy: not an array in numpy's format"):
        read_features(folder, 3, 2)
    (folder / "train.npy").write_bytes(pickle.dumps([1]))
    with pytest.raises(BadOutput, match=r"train.npy: not an array in numpy's format"):
        read_features(folder, 3, 2)


@pytest.mark.parametrize("length", [0, 5, 90, 130])
def test_a_file_cut_short_is_refused(left, length):
    folder = left()
    content = (folder / "train.npy").read_bytes()
    (folder / "train.npy").write_bytes(content[:length])
    with pytest.raises(BadOutput, match=r"train.npy: not an array"):
        read_features(folder, 3, 2)


def test_a_header_that_promises_terabytes_takes_no_memory(left):
    folder = left()
    with (folder / "train.npy").open("wb") as f:
        np.lib.format.write_array_header_1_0(
            f, {"descr": "<f4", "fortran_order": False, "shape": (3, 1 << 40)}
        )
    with pytest.raises(BadOutput, match=r"train.npy"):
        read_features(folder, 3, 2)
