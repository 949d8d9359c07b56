"""A folder of pictures is the same bytes however it was drawn, and goes on where it stopped."""

import os

import numpy as np
import pytest
from PIL import Image

from tonegap.data.phantom.draw import Sitter, draw
from tonegap.data.phantom.folder import draw_folder
from tonegap.errors import BadRequest, EngineError, StoreError

SITTERS = [Sitter(f"id{i:03d}", ("psoriasis", "benign")[i % 2], None) for i in range(70)]
NAMES = [f"{s.image_id}.jpg" for s in SITTERS]


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_order_and_number_of_workers_leave_every_byte_as_it_is(tmp_path):
    draw_folder(SITTERS, NAMES, tmp_path / "one", 32, 1)
    draw_folder(SITTERS[::-1], NAMES[::-1], tmp_path / "two", 32, 2)
    assert len(contents(tmp_path / "one")) == 70
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_existing_files_are_kept_and_the_missing_ones_drawn(tmp_path):
    draw_folder(SITTERS[:3], NAMES[:3], tmp_path, 32, 1)
    whole = contents(tmp_path)
    (tmp_path / NAMES[0]).write_bytes(b"mine")
    (tmp_path / NAMES[1]).unlink()
    draw_folder(SITTERS[:3], NAMES[:3], tmp_path, 32, 1)
    assert contents(tmp_path) == {**whole, NAMES[0]: b"mine"}


def test_an_empty_file_counts_as_missing(tmp_path):
    (tmp_path / NAMES[0]).touch()
    draw_folder(SITTERS[:1], NAMES[:1], tmp_path, 32, 1)
    assert (tmp_path / NAMES[0]).stat().st_size > 500


def test_png_and_mask_hold_the_very_pixels_that_were_drawn(tmp_path):
    draw_folder(SITTERS[:1], ["a.png"], tmp_path, 32, 1, masks=True)
    rgb, mask = draw(SITTERS[0], 32)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), rgb)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "masks" / "a.png")), mask)


def test_a_mask_missing_from_a_finished_folder_is_added(tmp_path):
    draw_folder(SITTERS[:1], NAMES[:1], tmp_path, 32, 1)
    draw_folder(SITTERS[:1], NAMES[:1], tmp_path, 32, 1, masks=True)
    assert set(contents(tmp_path)) == {"id000.jpg", "masks/id000.png"}


def test_jpeg_is_close_to_the_pixels_that_were_drawn(tmp_path):
    draw_folder(SITTERS[:1], NAMES[:1], tmp_path, 64, 1)
    with Image.open(tmp_path / NAMES[0]) as image:
        assert image.format == "JPEG"
        assert np.abs(np.asarray(image).astype(int) - draw(SITTERS[0], 64)[0]).mean() < 4


def test_a_name_may_lie_in_a_folder_below(tmp_path):
    draw_folder(SITTERS[:1], ["deep/er/a.jpg"], tmp_path, 32, 1)
    assert (tmp_path / "deep/er/a.jpg").is_file()


def test_progress_ends_at_the_number_of_pictures_kept_ones_included(tmp_path):
    draw_folder(SITTERS[:5], NAMES[:5], tmp_path, 32, 1)
    seen = []
    draw_folder(SITTERS, NAMES, tmp_path, 32, 1, on_progress=seen.append)
    assert seen == [64, 70]


def test_nothing_to_draw_is_fine(tmp_path):
    draw_folder([], [], tmp_path, 32, 1)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.jpg"], "2 sitters and 1 file names"),
        (["a.jpg", "a.jpg"], "more than once"),
        (["a.jpg", "a.png"], "more than once"),
        (["a.jpg", "b.gif"], "'b.gif'"),
        (["a.jpg", "../b.jpg"], "leads out"),
        (["a.jpg", "/b.jpg"], "leads out"),
    ],
)
def test_bad_file_names_are_refused_before_anything_is_written(tmp_path, names, message):
    with pytest.raises(BadRequest, match=message):
        draw_folder(SITTERS[:2], names, tmp_path, 32, 1)
    assert contents(tmp_path) == {}


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(BadRequest, match="0 workers"):
        draw_folder(SITTERS[:1], NAMES[:1], tmp_path, 32, 0)


def test_a_bad_tone_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(BadRequest, match="image late: tone"):
        draw_folder([*SITTERS[:1], Sitter("late", "benign", "7")], NAMES[:2], tmp_path, 32, 1)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_where_the_folder_should_be_is_one_clear_error(tmp_path, workers):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(StoreError, match="out: cannot write pictures"):
        draw_folder(SITTERS, NAMES, tmp_path / "out", 32, workers)


class DeadlyLabel(str):
    """Ends the process that unpickles it, as the kernel does when memory runs out."""

    __slots__ = ()

    def __reduce__(self):
        return os._exit, (9,)


def test_a_worker_that_is_killed_is_one_clear_error(tmp_path):
    with pytest.raises(EngineError, match="a process that draws was killed"):
        draw_folder([Sitter("a", DeadlyLabel("psoriasis"), "I")], ["a.jpg"], tmp_path, 32, 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        draw_folder(SITTERS[:1], NAMES[:1], tmp_path / "out", 32, 1)
