"""Which pictures count as copies of others, and which do not."""

import numpy as np
import pytest
from faces import CHANGES, SIDE, picture

from tonegap.synthetic.copies import Copy, find_copies
from tonegap.synthetic.thumbnails import Thumbs, read_thumbs

KINDS = {
    "same": "copy",
    "mirrored": "mirrored copy",
    "encoded": "copy",
    "cropped": "crop",
}


def thumbs(images):
    grey = np.stack([np.asarray(i.convert("L").resize((SIDE, SIDE))) for i in images])
    return Thumbs(grey, np.arange(len(images)))


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_others_and_its_kind_is_named(change):
    others = thumbs([picture(seed) for seed in range(30)])
    found = find_copies(thumbs([CHANGES[change](picture(7))]), others)
    assert [(copy.mine, copy.other, copy.kind) for copy in found] == [(0, 7, KINDS[change])]
    assert found[0].likeness > 0.6


def test_different_pictures_are_no_copies():
    mine = thumbs([picture(seed) for seed in range(100, 160)])
    assert find_copies(mine, thumbs([picture(seed) for seed in range(60)])) == []


def test_a_picture_of_one_colour_is_like_nothing():
    flat = Thumbs(np.full((1, SIDE, SIDE), 90, np.uint8), np.zeros(1, np.int64))
    assert find_copies(flat, flat) == []


def test_a_blurred_likeness_is_no_copy():
    """What keeps the large shapes alone could be chance, and is for the lineage to tell."""
    blurred = picture(3).resize((6, 6)).resize((SIDE, SIDE))
    assert find_copies(thumbs([blurred]), thumbs([picture(3), picture(4)])) == []


def test_a_square_cut_from_a_wide_photograph_is_a_copy_of_it(tmp_path):
    wide = picture(1).resize((120, 80))
    wide.save(tmp_path / "wide.png")
    wide.crop((20, 0, 100, 80)).save(tmp_path / "square.png")
    mine = read_thumbs([tmp_path / "square.png"], both_views=False)
    found = find_copies(mine, read_thumbs([tmp_path / "wide.png"], both_views=True))
    assert [(copy.other, copy.kind) for copy in found] == [(0, "copy")]


def test_nothing_is_like_nothing():
    none = Thumbs(np.empty((0, SIDE, SIDE), np.uint8), np.empty(0, np.int64))
    some = thumbs([picture(0)])
    assert find_copies(none, some) == find_copies(some, none) == []


def test_the_likelier_of_two_is_named():
    others = [CHANGES["cropped"](picture(5)), picture(5)]
    (found,) = find_copies(thumbs([picture(5)]), thumbs(others))
    assert found == Copy(0, 1, "copy", 1.0)
