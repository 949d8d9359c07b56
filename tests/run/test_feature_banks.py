"""A bank of features: one pass for all seeds, without label and tone, and what a baseline on it is given."""

import csv
import io
import json
import re
import shutil
import tomllib
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from PIL import Image
from report_files import render_json

from tonegap.data.fixed_pictures import prepared_pictures
from tonegap.declared.report_settings import read_settings
from tonegap.declared.suite import Limits
from tonegap.engines import open_engine
from tonegap.errors import BadOutput, BadSuiteFolder
from tonegap.files import sha256_file
from tonegap.formats.record import BankId, decode_record
from tonegap.plan.applicable import not_applicable
from tonegap.report.pages.entry_suite import given_paths, reproduction
from tonegap.report.pages.record_summary import facts_of
from tonegap.results.assemble import assemble
from tonegap.results.comparable import marks_of
from tonegap.results.entry_answers import StageSetting
from tonegap.run.inputs import write_inputs
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace
from tonegap.store.read import read_suites
from tonegap.synthetic.quality.features import read_bank

# Mean colours; the seed and the classes would change them, were they told.
EMBED_PY = """\
import json, sys
from pathlib import Path
import numpy as np

given, out = Path(sys.argv[3]), Path(sys.argv[5])
job = json.loads((given / "job.json").read_text())
images = np.load(given / "images.npy")
found = images.mean(axis=(1, 2)) + job["seed"] + len(job["classes"])
np.save(out / "bank.npy", found.astype(np.float32))
"""
# Says the class of the nearest training image, so that rows which are mixed up show.
PROBE_PY = """\
import csv, json, sys
from pathlib import Path
import numpy as np

given, out = Path(sys.argv[3]), Path(sys.argv[5])
job = json.loads((given / "job.json").read_text())
bank = np.load(given / "bank.npy")
rows = {n: list(csv.DictReader((given / f"{n}.csv").open())) for n in ("train", "validation", "test")}
x = np.array([bank[int(row["row"])] for row in rows["train"]])
y = [row["label"] for row in rows["train"]]
if (given / "synthetic.csv").exists():
    made = list(csv.DictReader((given / "synthetic.csv").open()))
    assert len(np.load(given / "synthetic.npy")) == len(made)
with (out / "predictions.csv").open("w") as f:
    table = csv.writer(f, lineterminator="\\n")
    table.writerow(["epoch", "image_id", *(f"p_{c}" for c in job["classes"])])
    for row in rows["validation"] + rows["test"]:
        near = np.abs(x - bank[int(row["row"])]).sum(axis=1).argmin()
        table.writerow([1, row["image_id"], *(float(c == y[near]) for c in job["classes"])])
"""
BACKBONE = {
    "backbone": {"default": "colours", "about": "an extractor"},
    "precision": {"default": "fp32", "about": "of the bank", "choices": ["fp32", "fp16"]},
}
PRECISION = {"precision": BACKBONE["precision"]}


@pytest.fixture
def banks(planner):
    """The planner with an extractor `colours` and a baseline `probe` on it, at two seeds."""
    planner.rooms.extractor("colours", EMBED_PY, parameters=PRECISION)
    planner.rooms.baseline("probe", PROBE_PY, on="features", parameters=BACKBONE)
    entry = {"methods": ["none", "grey"], "baselines": ["probe"], "backbones": ["colours"]}
    planner.suite(entries=[entry], seeds=[0, 1])
    return planner


def run(planner):
    place = Workplace(
        planner.store,
        open_engine("local", planner.rooms.root),
        Limits(timeout_s=60, memory_mib=1024, output_mib=20),
        1,
        (),
        PlainProgress(io.StringIO()),
    )
    plan = planner.plan()
    return plan, run_plan(plan, place)


def embeds(plan):
    return [stage for stage in plan.stages.values() if stage.stage == "embed"]


def of_real(plan):
    return next(stage for stage in embeds(plan) if not stage.upstream)


def test_seeds_and_entries_share_one_pass_and_each_synthetic_set_has_one(banks):
    plan = banks.plan()
    # Two seeds of `grey` make two sets; the real images are the same 24 in all four cells.
    assert len(embeds(plan)) == 3
    assert all(of_real(plan).key in cell.stages for cell in plan.runs)
    assert len(of_real(plan).view.unlabelled.ids) == 24


def test_labels_and_tones_do_not_change_a_bank_and_an_image_does(banks):
    before = of_real(banks.plan()).key
    path = banks.download / "rows.csv"
    swapped = {",VI,": ",I,", ",I,": ",VI,", "folliculitis": "basal cell carcinoma"}
    swapped["basal cell carcinoma"] = "folliculitis"
    pattern = re.compile("|".join(swapped))
    path.write_text(pattern.sub(lambda found: swapped[found[0]], path.read_text()))
    assert of_real(banks.plan()).key == before
    image_id = of_real(banks.plan()).view.unlabelled.ids[0]
    Image.new("RGB", (40, 32), (1, 2, 3)).save(banks.download / f"{image_id}.png")
    assert of_real(banks.plan()).key != before


def test_the_precision_is_told_to_the_extractor(banks):
    row = {"methods": ["none"], "baselines": ["probe"], "backbones": ["colours"]}
    half = row | {"variant": "half", "baseline_parameters": {"precision": "fp16"}}
    banks.suite(entries=[row, half])
    found = [stage.parameters["precision"] for stage in embeds(banks.plan())]
    assert sorted(found) == ["fp16", "fp32"]


def test_an_embed_stage_is_told_ids_and_images_alone(banks, tmp_path):
    stage = of_real(banks.plan())
    write_inputs(banks.store, stage, 60, tmp_path / "in")
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == [
        "golden.npy",
        "images.csv",
        "images.npy",
        "job.json",
    ]
    assert np.array_equal(np.load(tmp_path / "in/golden.npy"), prepared_pictures(stage.image))
    job = json.loads((tmp_path / "in/job.json").read_text())
    assert (job["task"], job["classes"], job["positive"], job["tones"], job["seed"]) == (
        "",
        [],
        [],
        [],
        0,
    )
    lines = (tmp_path / "in/images.csv").read_text().splitlines()
    assert lines == ["image_id", *sorted(lines[1:])]
    assert len(lines) == 25


def test_a_baseline_on_features_gets_rows_of_the_bank_and_no_image_and_no_test_label(
    banks, tmp_path
):
    view = banks.plan().runs[0].view
    painted = {image_id: (20 * i, 200 - 20 * i, 5) for i, image_id in enumerate(view.test.ids)}
    for image_id, colour in painted.items():
        Image.new("RGB", (40, 32), colour).save(banks.download / f"{image_id}.png")
    plan, tally = run(banks)
    assert tally.failures == ()
    cell = next(c for c in plan.runs if c.id.entry.method == "grey")
    write_inputs(banks.store, plan.stages[cell.stages[-1]], 60, tmp_path / "in")
    names = {p.name for p in (tmp_path / "in").iterdir()}
    assert names == {
        "job.json", "bank.npy", "synthetic.csv", "synthetic.npy", "test.csv", "train.csv", "validation.csv",
    }  # fmt: skip
    with (tmp_path / "in/test.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert set(rows[0]) == {"image_id", "row"}
    bank = np.load(tmp_path / "in/bank.npy")
    assert {row["image_id"]: tuple(bank[int(row["row"])].tolist()) for row in rows} == painted


def test_a_record_names_its_bank_and_the_stages_that_led_to_it(banks):
    plan, _ = run(banks)
    made = {}
    for cell in plan.runs:
        record = decode_record(banks.store.record_path(cell.id.key).read_bytes())
        made[record.entry.method] = record
    assert made["none"].bank.extractor == "colours"
    assert made["none"].bank.parameters == {"precision": "fp32"}
    assert [s.stage for s in made["none"].stages] == ["embed", "train"]
    assert [s.stage for s in made["grey"].stages] == ["generate", "embed", "embed", "train"]
    assert made["grey"].synthetic.n == 3


def test_a_changed_extractor_is_another_bank_and_another_record(banks):
    before = banks.plan()
    banks.rooms.extractor("colours", EMBED_PY + "# changed\n", parameters=PRECISION)
    after = banks.plan()
    assert of_real(before).key != of_real(after).key
    assert {c.id.key for c in before.runs}.isdisjoint(c.id.key for c in after.runs)


def test_an_entry_on_images_says_nothing_of_banks(planner):
    plan, _ = run(planner)
    content = planner.store.record_path(plan.runs[0].id.key).read_bytes()
    assert b'"bank"' not in content
    assert b'"exposure"' not in content
    assert "banks" not in plan.stages[plan.runs[0].stages[-1]].ingredients


def test_a_backbone_that_nobody_named_is_refused(banks):
    entry = {"methods": ["none"], "baselines": ["probe"], "backbones": ["colours"]}
    banks.suite(entries=[entry], parameters={"baselines/probe": {"backbone": "other"}})
    assert banks.plan().runs[0].entry.extractor.plugin.id == "colours"  # the row's own wins
    shutil.rmtree(banks.rooms.root / "extractors/colours")
    with pytest.raises(BadSuiteFolder, match="colours"):
        banks.plan()


def test_a_task_of_three_classes_is_not_asked_of_what_needs_two(banks):
    banks.rooms.baseline(
        "probe", PROBE_PY, on="features", needs=["two_classes"], parameters=BACKBONE
    )
    (cell, *_) = banks.plan().runs
    assert cell.id.not_applicable is None
    view = replace(cell.view, classes=("a", "b", "c"))
    assert not_applicable(cell.entry, view, "cpu") == (
        "baselines/probe needs two classes, one of them positive; the task has 3 and 1"
    )


@pytest.mark.parametrize(
    ("array", "precision", "words"),
    [
        (np.zeros((3, 2)), None, r"wanted one float32 array .* found float64 \[3, 2\]"),
        (np.zeros((2, 2), np.float32), "fp32", "wanted 3 rows"),
        (np.full((3, 2), np.inf, np.float16), "fp16", "no finite number"),
        (np.zeros((3, 2), np.float16), "fp32", "wanted one float32 .* precision of its parameter"),
        (np.zeros((3, 2), np.float16), None, "wanted one float32 .* precision of its parameter"),
        (np.zeros((3, 2), np.float32), "fp16", "wanted one float16 .* precision of its parameter"),
    ],
)
def test_a_bank_that_is_none_is_refused(array, precision, words, tmp_path):
    np.save(tmp_path / "bank.npy", array)
    with pytest.raises(BadOutput, match=words):
        read_bank(tmp_path, 3, precision)


def test_a_bank_in_half_precision_that_was_asked_for_in_single_fails_its_entry(banks):
    half = EMBED_PY.replace("np.float32", "np.float16")
    banks.rooms.extractor("colours", half, parameters=PRECISION)
    row = {"methods": ["none"], "baselines": ["probe"], "backbones": ["colours"]}
    banks.suite(entries=[row])
    _, tally = run(banks)
    assert {failure.cause for failure in tally.failures} == {"bad-output"}
    banks.suite(entries=[row | {"baseline_parameters": {"precision": "fp16"}}])
    _, tally = run(banks)
    assert tally.failures == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"on": "features"}, "a parameter `backbone`"),
        ({"exposure": {"d": {"answer": "no", "source": "me"}}}, "benchmarks/exposure.toml"),
    ],
)
def test_a_declaration_that_cannot_hold_is_refused(planner, fields, words):
    planner.rooms.baseline("plain", **fields)
    with pytest.raises(BadSuiteFolder, match=words):
        planner.plan()


def board_of_a_run(planner):
    plan, tally = run(planner)
    assert tally.failures == ()
    folder = planner.store.folder
    planner.store.write_matrix(plan.matrix)
    return assemble(folder, read_suites(folder), read_settings(planner.rooms.root))


def test_the_suite_that_an_entry_s_page_writes_has_its_extractor_s_parameters_and_finds_all_done(
    banks, tmp_path
):
    golden = {"golden": {"default": "required", "about": "g", "choices": ["required", "unchecked"]}}
    weights = {"weights": {"default": "none", "about": "a file", "kind": "file"}}
    banks.rooms.extractor("colours", EMBED_PY, parameters=PRECISION | golden | weights)
    net = tmp_path / "net.bin"
    net.write_bytes(b"weights")
    given = {"golden": "unchecked", "weights": f"{net}#sha256={sha256_file(net)}"}
    row = {"methods": ["none"], "baselines": ["probe"], "backbones": ["colours"]}
    banks.suite(entries=[row], seeds=[0, 1], parameters={"extractors/colours": given})
    board = board_of_a_run(banks)
    (found,) = board.tables[0].all_rows
    (told,) = json.loads(render_json(board))["tables"][0]["rows"]
    shown = told["seeds"][0]["evidence"]
    assert shown["bank"]["parameters"]["golden"] == "unchecked"
    root = banks.rooms.root
    assert {"golden unchecked", "exposure unknown"} <= {*found.marks}
    assert "golden unchecked" in dict(facts_of(found.records))["Parameters of the extractor"]
    again = reproduction(found, "tiny.toml", StageSetting(1, "cpu"), given_paths(root))
    assert not any("not known here" in remark for remark in again.remarks)
    (root / "benchmarks/suites/tiny.toml").write_text(again.suite)
    assert tomllib.loads(again.suite)["parameters"] == {
        "extractors/colours": given | {"precision": "fp32"}
    }
    plan = banks.plan()
    assert len(plan.runs) == 2
    assert all(banks.store.record_path(cell.id.key).is_file() for cell in plan.runs)


def test_seeds_whose_extractors_differ_are_mixed_and_have_no_single_command(banks):
    row = next(
        row for row in board_of_a_run(banks).tables[0].all_rows if row.entry.method == "none"
    )
    first, second = row.seeds
    other = BankId("colours", {"precision": "fp32", "weights": "none"})
    second = replace(second, record=msgspec.structs.replace(second.record, bank=other))
    assert "mixed" not in marks_of(row.seeds, control=False, elsewhere=False)
    assert "mixed" in marks_of([first, second], control=False, elsewhere=False)
    mixed = replace(row, seeds=(first, second))
    assert "different parameters" in reproduction(mixed, "x", StageSetting(1, "cpu"), {}).why_not
