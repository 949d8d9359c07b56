"""Everything a stage may leave that must not be taken for a result."""

import contextlib
import json
import os
import socket

import numpy as np
import pytest
from PIL import Image
from tiny_rooms import GENERATE_PY, bomb_png

from tonegap.errors import BadOutput
from tonegap.run import outputs
from tonegap.run.outputs import check_outputs, find_predictions
from tonegap.synthetic import manifest
from tonegap.synthetic.manifest import SyntheticRow, read_synthetic

COLUMNS = "image_id,file,label,tone,prompt,seed,sources"
GOOD = "new-0,a.png,folliculitis,VI,,,c00 c01"


@pytest.fixture
def stage(planner):
    """Returns the stage of a name: `fit`, `generate` or `train`."""
    parameters = {"n": {"default": 3, "about": "images"}}
    planner.rooms.method("grey", GENERATE_PY, stages=["fit", "generate"], parameters=parameters)
    return planner.stages().__getitem__


@pytest.fixture
def out(tmp_path):
    """An output folder with one good synthetic image and a CSV that names it."""
    folder = tmp_path / "out"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(folder / "images" / "a.png")
    write(folder, GOOD)
    return folder


def write(out, *lines, header=COLUMNS):
    (out / "synthetic.csv").write_text("".join(f"{line}\n" for line in (header, *lines)))


def refused(stage, out, words):
    with pytest.raises(BadOutput, match=words) as e:
        check_outputs(stage, out)
    assert "\n" not in str(e.value)


def test_good_outputs_pass(stage, out):
    check_outputs(stage("generate"), out)
    assert read_synthetic(out) == (
        SyntheticRow("new-0", "a.png", "folliculitis", "VI", "", "", ("c00", "c01")),
    )


def test_a_link_in_place_of_the_folder_is_refused(stage, out):
    """Whoever clears up behind it would remove a stranger's files."""
    moved = out.rename(out.with_name("elsewhere"))
    out.symlink_to(moved)
    refused(stage("generate"), out, "/out was removed or replaced by something else")
    out.unlink()
    refused(stage("generate"), out, "/out was removed or replaced by something else")


def test_no_rows_are_no_images_and_pass(stage, out):
    write(out)
    check_outputs(stage("generate"), out)


def test_an_image_made_from_none_may_name_no_source(stage, out):
    write(out, "new-0,a.png,folliculitis,VI,a prompt,7,")
    check_outputs(stage("generate"), out)


def test_crlf_and_quoted_cells_are_read(stage, out):
    text = f'{COLUMNS}\r\n"new-0","a.png","folliculitis",VI,"a, b",,c00\r\n'
    (out / "synthetic.csv").write_bytes(text.encode())
    check_outputs(stage("generate"), out)
    assert read_synthetic(out)[0].prompt == "a, b"


def test_a_row_may_name_every_one_of_many_training_images(out):
    ids = " ".join(f"{i:032}" for i in range(10_000))
    write(out, f"new-0,a.png,folliculitis,VI,,,{ids}")
    assert len(read_synthetic(out)[0].sources) == 10_000


class TestKinds:
    @pytest.mark.parametrize("where", ["link", "images/link", "images/deep/link"])
    def test_a_link_is_refused_wherever_it_lies(self, stage, out, where):
        (out / where).parent.mkdir(exist_ok=True)
        (out / where).symlink_to("/etc/passwd")
        refused(stage("generate"), out, f"^{where}: a link; links are refused")

    def test_a_link_to_a_folder(self, stage, out):
        (out / "model").symlink_to("/etc")
        refused(stage("fit"), out, "model: a link")

    def test_a_hard_link(self, stage, out, tmp_path):
        (tmp_path / "outside").write_text("x")
        (out / "images" / "b.png").hardlink_to(tmp_path / "outside")
        refused(stage("generate"), out, "images/b.png: a hard link")

    def test_a_fifo(self, stage, out):
        os.mkfifo(out / "pipe")
        refused(stage("generate"), out, "pipe: a special file")

    def test_a_socket(self, stage, out, monkeypatch):
        monkeypatch.chdir(out)  # the name of a socket has to be short
        with socket.socket(socket.AF_UNIX) as s:
            s.bind("sock")
            refused(stage("generate"), out, "sock: a special file")

    @pytest.mark.parametrize("name", ["stage.json", "log.txt"])
    def test_a_name_that_the_engine_uses(self, stage, out, name):
        (out / name).mkdir()
        refused(stage("generate"), out, f"{name}: the engine keeps a file of its own")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_folder_that_cannot_be_looked_into(self, stage, out):
        (out / "images").chmod(0)
        refused(stage("generate"), out, "images/: cannot be read")


class TestNotes:
    def test_a_small_object_passes(self, stage, out):
        (out / "notes.json").write_text('{"loss": [1.5]}')
        check_outputs(stage("generate"), out)

    def test_too_big(self, stage, out):
        (out / "notes.json").write_text(json.dumps({"x": "y" * 70_000}))
        refused(stage("generate"), out, r"notes.json: 7\d{4} bytes; at most 65536")

    @pytest.mark.parametrize("content", ["{", "[1]", "", "NaN x", "[" * 60_000])
    def test_no_object(self, stage, out, content):
        (out / "notes.json").write_text(content)
        refused(stage("generate"), out, "notes.json: (not readable JSON|wanted a JSON object)")

    def test_a_folder(self, stage, out):
        (out / "notes.json").mkdir()
        refused(stage("generate"), out, "notes.json: not readable JSON")


class TestFit:
    def test_no_model(self, stage, out):
        refused(stage("fit"), out, "model/: absent")

    def test_a_file_in_its_place(self, stage, out):
        (out / "model").write_text("")
        refused(stage("fit"), out, "model/: absent")

    def test_a_folder_passes(self, stage, out):
        (out / "model").mkdir()
        check_outputs(stage("fit"), out)


class TestPredictions:
    def test_none(self, stage, out):
        refused(stage("train"), out, "no predictions file; a train stage leaves exactly one")

    def test_two(self, stage, out):
        (out / "predictions.csv").write_text("")
        (out / "predictions.parquet").write_text("")
        refused(stage("train"), out, "both predictions.parquet and predictions.csv")

    def test_a_folder_in_its_place(self, stage, out):
        (out / "predictions.csv").mkdir()
        refused(stage("train"), out, "no predictions file")

    def test_one_passes(self, stage, out):
        (out / "predictions.csv").write_text(even_predictions(stage("train")))
        check_outputs(stage("train"), out)
        assert find_predictions(out) == out / "predictions.csv"

    def test_an_image_without_a_row_is_refused_before_the_stage_counts_as_done(self, stage, out):
        lines = even_predictions(stage("train")).splitlines(keepends=True)
        (out / "predictions.csv").write_text("".join(lines[:-1]))
        refused(stage("train"), out, "predictions.csv")


def even_predictions(stage):
    """Predictions of one epoch that give every class the same probability."""
    view = stage.view
    classes = ",".join(f"p_{name}" for name in view.classes)
    share = ",".join([str(1 / len(view.classes))] * len(view.classes))
    ids = (*view.validation.ids, *view.test.ids)
    return f"epoch,image_id,{classes}\n" + "".join(f"1,{i},{share}\n" for i in ids)


class TestSyntheticCsv:
    def test_more_images_than_are_taken_are_not_even_read(self, stage, out, monkeypatch):
        for module in (outputs, manifest):
            monkeypatch.setattr(module, "MAX_IMAGES", 2)
        write(out, *(f"new-{i},a.png,folliculitis,VI,,,c00" for i in range(3)), "no row at all")
        refused(stage("generate"), out, "synthetic.csv: more than 2 images")

    def test_absent(self, stage, out):
        (out / "synthetic.csv").unlink()
        refused(stage("generate"), out, "synthetic.csv: absent")

    def test_a_folder_in_its_place(self, stage, out):
        (out / "synthetic.csv").unlink()
        (out / "synthetic.csv").mkdir()
        refused(stage("generate"), out, "synthetic.csv: cannot be read: Is a directory")

    def test_empty(self, stage, out):
        (out / "synthetic.csv").write_text("")
        refused(stage("generate"), out, "found columns None, wanted image_id,file,label")

    @pytest.mark.parametrize(
        "header",
        [
            "image_id,file,label",
            f"{COLUMNS},more",
            f"{COLUMNS},models,more",
            COLUMNS.replace("file", "path"),
        ],
    )
    def test_other_columns(self, stage, out, header):
        write(out, GOOD, header=header)
        refused(
            stage("generate"), out, "synthetic.csv: found columns .* wanted image_id,file,label"
        )

    @pytest.mark.parametrize("line", ["new-0,a.png,folliculitis", f"{GOOD},more"])
    def test_a_ragged_row(self, stage, out, line):
        write(out, line)
        refused(stage("generate"), out, "line 2: wanted 7 fields")

    def test_another_encoding(self, stage, out):
        (out / "synthetic.csv").write_bytes(f"{COLUMNS}\nnew-é".encode("latin-1"))
        refused(stage("generate"), out, "synthetic.csv: not UTF-8 CSV")


# (what is wrong, the row, words of the sentence)
BAD_ROWS = [
    ("no id", ",a.png,folliculitis,VI,,,c00", "line 2: image_id is empty"),
    ("id of a training image", "c00,a.png,folliculitis,VI,,,c00", "is that of a real image"),
    ("id of a test image", "c23,a.png,folliculitis,VI,,,c00", "is that of a real image"),
    ("unknown label", "new-0,a.png,eczema,VI,,,c00", "label 'eczema' is not a class of clinic/two"),
    ("tone 0", "new-0,a.png,folliculitis,0,,,c00", "'0' is no skin tone"),
    ("tone -1", "new-0,a.png,folliculitis,-1,,,c00", "'-1' is no skin tone"),
    ("a group for a type", "new-0,a.png,folliculitis,V-VI,,,c00", "tone 'V-VI' is not one of the"),
    ("a source from nowhere", "new-0,a.png,folliculitis,VI,,,c00 zz", "sources names 'zz'"),
    ("a test image as a source", "new-0,a.png,folliculitis,VI,,,c23", "sources names 'c23'"),
    ("no file", "new-0,,folliculitis,VI,,,c00", "file '' is not a path below images/"),
    ("a path outside", "new-0,../a.png,folliculitis,VI,,,c00", "is not a path below images/"),
    ("a path out and in", "new-0,x/../../a.png,folliculitis,VI,,,c00", "is not a path below"),
    ("an absolute path", "new-0,/etc/passwd,folliculitis,VI,,,c00", "is not a path below images/"),
    ("an absent file", "new-0,b.png,folliculitis,VI,,,c00", "images/b.png: not a readable PNG"),
    ("a folder as a file", "new-0,.,folliculitis,VI,,,c00", "is not a path below images/"),
    ("a NUL in the path", "new-0,a\0.png,folliculitis,VI,,,c00", "not a readable PNG|NUL"),
]


@pytest.mark.parametrize(("row", "words"), [c[1:] for c in BAD_ROWS], ids=[c[0] for c in BAD_ROWS])
def test_a_bad_row_is_refused(stage, out, row, words):
    write(out, row)
    refused(stage("generate"), out, words)


def test_an_id_twice_is_refused(stage, out):
    write(out, GOOD, GOOD)
    refused(stage("generate"), out, "line 3: image_id 'new-0' stands twice")


class TestImages:
    def refused(self, stage, out, words):
        refused(stage("generate"), out, f"images/a.png: {words}")

    def test_no_image(self, stage, out):
        (out / "images" / "a.png").write_text("<html>")
        self.refused(stage, out, "not a readable PNG or JPEG")

    def test_another_format(self, stage, out):
        Image.new("RGB", (9, 9)).save(out / "images" / "a.png", format="GIF")
        self.refused(stage, out, "not a readable PNG or JPEG")

    def test_a_side_that_is_too_long(self, stage, out):
        Image.new("RGB", (4097, 1)).save(out / "images" / "a.png")
        self.refused(stage, out, "4097 × 1 px; at most 4,096 a side")

    @pytest.mark.parametrize("keep", [0.5, 0.95])
    def test_a_png_that_was_cut_off(self, stage, out, keep):
        pixels = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
        path = out / "images" / "a.png"
        Image.fromarray(pixels).save(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
        self.refused(stage, out, "not a readable PNG or JPEG")

    @pytest.mark.parametrize("side", [11_000, 40_000])
    def test_a_bomb_of_pixels(self, stage, out, side):
        (out / "images" / "a.png").write_bytes(bomb_png(side))
        self.refused(stage, out, "(.*at most 4,096 a side|not a readable PNG)")

    def test_whatever_follows_the_signature_it_is_one_sentence(self, stage, out):
        rng = np.random.default_rng(1)
        good = (out / "images" / "a.png").read_bytes()
        for _ in range(200):
            damaged = bytearray(good)
            for place in rng.integers(8, len(good), 4):
                damaged[place] = rng.integers(256)
            (out / "images" / "a.png").write_bytes(damaged)
            with contextlib.suppress(BadOutput):  # and nothing else; some damage does not show
                check_outputs(stage("generate"), out)
