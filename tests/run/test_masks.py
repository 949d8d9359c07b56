"""Lesion masks: found beside the images, prepared as they are, given to methods that ask for them."""

import numpy as np
import pytest
from PIL import Image
from tiny_rooms import CLINIC, GENERATE_PY

from tonegap.data.mask_file import MaskFile, read_mask
from tonegap.declared.dataset import COLOUR
from tonegap.errors import BadData
from tonegap.formats.job import ImageSpec
from tonegap.plan import prepare
from tonegap.run.explain import data_lines
from tonegap.run.inputs import write_inputs

N = {"n": {"default": 1, "about": "images"}, "image_size_px": {"default": 16, "about": "side"}}


@pytest.fixture
def masked(planner):
    """The clinic with a mask for each image but the first: its left half is lesion."""
    text = CLINIC.replace("[columns]", 'masks = ["masks/{image_id}.png"]\n\n[columns]', 1)
    planner.rooms.write("benchmarks/clinic/dataset.toml", text)
    planner.rooms.method("grey", GENERATE_PY, needs=["masks"], parameters=N)
    (planner.download / "masks").mkdir()
    for path in sorted(planner.download.glob("c*.png"))[1:]:
        values = np.full((32, 40), 4, np.uint8)
        values[:, :20] = 1
        Image.fromarray(values).save(planner.download / "masks" / path.name)
    return planner


def given(planner, tmp_path, name="generate"):
    folder = tmp_path / "in"
    write_inputs(planner.store, planner.stages()[name], 60, folder)
    return folder


def test_a_method_that_asks_gets_a_mask_for_each_training_image(masked, tmp_path):
    folder = given(masked, tmp_path)
    masks = np.load(folder / "train_masks.npy")
    ids = masked.plan().runs[0].view.train.ids
    assert masks.shape == (len(ids), 16, 16)
    assert masks.dtype == np.uint8
    assert ids[0] == "c00"
    assert not masks[0].any()  # it has none
    # 40 px wide, the middle 32 are kept, 16 of them lesion: the left half again.
    assert (masks[1:, :, :8] == 1).all()
    assert (masks[1:, :, 8:] == 4).all()


def test_a_method_that_does_not_ask_gets_none(masked, tmp_path):
    masked.rooms.method("grey", GENERATE_PY, parameters=N)
    assert not (given(masked, tmp_path) / "train_masks.npy").exists()


def test_a_train_stage_gets_none(masked, tmp_path):
    masked.suite(method="none")
    assert not (given(masked, tmp_path, "train") / "train_masks.npy").exists()


def test_masks_are_no_images_of_the_data_set(masked):
    view = masked.plan().runs[0].view
    assert not any(
        "masks" in path.parts for rows in view.partitions.values() for path in rows.paths
    )


def test_a_changed_mask_changes_the_method_that_sees_it(masked):
    before = masked.keys()
    Image.new("L", (40, 32), 2).save(masked.download / "masks" / "c01.png")
    after = masked.keys()
    assert before["generate"] != after["generate"]


def test_a_mask_of_a_test_image_changes_nothing(masked):
    before = masked.keys()
    test_id = masked.plan().runs[0].view.test.ids[0]
    Image.new("L", (40, 32), 2).save(masked.download / "masks" / f"{test_id}.png")
    assert masked.keys() == before


def test_a_declared_pattern_without_a_single_mask_is_a_hole_of_the_matrix(masked):
    for path in (masked.download / "masks").iterdir():
        path.unlink()
    assert "the data set has none" in masked.plan().runs[0].id.not_applicable


def test_a_method_that_needs_skin_in_masks_is_not_asked_where_no_mask_shows_any(masked):
    masked.rooms.method("grey", GENERATE_PY, needs=["masks", "skin_masks"], parameters=N)
    assert masked.plan().runs[0].id.not_applicable is None
    for path in (masked.download / "masks").iterdir():
        values = np.asarray(Image.open(path)).copy()
        values[values == 4] = 0  # lesion and background, as most data sets have them
        Image.fromarray(values).save(path)
    assert masked.plan().runs[0].id.not_applicable == (
        "methods/grey needs lesion masks that show skin too; no mask of a training image has both (does "
        "mask_values call the skin background?)"
    )


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("gone.png", "No such file or directory"),
        ("c01.png", "Too many levels of symbolic links"),
        (None, "Is a directory"),
    ],
)
def test_a_link_to_nothing_to_itself_and_a_folder_are_no_masks(masked, target, said):
    path = masked.download / "masks" / "c01.png"
    path.unlink()
    if target:
        path.symlink_to(target)
    else:
        path.mkdir()
    with pytest.raises(BadData, match=rf"masks/c01\.png: not a usable mask: {said}; that is so of"):
        masked.plan()
    # A method that needs no masks is not stopped: it loses its quality sheet.
    masked.rooms.method("grey", GENERATE_PY, parameters=N)
    (line,) = masked.plan().lines
    assert f"not a usable mask: {said}" in line


def test_the_code_that_reads_masks_is_in_the_keys_of_stages_that_need_them(masked, monkeypatch):
    before, real = masked.keys(), prepare.code_digest
    other = {"tonegap.data.mask_file": "x" * 64}
    monkeypatch.setattr(
        prepare, "code_digest", lambda *names, **more: other.get(names[0]) or real(*names, **more)
    )
    assert masked.keys()["generate"] != before["generate"]


@pytest.mark.parametrize("value", [5, 254])
def test_a_value_that_is_no_class_is_refused(tmp_path, value):
    Image.new("L", (8, 8), value).save(tmp_path / "m.png")
    with pytest.raises(
        BadData, match=f"found the value {value} in 100.0 % of its pixels, wanted 0, 1, 2, 3, 4"
    ):
        read_mask(MaskFile(tmp_path / "m.png"), None, ImageSpec(8, "crop"))


class TestOtherSpellings:
    """Left half background, right half lesion, however it is written."""

    def values(self, path, picture=None):
        found = read_mask(MaskFile(path), picture, ImageSpec(8, "crop"))
        return found[0, 0], found[0, 7]

    def halves(self, left, right, size=(8, 8)):
        pixels = np.full(size[::-1], left, np.uint8)
        pixels[:, size[0] // 2 :] = right
        return Image.fromarray(pixels)

    @pytest.mark.parametrize(("left", "right"), [(0, 1), (0, 255)])
    def test_black_and_white_is_background_and_lesion(self, tmp_path, left, right):
        self.halves(left, right).save(tmp_path / "m.png")
        assert self.values(tmp_path / "m.png") == (0, 1)

    def test_one_bit(self, tmp_path):
        self.halves(0, 255).convert("1").save(tmp_path / "m.png")
        assert self.values(tmp_path / "m.png") == (0, 1)

    @pytest.mark.parametrize("white", [0, 1])
    def test_a_palette_is_read_by_its_greys_whatever_their_order(self, tmp_path, white):
        mask = self.halves(1 - white, white)
        mask = Image.frombytes("P", mask.size, mask.tobytes())
        mask.putpalette([255, 255, 255, 0, 0, 0] if white == 0 else [0, 0, 0, 255, 255, 255])
        mask.save(tmp_path / "m.png")
        assert self.values(tmp_path / "m.png") == (0, 1)

    def test_a_palette_of_colours_says_nothing_of_lesions(self, tmp_path):
        mask = Image.frombytes("P", (8, 8), self.halves(0, 1).tobytes())
        mask.putpalette([0, 0, 0, 200, 0, 0])
        mask.save(tmp_path / "m.png")
        with pytest.raises(
            BadData,
            match=r"found the value #c80000 in 50.0 % .*; declare what the values mean in mask_values",
        ):
            self.values(tmp_path / "m.png")

    @pytest.mark.parametrize("size", [(40, 32), (20, 16), (13, 10), (81, 65)])
    def test_a_smaller_or_larger_one_may_be_a_pixel_off(self, tmp_path, size):
        Image.new("RGB", (40, 32)).save(tmp_path / "x.png")
        self.halves(0, 1, size).save(tmp_path / "m.png")
        assert self.values(tmp_path / "m.png", tmp_path / "x.png") == (0, 1)

    @pytest.mark.parametrize("size", [(32, 40), (40, 40), (40, 30)])
    def test_one_of_another_shape_is_not_stretched(self, tmp_path, size):
        Image.new("RGB", (40, 32)).save(tmp_path / "x.png")
        self.halves(0, 1, size).save(tmp_path / "m.png")
        with pytest.raises(BadData, match=r"not in the proportion of its image \(40 × 32"):
            self.values(tmp_path / "m.png", tmp_path / "x.png")

    @pytest.mark.parametrize(
        ("size", "said"),
        [
            ((1, 2), "not in the proportion of its image"),
            ((2, 1), "not in the proportion of its image"),
            ((8, 9), "not in the proportion of its image"),  # a pixel off, and an eighth
            ((1, 1), "too few for an image of 64 × 64; wanted 8 pixels a side or more"),
        ],
    )
    def test_a_pixel_of_rounding_is_no_other_shape(self, tmp_path, size, said):
        Image.new("RGB", (64, 64)).save(tmp_path / "x.png")
        Image.new("L", size).save(tmp_path / "m.png")
        with pytest.raises(BadData, match=said):
            self.values(tmp_path / "m.png", tmp_path / "x.png")

    def test_the_shape_is_that_of_the_upright_image(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (40, 32)).save(tmp_path / "x.jpg", exif=exif)
        self.halves(0, 1, (32, 40)).save(tmp_path / "m.png")
        assert self.values(tmp_path / "m.png", tmp_path / "x.jpg") == (0, 1)


def spoil(planner):
    """Gives the first training image with a mask one of another shape; its id, and how many masks there are."""
    ids = planner.plan().runs[0].view.train.ids
    spoilt = next(i for i in ids if i != "c00")
    Image.new("L", (32, 40), 1).save(planner.download / "masks" / f"{spoilt}.png")
    return spoilt, len(ids) - ("c00" in ids)


def test_an_unusable_mask_is_refused_by_the_plan_of_a_method_that_needs_masks(masked):
    spoilt, n = spoil(masked)
    with pytest.raises(BadData) as refused:
        masked.plan()
    said = str(refused.value)
    assert said.startswith(f"{masked.download}/masks/{spoilt}.png: not a usable mask: 32 × 40")
    assert f"; that is so of 1 of the {n} masks of clinic/two's training images, and " in said
    assert "grey needs masks; `tonegap data check clinic --root DIR` names them all" in said


def test_an_unusable_mask_of_a_test_image_is_nobodys(masked):
    test_id = masked.plan().runs[0].view.test.ids[0]
    Image.new("L", (32, 40), 1).save(masked.download / "masks" / f"{test_id}.png")
    assert masked.plan().lines == ()


def test_where_masks_are_only_measured_beside_the_loss_is_said_before_anything_runs(masked):
    masked.rooms.method("grey", GENERATE_PY, parameters=N)
    spoilt, _n = spoil(masked)
    (said,) = masked.plan().lines
    assert f"masks/{spoilt}.png: not a usable mask: 32 × 40" in said
    assert "grey gets no quality sheet, which measures real skin outside masks; " in said
    assert data_lines(masked.plan())[-1] == said


def test_a_suite_that_reads_no_mask_opens_none(masked):
    masked.suite(method="none")
    spoil(masked)
    assert masked.plan().lines == ()


def test_run_and_plan_end_with_the_sentence_and_exit_code_2(masked, tonegap):
    spoil(masked)
    words = ("tiny", "--root", masked.download, "--suite-root", masked.rooms.root)
    words += ("--store", masked.store.folder)
    for command in ("plan", "run"):
        assert tonegap(command, *words) == 2
        assert "not a usable mask: 32 × 40 pixels" in tonegap.err
    assert not list(masked.store.folder.glob("stages/*"))


@pytest.mark.parametrize(
    ("mode", "colour", "said"),
    [
        ("RGB", (200, 150, 120), "found the value #c89678"),
        ("RGBA", (0, 0, 0, 0), "transparent pixels; wanted a value at every pixel"),
        ("I;16", 700, "found the value 700"),
    ],
)
def test_a_picture_in_place_of_a_mask_is_refused(tmp_path, mode, colour, said):
    Image.new(mode, (8, 8), colour).save(tmp_path / "m.png")
    with pytest.raises(BadData, match=f"not a usable mask: {said}"):
        read_mask(MaskFile(tmp_path / "m.png"), None, ImageSpec(8, "crop"))


def test_an_unreadable_mask_is_refused(tmp_path):
    (tmp_path / "m.png").write_text("<html>")
    with pytest.raises(BadData, match="not a usable mask"):
        read_mask(MaskFile(tmp_path / "m.png"), None, ImageSpec(8, "crop"))


class TestDeclaredValues:
    """Left half the first value, right half the second, with meanings as a data set declares them."""

    MEANING = ((0, 0), (255, 4), (COLOUR | 0xFF0000, 1))  # white is skin, red is lesion

    def kinds(self, path, **how):
        found = read_mask(
            MaskFile(path, **{"meaning": self.MEANING, **how}), None, ImageSpec(8, "crop")
        )
        return found[0, 0], found[0, 7]

    def test_a_colour_and_a_level_have_the_declared_meaning(self, tmp_path):
        mask = Image.new("RGB", (8, 8), "white")
        mask.paste((255, 0, 0), (4, 0, 8, 8))
        mask.save(tmp_path / "m.png")
        assert self.kinds(tmp_path / "m.png") == (4, 1)
        mask.quantize(2).save(tmp_path / "p.png")  # a palette in any order
        assert self.kinds(tmp_path / "p.png") == (4, 1)

    def test_an_array_is_read_by_row_or_by_column_and_as_yes_and_no(self, tmp_path):
        values = np.repeat([[0, 255]], 4, axis=0).repeat(2, axis=1)  # 4 x 4
        np.save(tmp_path / "m.npy", values)
        np.save(tmp_path / "f.npy", np.asfortranarray(values.astype(np.uint8)))
        assert self.kinds(tmp_path / "m.npy") == self.kinds(tmp_path / "f.npy") == (0, 4)
        np.save(tmp_path / "b.npy", values > 0)
        assert self.kinds(tmp_path / "b.npy", meaning=()) == (0, 1)

    @pytest.mark.parametrize(
        ("array", "said"),
        [
            (np.array([[{}]], dtype=object), "an array of Python objects"),
            (np.full((4, 4), 0.5), "fractions; wanted whole numbers"),
            (np.zeros(16, np.uint8), r"wanted integers \[h, w\]"),
            (np.full((4, 4), np.nan), "fractions; wanted whole numbers"),
        ],
    )
    def test_other_arrays_are_refused_and_none_runs_a_program(self, tmp_path, array, said):
        np.save(tmp_path / "m.npy", array, allow_pickle=True)
        with pytest.raises(BadData, match=said):
            self.kinds(tmp_path / "m.npy")

    @pytest.mark.parametrize("sizes", ["(-4, -4)", "(True, 16)", "(4, 4, -1)"])
    def test_sizes_that_are_none_are_refused(self, tmp_path, sizes):
        np.save(tmp_path / "m.npy", np.zeros((4, 4), np.uint8))
        content = (tmp_path / "m.npy").read_bytes()
        start = content.index(b"(4, 4)")
        end = start + len(sizes)  # in place of the blanks that fill the header
        told = content[start + 6 : 127][: 127 - end]
        (tmp_path / "m.npy").write_bytes(content[:start] + sizes.encode() + told + content[127:])
        with pytest.raises(
            BadData, match=rf"an array whose sizes are {sizes[1:-1]}; wanted a height and a width"
        ):
            self.kinds(tmp_path / "m.npy")

    def test_half_precision_is_read_without_a_warning(self, tmp_path, recwarn):
        values = np.repeat([[0, 255]], 4, axis=0).repeat(2, axis=1)
        np.save(tmp_path / "m.npy", values.astype(np.float16))
        assert self.kinds(tmp_path / "m.npy") == (0, 4)
        assert not recwarn.list

    @pytest.mark.parametrize("value", [2**63 + 5, 1 << 24, COLOUR | 0xFF0000, -7])
    def test_a_value_beyond_all_levels_is_named_as_it_is(self, tmp_path, value):
        array = np.zeros((4, 4), np.uint64 if value > 0 else np.int64)
        array[0] = value
        np.save(tmp_path / "m.npy", array)
        with pytest.raises(
            BadData, match=f"found the value {value} in 25.0 % of its pixels, wanted levels of 0"
        ):
            self.kinds(tmp_path / "m.npy")

    def test_a_header_that_claims_more_than_the_file_has_is_refused(self, tmp_path):
        np.save(tmp_path / "m.npy", np.zeros((4, 4), np.uint8))
        content = (tmp_path / "m.npy").read_bytes().replace(b"(4, 4)", b"(9, 9)")
        (tmp_path / "m.npy").write_bytes(content)
        with pytest.raises(BadData, match="cut off or too long"):
            self.kinds(tmp_path / "m.npy")

    def test_stretched_masks_mean_the_whole_picture(self, tmp_path):
        # A picture 16 wide and 8 high, its mask saved as 8 x 8: the middle square of the picture is the
        # middle half of the mask, which holds the values of columns 2 to 5.
        Image.new("RGB", (16, 8)).save(tmp_path / "x.png")
        levels = np.repeat([[0, 0, 1, 2, 3, 4, 0, 0]], 8, axis=0).astype(np.uint8)
        Image.fromarray(levels).save(tmp_path / "m.png")
        mask = MaskFile(tmp_path / "m.png", stretched=True)
        found = read_mask(mask, tmp_path / "x.png", ImageSpec(4, "crop"))
        assert found[0].tolist() == [1, 2, 3, 4]
