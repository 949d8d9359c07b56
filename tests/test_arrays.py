"""Labels as numbers."""

import numpy as np
import pytest

from tonegap.arrays import class_indices


def test_a_label_is_its_place_among_the_classes() -> None:
    found = class_indices(iter(["b", "a", "b"]), ("a", "b"))
    assert found.tolist() == [1, 0, 1]
    assert found.dtype == class_indices([], ()).dtype == np.int64


def test_a_label_of_no_class_is_an_error() -> None:
    with pytest.raises(KeyError, match="c"):
        class_indices(["c"], ("a", "b"))
