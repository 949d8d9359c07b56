from pathlib import Path

import numpy as np
import pytest

from tonegap_kit.counts import cell_balanced_by, read_counts, reweighing_by
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.sampling import cell_balanced, reweighing

Y = np.array([0, 0, 1, 1, 1])
T = np.array([0, 1, 0, 0, UNKNOWN])
OWN = np.array([[1, 2], [1, 0]])  # rows of Y and T by tone and class


def test_counts_of_the_rows_themselves_give_the_weights_of_the_rows():
    assert cell_balanced_by(OWN, Y, T).tolist() == cell_balanced(Y, T).tolist()
    assert reweighing_by(OWN, Y, T) == pytest.approx(reweighing(Y, T))


def test_counts_of_more_images_give_other_weights():
    counts = np.array([[4, 2], [1, 3]])
    assert cell_balanced_by(counts, Y, T).tolist() == [1 / 4, 1, 1 / 2, 1 / 2, 0]
    # N_tone * N_class / (N_cell * N): 6 * 5 / (4 * 10) for the first row, 4 * 5 / (1 * 10) for the second.
    assert reweighing_by(counts, Y, T)[:2].tolist() == [0.75, 2]


def test_a_row_that_the_counts_do_not_know_is_refused():
    with pytest.raises(StageError, match="a training image is of a tone and class"):
        cell_balanced_by(np.array([[0, 2], [1, 0]]), Y, T)


def test_counts_are_read_by_name(make_stage, tmp_path: Path):
    (tmp_path / "counts.csv").write_text("tone,label,images\nVI,b,7\nI,a,3\n")
    counts = read_counts(tmp_path / "counts.csv", make_stage().job)
    assert counts.shape == (6, 3)
    assert (counts[5, 1], counts[0, 0], counts.sum()) == (7, 3, 10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tone,label\nI,a\n", "wanted"),
        ("tone,label,images\nI,z,1\n", "no table of the task's tones and classes"),
        ("tone,label,images\nI,a,many\n", "no table of the task's tones and classes"),
        ("tone,label,images\nI,a,-1\n", "a negative count"),
        ("tone,label,images\n", "no images at all"),
    ],
)
def test_other_tables_are_refused(make_stage, tmp_path: Path, text: str, said: str):
    (tmp_path / "counts.csv").write_text(text)
    with pytest.raises(StageError, match=said):
        read_counts(tmp_path / "counts.csv", make_stage().job)
