"""Baselines on frames, whole pictures squeezed to squares, from the engine to a record."""

import pytest
from quick_entries import left_by, stages_of

from tonegap.store.store import Store

SQUEEZED = {
    "image_size_px": 40,
    "view_px": 32,
    "interpolation": "bicubic",
    "augmentation": "crop-rotate-flip",
}


# `circle` and `swad` show their network images of their own accord.
@pytest.mark.parametrize("baseline", ["erm", "circle", "swad"])
def test_square_pictures_as_frames_leave_the_bytes_of_squeezed_ones(project, baseline, tmp_path):
    left = []
    for geometry in ("frame", "stretch"):
        store = Store(tmp_path / geometry)
        plan = project.finished(store, "grey", baseline, given=SQUEEZED | {"geometry": geometry})
        stage = stages_of(plan)[-1]
        assert stage.image.geometry == geometry
        left.append(left_by(store, stage))
    # All pictures here are as wide as they are high.
    assert left[0] == left[1]
