"""Bundles: what goes in, and what comes to light when something was changed."""

import io
import json
import zipfile

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from records import plain_record, train_mark
from tests.results.bundle.conftest import KEY, change_record
from tests.results.bundle.foreign_bundles import contents, fitted, write_zip

from tonegap.cli.main import main
from tonegap.errors import BadRequest, StoreError
from tonegap.files import sha256_bytes, sha256_file
from tonegap.formats.matrix import Matrix
from tonegap.results.bundle.archive import changed_files, extract
from tonegap.results.bundle.pack import pack_suite
from tonegap.results.bundle.verify import verify_folder
from tonegap.store.read import read_suites
from tonegap.store.seals import write_seal

STAGE = train_mark(plain_record(), 0).key
PREDICTIONS = f"stages/{STAGE[:2]}/{STAGE}/predictions.parquet"


@pytest.fixture
def bundle(root, store, tmp_path):
    path = tmp_path / "tiny.tonegap.zip"
    pack_suite(root, store.folder, "tiny", path, allow_incomplete=True)
    return path


def rewritten(bundle, changes, *, honest_manifest=False):
    """The bundle with some files replaced (None: removed); with a manifest that fits them, or not."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("bundle.json"))
    for name, content in changes.items():
        if content is None:
            del files[name]
        else:
            files[name] = content
    if honest_manifest:
        manifest["files"] = {name: sha256_bytes(content) for name, content in files.items()}
    out = bundle.with_name("changed.zip")
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {"bundle.json": json.dumps(manifest), **files}.items():
            archive.writestr(name, content)
    return out


def one_prediction_changed(bundle):
    with zipfile.ZipFile(bundle) as archive:
        table = pq.read_table(io.BytesIO(archive.read(PREDICTIONS)))
    columns = table.to_pydict()
    last = columns["p_malignant"][-1]
    columns["p_malignant"][-1], columns["p_benign"][-1] = 1 - last, last
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def verify(path, capsys):
    with pytest.raises(SystemExit) as done:
        main(["verify", str(path)])
    said = capsys.readouterr()
    return done.value.code, said.out + said.err


def test_a_bundle_as_it_was_made_verifies(bundle, capsys):
    code, text = verify(bundle, capsys)
    assert not code
    assert "1 record, " in text
    missing = "incomplete: 1 of 2 records are missing (first: none + mixup (cnn4), d/t, seed 0)"
    assert text.splitlines()[0] == missing
    assert text.endswith(": all as they were\n")


SPEC = """
title = "ERM"
about = "Plain."
command = ["python", "train.py"]
stages = ["train"]
"""


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SPEC, "all as they were"),
        (SPEC + "of_another_version = 1", "all as they were"),
        (
            SPEC + "control = true",
            "says that it is no control, and the file of baselines/erm that came along says that it is one",
        ),
        (SPEC + 'needs = ["tone_at_test"]', "whether it is told the tone of test images"),
        ("control = [", "baselines/erm/baseline.toml: not valid TOML"),
    ],
)
def test_a_record_is_held_against_the_plug_in_that_came_along(
    root, store, tmp_path, capsys, spec, said
):
    name = "baselines/erm/baseline.toml"
    (root / name).parent.mkdir(parents=True)
    (root / name).write_text(SPEC)
    pack_suite(root, store.folder, "tiny", tmp_path / "x.zip", allow_incomplete=True)
    files = contents(tmp_path / "x.zip") | {f"specs/{name}": spec.encode()}
    code, text = verify(write_zip(tmp_path / "x.zip", fitted(files)), capsys)
    assert said in text
    assert bool(code) == ("all as they were" not in text)


def test_the_same_results_give_the_same_bytes(root, store, bundle, tmp_path):
    again = tmp_path / "again.zip"
    pack_suite(root, store.folder, "tiny", again, allow_incomplete=True)
    assert sha256_file(again) == sha256_file(bundle)


def test_a_bundle_holds_no_image_and_the_specs(bundle):
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
    assert PREDICTIONS in names
    assert "specs/benchmarks/d/tasks/t.toml" in names
    assert not [n for n in names if n.endswith((".png", ".jpg", ".npy"))]


def test_a_changed_prediction_names_its_cell_even_under_a_fitting_manifest(bundle, capsys):
    changed = rewritten(bundle, {PREDICTIONS: one_prediction_changed(bundle)}, honest_manifest=True)
    code, text = verify(changed, capsys)
    assert code == 1
    assert "none + erm (cnn4), d/t, seed 0: the predictions have sha256" in text
    assert "none + erm (cnn4), d/t, seed 0: last: accuracy of " in text


def test_a_changed_file_is_named(bundle, capsys):
    changed = rewritten(bundle, {PREDICTIONS: one_prediction_changed(bundle)})
    code, text = verify(changed, capsys)
    assert code == 1
    assert f"{PREDICTIONS}: found sha256 " in text


def test_a_removed_record_is_missing_and_a_hole(bundle, tmp_path):
    record = f"records/{KEY}.json"
    changed = rewritten(bundle, {record: None})
    folder = tmp_path / "open"
    manifest = extract(changed, folder)
    assert changed_files(manifest, folder) == [f"{record}: missing"]
    assert len(verify_folder(folder, "tiny").completeness.missing) == 2


def test_a_score_that_was_written_by_hand_is_named(root, store, tmp_path):
    record = change_record(store)
    of_groups = record.scores["validation"].tables["groups"]
    i = list(zip(of_groups.metric, of_groups.tone, strict=True)).index(("accuracy", "V-VI"))
    values = (*of_groups.value[:i], 0.99, *of_groups.value[i + 1 :])
    table = msgspec.structs.replace(of_groups, value=values)
    selected = msgspec.structs.replace(record.scores["validation"], tables={"groups": table})
    change_record(store, scores={**record.scores, "validation": selected})
    path = tmp_path / "b.zip"
    pack_suite(root, store.folder, "tiny", path, allow_incomplete=True)
    extract(path, tmp_path / "open")
    (problem,) = verify_folder(tmp_path / "open", "tiny").problems
    assert problem.startswith(
        "none + erm (cnn4), d/t, seed 0: validation: accuracy of V-VI is 0.990000, computed 0."
    )


def test_another_truth_than_the_record_s_is_named(bundle, capsys):
    with zipfile.ZipFile(bundle) as archive:
        (name,) = [n for n in archive.namelist() if n.startswith("truth/")]
        text = archive.read(name).decode().replace("t0,benign", "t0,malignant")
    code, said = verify(rewritten(bundle, {name: text.encode()}, honest_manifest=True), capsys)
    assert code == 1
    assert "it was changed" in said


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside"])
def test_a_bundle_writes_nothing_outside_its_folder(bundle, tmp_path, name):
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(BadRequest, match="which is no file below a folder"):
        extract(evil, tmp_path / "open")
    assert not (tmp_path / "outside").exists()


def test_what_is_no_bundle_is_refused_in_one_sentence(tmp_path, capsys):
    path = tmp_path / "x.zip"
    path.write_bytes(b"no archive")
    code, text = verify(path, capsys)
    assert code == 2
    assert "not a bundle of this suite" in text
    assert text.count("\n") == 1


def test_a_suite_without_any_record_is_not_bundled(root, store, tmp_path):
    store.record_path(KEY).unlink()
    with pytest.raises(BadRequest, match="nothing to bundle"):
        pack_suite(root, store.folder, "tiny", tmp_path / "b.zip")


def run(capsys, *words):
    with pytest.raises(SystemExit) as done:
        main([str(word) for word in words])
    said = capsys.readouterr()
    return done.value.code, said.out + said.err


class TestCompleteness:
    def test_an_incomplete_suite_is_refused_with_the_first_that_are_missing(
        self, root, store, tmp_path, capsys
    ):
        words = ("bundle", "tiny", "--store", store.folder, "--suite-root", root)
        path = tmp_path / "b.zip"
        code, text = run(capsys, *words, "--out", path)
        assert code == 2
        assert "tiny: 1 of 2 records are missing (first: none + mixup (cnn4), d/t, seed 0)" in text
        assert "--allow-incomplete" in text
        assert not path.exists()
        assert not run(capsys, *words, "--out", path, "--allow-incomplete")[0]
        assert path.exists()

    def test_a_cell_that_cannot_be_asked_is_not_missing(self, root, store, tmp_path, capsys):
        (done, failed) = read_suites(store.folder, ["tiny"])[0].matrix.runs
        failed = msgspec.structs.replace(failed, not_applicable="needs masks")
        store.write_matrix(Matrix("tiny", "A tiny suite", (done, failed)))
        path = tmp_path / "b.zip"
        pack_suite(root, store.folder, "tiny", path)
        code, text = verify(path, capsys)
        assert not code
        assert text.splitlines()[0] == "complete: all 1 declared records are here"

    def test_a_bundle_of_nothing_is_no_pass(self, bundle, capsys):
        matrix = json.dumps({"suite": "tiny", "title": "Nothing", "cells": []}).encode()
        changed = rewritten(
            bundle,
            {"suites/tiny.json": matrix, "ro-crate-metadata.json": None},
            honest_manifest=True,
        )
        code, text = verify(changed, capsys)
        assert code == 1
        assert text.splitlines()[0] == "empty: no record is declared"
        assert "all as they were" not in text

    def test_records_that_were_left_out_are_said_first(self, bundle, capsys):
        changed = rewritten(
            bundle,
            {f"records/{KEY}.json": None, "ro-crate-metadata.json": None},
            honest_manifest=True,
        )
        code, text = verify(changed, capsys)
        assert code == 1
        assert text.startswith("empty: 2 of 2 records are missing (first: none + erm (cnn4), d/t")


class TestDamage:
    @pytest.mark.parametrize(
        "name", [PREDICTIONS, f"records/{KEY}.json", "suites/tiny.json", "truth"]
    )
    def test_what_was_damaged_is_named_and_not_bundled(self, root, store, tmp_path, name):
        write_seal(store.folder, f"stages/{STAGE[:2]}/{STAGE}")
        path = next((store.folder / "truth").glob("*.csv")) if name == "truth" else None
        path = path or store.folder / name
        path.write_bytes(path.read_bytes().replace(b"0", b"1"))
        with pytest.raises(StoreError, match=r"not what was written.* again"):
            pack_suite(root, store.folder, "tiny", tmp_path / "b.zip", allow_incomplete=True)
