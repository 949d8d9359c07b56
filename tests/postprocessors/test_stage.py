"""Post-processed entries from the suite's file to records, and what a stage is told."""

import io
import json
import zipfile

import msgspec
import numpy as np

from tonegap.declared.plugin import plugin_ids
from tonegap.declared.report_settings import read_settings
from tonegap.declared.suite import Limits
from tonegap.engines import open_engine
from tonegap.formats.record import decode_record
from tonegap.results.assemble import assemble
from tonegap.run.inputs import write_inputs
from tonegap.run.outputs import find_predictions
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace
from tonegap.scores.predictions import read_predictions
from tonegap.store.read import read_suites
from tonegap.store.store import Store
from tonegap_kit.temperature import best_temperature, tempered

TOLD = {"reject-option", "threshold-optimizer", "tone-temperature", "tone-thresholds"}


def declare(place, *postprocessors, **fields):
    row = {"methods": ["none"], "baselines": ["plain"], "postprocessors": list(postprocessors)}
    place.suite(entries=[row], **fields)
    return place.plan()


def run(place, plan, store):
    engine = open_engine("local", place.rooms.root)
    limits = Limits(timeout_s=60, memory_mib=1024, output_mib=50)
    tally = run_plan(plan, Workplace(store, engine, limits, 2, (), PlainProgress(io.StringIO())))
    assert not tally.failures, [failure.text for failure in tally.failures]
    return [decode_record(store.record_path(c.id.key).read_bytes()) for c in plan.runs]


def test_every_post_processor_runs_to_a_record_with_the_same_bytes_twice(place, tmp_path):
    every = plugin_ids(place.rooms.root, "postprocessor")
    # Few images, so that every rule has something to do.
    own = {"least_images": 1, "allowed_loss": 1.0}
    plan = declare(place, "none", *every, parameters={"postprocessors": own})
    records = run(place, plan, place.store)
    assert [r.entry.postprocessor for r in records] == ["", *every]
    assert {r.entry.postprocessor for r in records if r.tone_at_test} == TOLD
    assert [s.stage for s in records[0].stages] == ["train"]
    assert all([s.stage for s in r.stages] == ["train", "postprocess"] for r in records[1:])
    assert len({r.stages[0].key for r in records}) == 1  # trained once
    again = run(place, plan, Store(tmp_path / "again"))
    sums = [r.predictions_sha256 for r in records]
    assert [r.predictions_sha256 for r in again] == sums
    assert len(set(sums)) == len(sums)


def test_other_epochs_than_were_given_are_refused(place):
    # Each epoch more is one more try for the selection.
    path = place.rooms.root / "docker" / "kit" / "tonegap_kit" / "postprocess.py"
    text = path.read_text()
    assert text.count("stage.job.classes, found)") == 1
    moved = "stage.job.classes, {epoch + 7: p for epoch, p in found.items()})"
    path.write_text(text.replace("stage.job.classes, found)", moved))
    plan = declare(place, "temperature")
    engine = open_engine("local", place.rooms.root)
    limits = Limits(timeout_s=60, memory_mib=1024, output_mib=50)
    at = Workplace(place.store, engine, limits, 2, (), PlainProgress(io.StringIO()))
    (failure,) = run_plan(plan, at).failures
    assert failure.cause == "bad-output"
    assert failure.text == (
        "predictions.parquet: 2 epochs (first: 8, 9); wanted the 2 that were given (first: 1, 2)"
    )


def test_what_a_stage_leaves_is_the_rule_of_each_epoch(place):
    plan = declare(place, "none", "temperature")
    run(place, plan, place.store)
    view = plan.runs[0].view
    ids = (*view.validation.ids, *view.test.ids)
    before, after = (
        read_predictions(
            find_predictions(place.store.stage_folder(c.stages[-1])), view.classes, ids
        )
        for c in plan.runs
    )
    assert before.epochs == after.epochs == (1, 2)
    y = np.array([view.classes.index(label) for label in view.validation.labels])
    for old, new in zip(before.p, after.p, strict=True):
        # In single precision.
        wanted = tempered(old, best_temperature(old[: len(y)], y))
        assert np.abs(new - wanted).max() < 1e-7
        assert np.abs(new - old).max() > 0.01


def given(place, name, tmp_path):
    """What the postprocess stage of a post-processor is given, by file name."""
    plan = declare(place, name)
    (train,) = (s for s in plan.stages.values() if s.stage == "train")
    (behind,) = (s for s in plan.stages.values() if s.stage == "postprocess")
    if not place.store.has_stage(train.key):
        run(place, plan, place.store)
    write_inputs(place.store, behind, 60, tmp_path / name)
    return behind, {path.name: path for path in (tmp_path / name).iterdir()}


def test_no_label_of_a_test_image_is_in_the_room_and_its_tone_only_where_asked(place, tmp_path):
    for name, header in (("temperature", "image_id"), ("tone-temperature", "image_id,tone")):
        stage, files = given(place, name, tmp_path)
        assert files.keys() == {
            "job.json", "epochs.csv", "validation.csv", "test.csv",
            "validation_predictions.npy", "test_predictions.npy",
        }  # fmt: skip
        lines = files["test.csv"].read_text().splitlines()
        assert lines[0] == header
        assert [line.split(",")[0] for line in lines[1:]] == sorted(stage.view.test.ids)
        text = lines[1:] + files["epochs.csv"].read_text().splitlines()
        assert not any(label in line for line in text for label in stage.view.classes)
        validation = files["validation.csv"].read_text().splitlines()
        assert len(validation) == 1 + len(stage.view.validation.ids)
        assert json.loads(files["job.json"].read_text())["stage"] == "postprocess"


def test_other_labels_of_test_images_change_no_stage_and_another_validation_label_does(place):
    def keys():
        plan = declare(place, "tone-thresholds")
        return {s.stage: s.key for s in plan.stages.values()} | {"record": plan.runs[0].id.key}

    def relabelled(part):
        before, view = keys(), place.plan().runs[0].view
        rows = place.download / "rows.csv"
        text = rows.read_text()
        one = view.partitions[part].ids[0]
        line = next(line for line in text.splitlines() if line.startswith(one))
        names = ("folliculitis", "basal cell carcinoma")
        other = line.replace(*names) if names[0] in line else line.replace(*names[::-1])
        rows.write_text(text.replace(line, other))
        after = keys()
        rows.write_text(text)
        return {name for name in before if before[name] != after[name]}

    assert relabelled("test") == {"record"}
    assert "postprocess" in relabelled("validation")


def test_an_entry_without_one_is_planned_and_written_as_before_there_were_any(place):
    place.suite(method="none")
    plain = place.plan()
    with_none = declare(place, "none", "temperature")
    assert plain.runs[0].id == with_none.runs[0].id
    assert json.loads(_spelled(plain.runs[0].id.entry)) == {
        "method": "none",
        "baseline": "plain",
        "backbone": "",
        "variant": "",
    }
    assert _spelled(with_none.runs[1].id.entry).endswith('"postprocessor":"temperature"}')


def _spelled(entry):
    return msgspec.json.encode(entry).decode()


def test_a_task_of_more_classes_is_not_asked_of_one_for_two(place):
    path = place.rooms.root / "benchmarks/clinic/tasks/two.toml"
    path.write_text(path.read_text().replace('positive = ["basal cell carcinoma"]\n', ""))
    cells = {
        c.id.entry.postprocessor: c.id for c in declare(place, "temperature", "reject-option").runs
    }
    assert cells["temperature"].not_applicable is None
    assert cells["reject-option"].not_applicable == (
        "postprocessors/reject-option needs two classes, one of them positive; the task has 2 and 0"
    )


def test_a_parameter_that_is_none_is_refused(place, tonegap):
    row = {"methods": ["none"], "baselines": ["plain"], "postprocessors": ["tone-temperature"]}
    place.suite(entries=[row | {"postprocessor_parameters": {"least": 3}}])
    assert tonegap("plan", "tiny", *where(place)) == 2
    assert "postprocessors/tone-temperature has no parameter 'least'" in tonegap.err


def where(place):
    return ("--suite-root", place.rooms.root, "--root", f"clinic={place.download}")


def test_a_bundle_of_post_processed_entries_verifies_and_its_page_says_who_is_told(place, tonegap):
    declare(place, "none", "temperature", "tone-temperature")
    store = ("--store", place.store.folder)
    assert tonegap("run", "tiny", *where(place), *store) == 0, tonegap.err
    page = (place.store.folder / "report" / "tiny" / "index.html").read_text()
    assert "none + plain + tone-temperature" in page
    assert "is told the tone of test images" in page
    table = (place.store.folder / "report" / "tiny" / "leaderboard.csv").read_text().splitlines()
    names = table[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=False)) for line in table[1:]]
    told = {r["postprocessor"] for r in rows if "tone at test" in r["marks"]}
    assert told == {"tone-temperature"}
    root = ("--suite-root", place.rooms.root)
    bundle = place.store.folder.parent / "tiny.zip"
    assert tonegap("bundle", "tiny", "--out", bundle, *root, *store) == 0, tonegap.err
    assert tonegap("verify", bundle) == 0, tonegap.out + tonegap.err
    with zipfile.ZipFile(bundle) as packed:
        specs = {name for name in packed.namelist() if name.endswith("postprocessor.toml")}
    assert len(specs) == 2


def test_entries_that_are_told_the_tone_have_no_rank_where_the_report_says_so(place):
    plan = declare(place, "none", "temperature", "tone-temperature")
    run(place, plan, place.store)
    place.store.write_matrix(plan.matrix)

    def ranks():
        board = assemble(place.store.folder, read_suites(place.store.folder, []), settings())
        return {row.entry.postprocessor: (row.rank, row.unranked) for row in board.tables[0].rows}

    def settings():
        return read_settings(place.rooms.root)

    assert all(rank for rank, _ in ranks().values())
    path = place.rooms.root / "reports/leaderboard.toml"
    path.write_text(path.read_text() + "ranks_told = false\n")
    found = ranks()
    assert found["tone-temperature"][0] is None
    assert "this report ranks without those" in found["tone-temperature"][1]
    assert {found[""][0], found["temperature"][0]} <= {1, 2}
