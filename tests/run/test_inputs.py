"""What a stage finds below `/in`: all that it may see, and nothing else."""

import csv
import json
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image
from tiny_rooms import GENERATE_PY

from tonegap.formats.record import Isolation
from tonegap.run.inputs import write_csv, write_inputs
from tonegap.store.marks import StageMark

N = {"n": {"default": 3, "about": "images"}}
CLASSES = ["basal cell carcinoma", "folliculitis"]


@pytest.fixture
def lay_out(planner, tmp_path):
    """Writes the inputs of the stage of that name and returns the folder."""

    def lay(name):
        folder = tmp_path / f"in-{name}"
        write_inputs(planner.store, planner.stages()[name], 60, folder)
        return folder

    return lay


@pytest.fixture
def generated(planner):
    """Finishes the `generate` stage by hand, with rows as given."""

    def finish(rows):
        stage = planner.stages()["generate"]
        with planner.store.work_folder("w") as folder:
            out = folder / "out"
            (out / "images").mkdir(parents=True)
            header = "image_id,file,label,tone,prompt,seed,sources\n"
            lines = [f"n{i},{i}.png,{y},{t},,,c00\n" for i, (y, t) in enumerate(rows)]
            (out / "synthetic.csv").write_text(header + "".join(lines))
            for i in range(len(rows)):
                Image.new("RGB", (9, 9), (i, i, i)).save(out / "images" / f"{i}.png")
            planner.store.commit_stage(out, mark_of(stage))

    return finish


def mark_of(stage):
    isolation = Isolation("local", False, "none", "host", {})
    label = stage.identity.plugin.label
    return StageMark(stage.key, stage.stage, label, {}, "", {}, 0, None, None, isolation)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_train_stage_gets_exactly_what_the_contract_lists(planner, lay_out):
    planner.suite(method="none")
    parts = ("train", "validation", "test")
    wanted = ["job.json", *(f"{part}.{kind}" for part in parts for kind in ("csv", "npy"))]
    assert names(lay_out("train")) == sorted(wanted)


def test_a_method_gets_no_validation_or_test_image(planner, lay_out):
    folder = lay_out("generate")
    assert names(folder) == ["job.json", "train.csv", "train.npy"]
    view = planner.plan().runs[0].view
    told = (folder / "job.json").read_text() + (folder / "train.csv").read_text()
    assert all(image_id in told for image_id in view.train.ids)
    assert not any(image_id in told for image_id in (*view.validation.ids, *view.test.ids))


def test_a_fit_stage_gets_no_validation_or_test_image(planner, lay_out):
    planner.rooms.method("grey", GENERATE_PY, stages=["fit", "generate"], parameters=N)
    assert names(lay_out("fit")) == ["job.json", "train.csv", "train.npy"]


def test_no_label_of_a_test_image_is_anywhere_below_in(planner, lay_out):
    """Labels of test images are replaced by words that are nowhere else, then looked for in every byte."""
    planner.suite(method="none")
    path = planner.download / "rows.csv"
    text = path.read_text()
    secret = {"basal cell carcinoma": "SECRET-A", "folliculitis": "SECRET-B"}
    lines = []
    for line in text.splitlines():
        for label, word in secret.items():
            line = line.replace(label, word) if line.endswith(",probe") else line
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")
    task = planner.rooms.root / "benchmarks/clinic/tasks/two.toml"
    rename = '"SECRET-A" = "basal cell carcinoma"\n"SECRET-B" = "folliculitis"\n'
    task.write_text(task.read_text().replace("[tones]", f"[labels.rename]\n{rename}\n[tones]"))
    view = planner.plan().runs[0].view
    assert set(view.test.labels) == set(secret)  # the engine itself knows them
    folder = lay_out("train")
    for file in folder.rglob("*"):
        assert b"SECRET" not in file.read_bytes()
    assert rows_of(folder / "test.csv")[0].keys() == {"image_id"}


def test_test_rows_are_sorted_by_id_and_their_images_with_them(planner, lay_out):
    planner.suite(method="none")
    header, *rows = (planner.download / "rows.csv").read_text().splitlines()
    (planner.download / "rows.csv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    folder = lay_out("train")
    view = planner.plan().runs[0].view
    ids = [row["image_id"] for row in rows_of(folder / "test.csv")]
    assert ids == sorted(view.test.ids)
    assert ids != list(view.test.ids)
    pixels = np.load(folder / "test.npy")
    assert_images(planner, ids, pixels)


def test_frames_are_squeezed_and_told_with_their_shape(planner, lay_out):
    planner.rooms.baseline("plain", parameters={"geometry": {"default": "frame", "about": "how"}})
    planner.suite(method="none")
    (planner.download / "c00.png").unlink()
    Image.new("RGB", (48, 16)).save(planner.download / "c00.png")
    folder = lay_out("train")
    assert json.loads((folder / "job.json").read_text())["image"]["geometry"] == "frame"
    told = {
        row["image_id"]: row["aspect"]
        for part in ("train", "validation", "test")
        for row in rows_of(folder / f"{part}.csv")
    }
    # All are 40 px wide and 32 high but the one that was drawn anew.
    assert told.pop("c00") == "3.000000"
    assert set(told.values()) == {"1.250000"}
    assert rows_of(folder / "test.csv")[0].keys() == {"image_id", "aspect"}
    ids = [row["image_id"] for row in rows_of(folder / "test.csv")]
    last = Image.open(planner.download / f"{ids[-1]}.png").resize(
        (224, 224), Image.Resampling.BILINEAR
    )
    assert np.array_equal(np.load(folder / "test.npy")[-1], np.asarray(last))


def assert_images(planner, ids, pixels):
    assert len(ids) == len(pixels)
    for image_id, array in zip(ids, pixels, strict=True):
        whole = Image.open(planner.download / f"{image_id}.png")
        small = whole.resize((224, 224), Image.Resampling.BILINEAR, box=(4, 0, 36, 32))
        assert np.array_equal(array, np.asarray(small))


@pytest.mark.parametrize("part", ["train", "validation"])
def test_row_i_of_a_manifest_is_image_i(planner, lay_out, part):
    planner.suite(method="none")
    folder = lay_out("train")
    view = planner.plan().runs[0].view.partitions[part]
    rows = rows_of(folder / f"{part}.csv")
    assert [row["image_id"] for row in rows] == list(view.ids)
    assert [row["label"] for row in rows] == list(view.labels)
    assert [row["tone"] or None for row in rows] == list(view.tones)
    assert_images(planner, view.ids, np.load(folder / f"{part}.npy"))


def test_tones_of_test_images_only_where_declared(planner, lay_out):
    planner.rooms.baseline("told", needs=["tone_at_test"])
    planner.suite(method="none", baseline="told")
    rows = rows_of(lay_out("train") / "test.csv")
    view = planner.plan().runs[0].view
    tone_of = dict(zip(view.test.ids, view.test.tones, strict=True))
    assert {row["image_id"]: row["tone"] for row in rows} == tone_of


def test_the_job_says_what_the_contract_says(planner, lay_out):
    planner.rooms.baseline("plain", parameters={"image_size_px": {"default": 16, "about": "side"}})
    planner.suite(method="none", seeds=[3], threads=2)
    folder = lay_out("train")
    assert json.loads((folder / "job.json").read_text()) == {
        "contract": 1,
        "stage": "train",
        "task": "clinic/two",
        "classes": CLASSES,
        "positive": ["basal cell carcinoma"],
        "tones": ["I", "II", "III", "IV", "V", "VI"],
        "seed": 3,
        "image": {"size_px": 16, "geometry": "crop"},
        "parameters": {"image_size_px": 16},
        "device": "cpu",
        "threads": 2,
        "time_limit_s": 60,
    }
    assert np.load(folder / "train.npy").shape[1:] == (16, 16, 3)


def test_synthetic_images_arrive_with_labels_and_tones(generated, lay_out):
    generated([("folliculitis", "VI"), ("basal cell carcinoma", "")])
    folder = lay_out("train")
    rows = rows_of(folder / "synthetic.csv")
    assert [(r["image_id"], r["label"], r["tone"]) for r in rows] == [
        ("n0", "folliculitis", "VI"),
        ("n1", "basal cell carcinoma", ""),
    ]
    assert rows[0].keys() == {"image_id", "label", "tone", "sources"}
    assert [int(row.max()) for row in np.load(folder / "synthetic.npy")] == [0, 1]


def test_no_synthetic_files_where_a_method_made_none(generated, lay_out):
    generated([])
    folder = lay_out("train")
    assert not (folder / "synthetic.csv").exists()
    assert not (folder / "synthetic.npy").exists()


def test_a_generate_stage_gets_the_model_of_its_fit_stage(planner, lay_out):
    planner.rooms.method("grey", GENERATE_PY, stages=["fit", "generate"], parameters=N)
    fit = planner.stages()["fit"]
    with planner.store.work_folder("w") as folder:
        (folder / "out" / "model" / "deep").mkdir(parents=True)
        (folder / "out" / "model" / "deep" / "weights").write_text("w")
        planner.store.commit_stage(folder / "out", mark_of(fit))
    assert (lay_out("generate") / "model" / "deep" / "weights").read_text() == "w"


def test_a_given_file_lies_under_its_name(planner, lay_out, tmp_path):
    path = tmp_path / "my weights.bin"
    path.write_bytes(b"1234")
    spec = {"default": "none", "about": "weights", "kind": "file"}
    planner.rooms.baseline("plain", parameters={"weights": spec})
    value = f"{path}#sha256={sha256(b'1234').hexdigest()}"
    planner.suite(method="none", parameters={"baselines": {"weights": value}})
    folder = lay_out("train")
    assert (folder / "files" / "my weights.bin").read_bytes() == b"1234"
    assert str(tmp_path) not in (folder / "job.json").read_text()


def test_csv_cells_are_quoted_only_where_needed_and_lines_end_with_lf(tmp_path):
    write_csv(tmp_path / "x.csv", ("image_id", "label"), [("a", 'b, "c"'), ("d", "é")])
    assert (tmp_path / "x.csv").read_bytes() == 'image_id,label\na,"b, ""c"""\nd,é\n'.encode()
