"""Test images planted among what a method makes things from: each is found, and the entry is refused by name."""

import io
import json

import pytest
from faces import CHANGES, picture

from tonegap.declared.suite import Limits, read_suite
from tonegap.engines import open_engine
from tonegap.formats.matrix import RunOutcome
from tonegap.formats.record import decode_record
from tonegap.plan.prepare import Request, prepare
from tonegap.results.comparable import marks_of, seed_results
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace
from tonegap.store.store import Store

# Hands over the images that lie in its own folder, and says that each was made from its first training image.
CARRIER_PY = """\
import csv, shutil, sys
from pathlib import Path

given, out = Path(sys.argv[3]), Path(sys.argv[5])
rows = list(csv.DictReader((given / "train.csv").open()))
shutil.copytree("planted", out / "images")
with (out / "synthetic.csv").open("w") as f:
    table = csv.writer(f, lineterminator="\\n")
    table.writerow(["image_id", "file", "label", "tone", "prompt", "seed", "sources"])
    for path in sorted((out / "images").iterdir()):
        table.writerow([path.stem, path.name, rows[0]["label"], rows[0]["tone"], "", "", rows[0]["image_id"]])
"""

# Copies its first training images; SOURCES says what it tells of them.
COPIER_PY = """\
import csv, sys
from pathlib import Path
import numpy as np
from PIL import Image

given, out = Path(sys.argv[3]), Path(sys.argv[5])
rows = list(csv.DictReader((given / "train.csv").open()))
images = np.load(given / "train.npy")
(out / "images").mkdir()
with (out / "synthetic.csv").open("w") as f:
    table = csv.writer(f, lineterminator="\\n")
    table.writerow(["image_id", "file", "label", "tone", "prompt", "seed", "sources"])
    for i, row in enumerate(rows):
        Image.fromarray(images[i]).save(out / "images" / f"{i}.png")
        table.writerow([f"n{i}", f"{i}.png", row["label"], row["tone"], "", "", SOURCES])
"""


class Trial:
    """A suite on the clinic's faces, run in this process."""

    def __init__(self, rooms, download, folder):
        self.rooms, self.download = rooms, download
        self.store = Store(folder / "store")

    def run(self, method):
        entry = {"methods": [method], "baselines": ["plain"]}
        self.rooms.suite(tasks=["clinic/two"], entries=[entry])
        engine = open_engine("local", self.rooms.root)
        request = Request(
            root=self.rooms.root,
            suite=read_suite(self.rooms.root, "tiny"),
            store=self.store,
            engine=engine,
            roots={"clinic": self.download},
            device="cpu",
            jobs=1,
            allow_missing=False,
        )
        self.plan = prepare(request)
        limits = Limits(timeout_s=60, memory_mib=2048, output_mib=50)
        progress = PlainProgress(io.StringIO())
        self.tally = run_plan(self.plan, Workplace(self.store, engine, limits, 1, (), progress))
        return self

    @property
    def failure(self):
        (failure,) = self.tally.failures
        return failure

    @property
    def record(self):
        (cell,) = self.plan.runs
        return decode_record(self.store.record_path(cell.id.key).read_bytes())


@pytest.fixture
def trial(rooms, download, tmp_path):
    return Trial(rooms, download, tmp_path)


def carrier(rooms, **images):
    """A method `carrier` with these images in its folder."""
    made = rooms.method("carrier", CARRIER_PY)
    (made / "planted").mkdir()
    for name, image in images.items():
        image.save(made / "planted" / f"{name}.png")


def copier(rooms, sources='row["image_id"]'):
    size = {"image_size_px": {"default": 64, "about": "side"}}
    rooms.method("copier", COPIER_PY.replace("SOURCES", sources), parameters=size)


@pytest.mark.parametrize("change", CHANGES)
def test_a_test_image_that_a_method_carries_is_found_and_the_entry_refused_by_name(trial, change):
    carrier(trial.rooms, good=picture(900), planted=CHANGES[change](picture(19)))
    failure = trial.run("carrier").failure
    assert (failure.cause, failure.plugin, failure.stage) == ("leak", "methods/carrier", "generate")
    assert "1 of 2 synthetic images are refused: planted shows test image c19" in failure.text
    assert trial.tally.n_finished == 0


def test_a_refused_set_is_not_made_again_and_stays_refused(trial):
    carrier(trial.rooms, planted=picture(19))
    assert trial.run("carrier").tally.n_stages == 1
    assert trial.run("carrier").tally.n_stages == 0
    assert trial.failure.cause == "leak"


def test_a_validation_image_is_refused_as_well(trial):
    carrier(trial.rooms, clean=picture(900))
    view = trial.run("carrier").plan.runs[0].view
    (name, *_) = view.validation.ids
    carrier_folder = trial.rooms.root / "methods" / "carrier" / "planted"
    picture(int(name[1:])).save(carrier_folder / "again.png")
    assert f"again shows validation image {name}" in trial.run("carrier").failure.text


def test_clean_images_pass_and_the_record_says_what_is_known_of_them(trial):
    carrier(trial.rooms, one=picture(900), two=picture(901))
    found = trial.run("carrier").record.synthetic
    assert (found.n, found.n_sources, found.n_unknown, found.withheld) == (2, 1, 0, {})


def test_copies_of_training_images_are_no_leak(trial):
    copier(trial.rooms)
    found = trial.run("copier").record.synthetic
    assert found.n == found.n_sources == len(trial.plan.runs[0].view.train.ids)


def test_a_test_image_named_as_a_source_is_refused_by_name(trial):
    copier(trial.rooms, sources='"c20"')
    failure = trial.run("copier").failure
    assert failure.cause == "leak"
    assert "sources names 'c20', which is a test image" in failure.text


def test_sources_that_nobody_knows_are_counted_in_the_record(trial):
    copier(trial.rooms, sources='"?"')
    assert trial.run("copier").record.synthetic.n_unknown == trial.record.synthetic.n


def test_images_that_name_no_source_are_counted_unless_they_come_from_text(trial):
    def marks():
        cell = RunOutcome(trial.plan.runs[0].id, trial.record, None)
        return marks_of(seed_results([cell]), control=False, elsewhere=False)

    copier(trial.rooms, sources='""')
    made = trial.run("copier").record.synthetic
    assert (made.n_unnamed, made.n_unknown, made.n_sources) == (made.n, 0, 0)
    assert "origin unknown" in marks()

    path = trial.rooms.root / "methods" / "copier" / "method.toml"
    path.write_text(f'made_from = "text"\n{path.read_text()}')
    assert trial.run("copier").record.synthetic.n_unnamed == 0
    assert "origin unknown" not in marks()


def test_images_with_sources_have_a_known_origin(trial):
    copier(trial.rooms)
    assert trial.run("copier").record.synthetic.n_unnamed == 0


def plant(download, view):
    """Turns four training images into a test image, a mirrored one, an encoded one and a crop of one."""
    planted = dict(zip(view.train.ids, CHANGES, strict=False))
    for k, (image_id, change) in enumerate(planted.items()):
        test_id = view.test.ids[k]
        CHANGES[change](picture(int(test_id[1:]))).save(download / f"{image_id}.png")
    return planted


class TestPlantedInTraining:
    @pytest.fixture
    def planted(self, trial):
        copier(trial.rooms)
        return plant(trial.download, trial.run("copier").plan.runs[0].view)

    def test_a_method_never_sees_the_copies_and_the_record_counts_them(self, trial, planted):
        trial.run("copier")
        view = trial.plan.runs[0].view
        assert set(view.copies) == set(planted)
        stage = next(s for s in trial.plan.stages.values() if s.stage == "generate")
        lineage = (trial.store.stage_folder(stage.key) / "lineage.json").read_bytes()
        assert not planted.keys() & {s for (s,) in json.loads(lineage)["sources"]}
        assert sum(trial.record.synthetic.withheld.values()) == 4
        assert trial.record.synthetic.withheld["crop"] == 1
        assert trial.record.partitions["train"].n == len(view.train.ids)

    def test_row_i_of_the_table_stays_row_i_of_the_images(self, trial, planted):
        trial.run("copier")
        assert trial.record.synthetic.n == trial.record.partitions["train"].n - 4
        assert trial.tally.failures == ()

    def test_a_task_may_show_them_as_published_and_that_is_counted(self, trial, planted):
        path = trial.rooms.root / "benchmarks" / "clinic" / "tasks" / "two.toml"
        path.write_text(path.read_text() + "\n[leaks]\nmethods_see_duplicates = true\n")
        found = trial.run("copier").record.synthetic
        assert (found.withheld, sum(found.shown.values()), found.n_allowed) == ({}, 4, 4)
