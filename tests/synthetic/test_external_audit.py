"""A set made elsewhere as an entry of a suite."""

import io
import json
import shutil

import pytest
from faces import picture
from tiny_rooms import PROJECT

from tonegap.declared.local_files import local_digest
from tonegap.declared.suite import Limits, read_suite
from tonegap.engines import open_engine
from tonegap.formats.record import decode_record
from tonegap.plan.prepare import Request, prepare
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace
from tonegap.store.store import Store
from tonegap.synthetic.manifest import read_synthetic


@pytest.fixture
def made(rooms):
    """A folder in the suite root with the project's method and kit beside it."""
    shutil.rmtree(rooms.root / "docker" / "kit")
    for name in ("docker/kit", "methods/external"):
        shutil.copytree(
            PROJECT / name, rooms.root / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    folder = rooms.root / "made elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def run(rooms, download, made, tmp_path):
    """Runs the set as method `external`: the tally, the rows it left and its notes, the record if any."""

    def go(**parameters):
        value = f"made elsewhere#sha256={local_digest(made)}"
        entry = {
            "methods": ["external"],
            "baselines": ["plain"],
            "method_parameters": {"set": value, **parameters},
        }
        rooms.suite(tasks=["clinic/two"], entries=[entry])
        store, engine = Store(tmp_path / "store"), open_engine("local", rooms.root)
        suite = read_suite(rooms.root, "tiny")
        roots = {"clinic": download}
        plan = prepare(Request(rooms.root, suite, store, engine, roots, "cpu", 1, False))
        limits, log = Limits(60, 2048, 50), PlainProgress(io.StringIO())
        tally = run_plan(plan, Workplace(store, engine, limits, 1, (), log))
        (key,) = [stage.key for stage in plan.stages.values() if stage.stage == "generate"]
        left, record = store.stage_folder(key), store.record_path(plan.runs[0].id.key)
        if not left.exists():
            return tally, (), {}, None
        rows, notes = read_synthetic(left), json.loads((left / "notes.json").read_text())
        return tally, rows, notes, decode_record(record.read_bytes()) if record.exists() else None

    return go


def table(made, *rows):
    (made / "synthetic.csv").write_text("\n".join(["file,label,tone,sources", *rows]) + "\n")


def test_rows_reach_training_with_what_the_manifest_says(run, made):
    picture(900).save(made / "a.png")
    picture(901).save(made / "b.jpg")
    table(made, "a.png,folliculitis,VI,", "b.jpg,theirs,dark,?")
    _tally, rows, _notes, record = run(labels=["theirs=basal cell carcinoma"], tones=["dark=VI"])
    assert [(r.label, r.tone, r.sources) for r in rows] == [
        ("folliculitis", "VI", ()),
        ("basal cell carcinoma", "VI", ("?",)),
    ]
    assert (record.synthetic.n, record.synthetic.n_unknown) == (2, 1)


def test_a_mapped_lesion_has_the_tone_of_the_skin_and_not_of_its_donor(run, made):
    """c00 to c03 are training images of I, I, VI, VI; the tone in a released name is the donor's."""
    picture(900).save(made / "c00_with_folliculitis_from_VI_c03.png")
    picture(901).save(made / "c02_with_folliculitis_from_I_c01.png")
    _tally, rows, _notes, _record = run()
    assert [(r.tone, r.sources) for r in rows] == [("I", ("c00", "c03")), ("VI", ("c02", "c01"))]


def test_rows_whose_source_is_a_test_image_are_left_out_and_counted(run, made):
    for k, name in enumerate(("c23", "c22")):
        picture(900 + k).save(made / f"{name}_with_folliculitis_from_56_c21.png")
    picture(910).save(made / "plain.png")
    _tally, rows, notes, _record = run()
    assert rows == ()
    assert notes == {
        "skipped": {
            "rows left out: a source is no training image shown to methods": 2,
            "rows left out: label is no class of the task": 1,
        }
    }


def test_rows_that_are_kept_all_the_same_are_refused_by_name(run, made):
    picture(900).save(made / "a.png")
    table(made, "a.png,folliculitis,VI,c23")
    tally, *_ = run(outside_sources="keep")
    assert [failure.cause for failure in tally.failures] == ["leak"]
    assert "sources names 'c23', which is a test image" in tally.failures[0].text


def test_what_the_audit_refuses_is_left_out_and_counted(run, made, tonegap, rooms, download):
    """c23 is a test image; c00 to c03 are training images of I, I, VI, VI. Each is named in another way."""
    label = "folliculitis"
    told = {"label": label, "method": "pretrained", "submethod": "inpaint"}
    rows = []
    for k, donor in enumerate(("c23", "c03")):
        name = f"c00_with_{label}_from_VI_{donor}.png"
        picture(900 + k).save(made / name)
        rows.append(f"{name},{label}")  # without sources
    for k, donor in enumerate(("c23", "c01")):
        picture(910 + k).save(made / f"c02_with_{label}_from_I_{donor}.jpg")  # without a row
    for k, photograph in enumerate(("c23", "c01")):
        picture(920 + k).save(made / f"{k}.png")
        (made / f"{k}.json").write_text(json.dumps(told | {"md5hash": photograph}))
    (made / "synthetic.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    _tally, used, notes, _record = run()
    found = [(row.sources, row.tone) for row in used]
    assert found == [(("c00", "c03"), "I"), (("c01",), "I"), (("c02", "c01"), "VI")]
    reason = "rows left out: a source is no training image shown to methods"
    assert notes["skipped"] == {reason: 3}
    words = ("--task", "clinic/two", "--root", f"clinic={download}", "--suite-root", rooms.root)
    assert tonegap("audit", made, *words, "--store", made.parent / "audited", "--json") == 1
    refused = json.loads(tonegap.out)["refused"]
    assert [row["held_out"] for row in refused] == ["c23"] * 3


def test_an_image_with_a_learned_part_descends_from_what_that_was_trained_on(run, made):
    parts = {
        name: {"file": "x", "sha256": "0" * 64, "sources": sources}
        for name, sources in {"good": ["c00", "c01"], "bad": ["c00", "c23"]}.items()
    }
    (made / "model").mkdir()
    lineage = {"schema": "tonegap/lineage@1", "parts": parts}
    (made / "model" / "lineage.json").write_text(json.dumps(lineage))
    for k, name in enumerate(parts):
        picture(900 + k).save(made / f"{name}.png")
    rows = [f"{name}.png,folliculitis,VI,c02,{name}" for name in parts]
    (made / "synthetic.csv").write_text("\n".join(["file,label,tone,sources,models", *rows]) + "\n")
    _tally, used, notes, _record = run()
    assert [row.sources for row in used] == [("c02", "c00", "c01")]
    assert notes["skipped"] == {"rows left out: a source is no training image shown to methods": 1}


def test_a_planted_test_image_of_unknown_lineage_is_refused_by_name(run, made):
    picture(19).transpose(0).save(made / "x.png")
    table(made, "x.png,folliculitis,VI,?")
    tally, _rows, _notes, record = run()
    assert record is None
    assert "external-0 shows test image c19 (mirrored copy)" in tally.failures[0].text


def test_without_a_folder_the_plan_says_what_is_missing(rooms, download, made, tonegap):
    rooms.suite(tasks=["clinic/two"], entries=[{"methods": ["external"], "baselines": ["plain"]}])
    words = ("--suite-root", rooms.root, "--root", f"clinic={download}")
    assert tonegap("plan", "tiny", *words) == 0, tonegap.err
    assert "methods/external needs the parameter set, which is none: the folder, as" in tonegap.out
    assert "would run" not in tonegap.out
