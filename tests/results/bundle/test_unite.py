"""Bundles as one leaderboard: a site of those that verify, and pages for whoever has nothing but a bundle."""

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from records import part, plain_record, scored_run
from tests.results.bundle.conftest import KEY, root
from tests.results.bundle.foreign_bundles import write_zip

from tonegap.cli.main import main
from tonegap.files import sha256_file
from tonegap.formats.matrix import Failure, Matrix, RunId
from tonegap.formats.record import EntryId, StageCost
from tonegap.formats.truth import TaskTruth
from tonegap.results.bundle.pack import pack_suite
from tonegap.store.store import Store

__all__ = ["root"]

PROJECT = Path(__file__).parents[3]


def say(capsys, *words):
    """Exit code, standard output and standard error of a command on the project's root."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words), "--suite-root", str(PROJECT)])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


@pytest.fixture
def store(tmp_path):
    """One finished run of a plug-in that is not here, and one that failed."""
    there = Store(tmp_path / "runs")
    record = plain_record(entry=EntryId("none", "theirs", "cnn4"))
    done = scored_run(there, record, TaskTruth(part("v", 20), part("t", 60)), KEY)
    failed = RunId(EntryId("none", "mixup", "cnn4"), "d/t", 0, "2" * 64, control=False)
    there.write_matrix(Matrix("tiny", "A tiny suite", (done, failed)))
    there.write_failure(Failure(failed.key, "train", "baselines/mixup", "timeout", "1 s", "2025"))
    return there


@pytest.fixture
def bundles(root, store, tmp_path):
    """A folder with a bundle of one finished run, and the same with a number changed."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    pack_suite(root, store.folder, "tiny", folder / "lab-a.tonegap.zip", allow_incomplete=True)
    with zipfile.ZipFile(folder / "lab-a.tonegap.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    record = next(name for name in files if name.startswith("records/"))
    files[record] = files[record].replace(b'"epoch":', b'"epoch": ', 1)
    write_zip(folder / "lab-b.zip", files)
    return folder


def test_a_board_has_the_bundles_that_verify_and_names_the_others(bundles, tmp_path, capsys):
    out = tmp_path / "site"
    code, said, err = say(capsys, "board", bundles, "--out", out, "--title", "Two labs")
    assert code == 1
    assert said.strip() == str(out / "index.html")
    assert f"not on the board: {bundles / 'lab-b.zip'}: does not verify: records/" in err
    assert "1 bundle, 1 record, 1 not on the board" in err
    assert "Two labs" in (out / "index.html").read_text()
    listing = json.loads((out / "bundles/bundles.json").read_text())
    (row,) = listing["bundles"]
    assert row["file"] == "lab-a.tonegap.zip"
    assert (row["records"], row["complete"]) == (1, False)
    assert row["sha256"] == sha256_file(out / "bundles/lab-a.tonegap.zip")
    page = (out / "bundles/index.html").read_text()
    assert row["sha256"] in page
    assert "lab-b" not in page


def test_a_board_leaves_a_folder_of_somebody_elses_files_alone(bundles, tmp_path, capsys):
    out = tmp_path / "site"
    out.mkdir()
    (out / "index.html").write_text("mine")
    code, said, err = say(capsys, "board", bundles / "lab-a.tonegap.zip", "--out", out)
    assert (code, said) == (2, "")
    assert f"{out}: found 'index.html' and no earlier report; choose a new or empty folder" in err
    assert [p.name for p in out.iterdir()] == ["index.html"]
    assert (out / "index.html").read_text() == "mine"


def test_the_same_bundles_give_the_same_site(bundles, tmp_path, capsys):
    sites = [tmp_path / name for name in ("one", "two")]
    for out in sites:
        say(capsys, "board", bundles / "lab-a.tonegap.zip", "--out", out)
    one, two = (
        {p.relative_to(out): sha256_file(p) for p in sorted(out.rglob("*")) if p.is_file()}
        for out in sites
    )
    assert one == two


def test_a_bundle_twice_is_one_entry(bundles, tmp_path, capsys):
    (bundles / "lab-b.zip").write_bytes((bundles / "lab-a.tonegap.zip").read_bytes())
    code, _, err = say(capsys, "board", bundles, "--out", tmp_path / "site")
    assert code == 0
    assert "2 bundles, 2 records, 0 not on the board" in err
    table = json.loads((tmp_path / "site/leaderboard.json").read_text())["tables"][0]
    assert len(table["rows"]) + len(table["controls"]) == 2  # the finished entry and the failed one


def test_a_reviewer_sees_the_pages_of_a_bundle_alone(bundles, tmp_path, capsys):
    bundle = bundles / "lab-a.tonegap.zip"
    code, said, _ = say(capsys, "report", bundle, "--out", tmp_path / "pages")
    assert (code, said.strip()) == (0, str(tmp_path / "pages/index.html"))
    code, said, _ = say(capsys, "report", bundle, "--format", "md")
    assert "A tiny suite" in said
    code, _, err = say(capsys, "report", bundles / "lab-b.zip", "--out", tmp_path / "no")
    assert code == 2
    assert "does not verify" in err
    code, _, err = say(capsys, "report", bundle)
    assert (code, "needs --out DIR" in err) == (2, True)


def test_a_folder_without_a_bundle_is_refused(tmp_path, capsys):
    code, _, err = say(capsys, "board", tmp_path, "--out", tmp_path / "site")
    assert (code, "no bundle (*.zip) there" in err) == (2, True)


@pytest.fixture
def lab(root, tmp_path):
    """A bundle of one run by its name; with `turned` the labels of so many test images are exchanged."""

    def make(name, number, turned=0, baseline=None, **changes):
        there = Store(tmp_path / f"store-{name}")
        test = part("t", 60)
        labels = [
            {"benign": "malignant", "malignant": "benign"}[label] if i < turned else label
            for i, label in enumerate(test.labels)
        ]
        truth = TaskTruth(part("v", 20), replace(test, labels=tuple(labels)))
        record = plain_record(entry=EntryId("none", baseline or f"of-{name}", "cnn4"), **changes)
        cell = scored_run(there, record, truth, f"{number:064x}", number)
        there.write_matrix(Matrix("tiny", f"Of {name}", (cell,)))
        folder = tmp_path / "labs"
        folder.mkdir(exist_ok=True)
        pack_suite(root, there.folder, "tiny", folder / f"{name}.zip")
        return folder

    return make


def ranks(site):
    (table,) = json.loads((site / "leaderboard.json").read_text())["tables"]
    return {row["entry"]["baseline"]: row["rank"] for row in table["rows"]}


def test_a_control_that_a_bundle_calls_none_is_refused(lab, tmp_path, capsys):
    folder = lab("a", 1, baseline="class-prior")
    code, _, err = say(capsys, "board", folder, "--out", tmp_path / "site")
    assert code == 1
    assert "says that it is no control, and baselines/class-prior is one here" in err
    assert not (tmp_path / "site").exists()


def test_a_report_of_a_bundle_refuses_what_a_board_refuses(lab, tmp_path, capsys):
    folder = lab("a", 1, baseline="class-prior")
    code, _, err = say(capsys, "report", folder / "a.zip", "--out", tmp_path / "pages")
    assert code == 2
    assert "says that it is no control, and baselines/class-prior is one here" in err
    assert not (tmp_path / "pages").exists()


def test_a_report_of_bundles_that_disagree_ranks_nothing(lab, tmp_path, capsys):
    lab("a", 1)
    folder = lab("b", 2, 3)
    out = tmp_path / "pages"
    words = ("report", folder / "a.zip", folder / "b.zip", "--out", out, "--strict")
    code, _, err = say(capsys, *words)
    assert (code, "truth alarm: d/t: bundles disagree on the truth of 3 images" in err) == (1, True)
    assert ranks(out) == {"of-a": None, "of-b": None}


def test_a_report_of_a_bundle_goes_by_the_truth_of_the_own_store(lab, tmp_path, capsys):
    lab("a", 1)
    bundle = lab("b", 2, 3) / "b.zip"
    own = ("--store", tmp_path / "store-a")
    code, _, err = say(capsys, "report", bundle, "--format", "md", *own)
    assert code == 2
    assert "b.zip: d/t: another truth of 3 images than this store's (" in err


def test_the_minority_about_a_truth_is_not_on_the_board(lab, tmp_path, capsys):
    for name, number, turned in (("a", 1, 3), ("b", 2, 0), ("c", 3, 0)):
        folder = lab(name, number, turned)
    code, _, err = say(capsys, "board", folder, "--out", tmp_path / "site")
    assert code == 1
    assert "a.zip: d/t: another truth of 3 images than most bundles, b.zip, c.zip (" in err
    assert sorted(ranks(tmp_path / "site")) == ["of-b", "of-c"]
    assert None not in ranks(tmp_path / "site").values()


def test_a_bundle_twice_has_one_vote(lab, tmp_path, capsys):
    lab("a", 1, 3)
    folder = lab("b", 2)
    (folder / "a2.zip").write_bytes((folder / "a.zip").read_bytes())
    code, _, err = say(capsys, "board", folder, "--out", tmp_path / "site")
    assert (code, "not ranked: d/t: bundles disagree" in err) == (1, True)
    assert set(ranks(tmp_path / "site").values()) == {None}


def ran_elsewhere(root, tmp_path, name, seconds):
    """A bundle of the same run on another machine, which took other seconds."""
    there = Store(tmp_path / f"store-{name}")
    record = plain_record(entry=EntryId("none", "same", "cnn4"))
    cost = StageCost("train", seconds, None, 100 * seconds)
    told = msgspec.structs.replace(record.circumstances, costs=(cost,), hardware={"cpu": name})
    record = msgspec.structs.replace(record, circumstances=told)
    ran = scored_run(there, record, TaskTruth(part("v", 20), part("t", 60)), f"{7:064x}", 7)
    (mark,) = there.folder.glob("stages/*/*/stage.json")
    told = json.loads(mark.read_bytes()) | {"seconds": seconds, "versions": {"gpu": f"GPU-{name}"}}
    told |= {"gpus": int(seconds), "gpu_memory_mib": 100 * seconds, "n_images": int(10 * seconds)}
    mark.write_text(json.dumps(told))
    there.write_matrix(Matrix("tiny", f"Of {name}", (ran,)))
    folder = tmp_path / "labs"
    folder.mkdir(exist_ok=True)
    pack_suite(root, there.folder, "tiny", folder / f"{name}.zip")
    return folder


def test_two_laboratories_that_ran_the_same_stand_on_one_board(root, tmp_path, capsys):
    ran_elsewhere(root, tmp_path, "a", 1.5)
    folder = ran_elsewhere(root, tmp_path, "b", 2.5)
    with zipfile.ZipFile(folder / "a.zip") as a, zipfile.ZipFile(folder / "b.zip") as b:
        assert a.namelist() == b.namelist()
        assert len([n for n in a.namelist() if a.read(n) != b.read(n)]) >= 3
    code, _, err = say(capsys, "board", folder, "--out", tmp_path / "site")
    assert (code, "2 bundles, 2 records, 0 not on the board" in err) == (0, True), err
    assert set(ranks(tmp_path / "site")) == {"same"}


def test_another_result_under_the_same_key_is_refused(root, lab, tmp_path, capsys):
    lab("a", 7, baseline="same")
    there = Store(tmp_path / "store-b")
    record = plain_record(entry=EntryId("none", "same", "cnn4"), primary_metric="auc")
    ran = scored_run(there, record, TaskTruth(part("v", 20), part("t", 60)), f"{7:064x}", 7)
    there.write_matrix(Matrix("tiny", "Of b", (ran,)))
    pack_suite(root, there.folder, "tiny", tmp_path / "labs/b.zip")
    code, _, err = say(capsys, "board", tmp_path / "labs", "--out", tmp_path / "site")
    assert code == 1
    assert "a.zip has that key with another content" in err


def test_a_pipe_among_bundles_is_named(lab, tmp_path, capsys):
    folder = lab("a", 1)
    os.mkfifo(folder / "x.zip")
    code, _, err = say(capsys, "board", folder, "--out", tmp_path / "site")
    assert (code, "x.zip: cannot be read: it is a pipe, wanted a file" in err) == (1, True), err


def test_two_that_disagree_have_no_ranks_and_both_are_named(lab, tmp_path, capsys):
    lab("a", 1)
    folder = lab("b", 2, 3)
    code, _, err = say(capsys, "board", folder, "--out", tmp_path / "site")
    assert code == 1
    assert "not ranked: d/t: bundles disagree on the truth of 3 images (" in err
    assert ranks(tmp_path / "site") == {"of-a": None, "of-b": None}
    text = (tmp_path / "site/leaderboard.md").read_text()
    assert "**TRUTH ALARM: d/t: bundles disagree" in text
    assert "in a.zip" in text
    assert "in b.zip" in text
    assert "better than" not in text
    assert "than at first" not in text


def test_the_truth_of_the_own_store_decides(lab, tmp_path, capsys):
    for name, number, turned in (("a", 1, 0), ("b", 2, 3), ("c", 3, 3)):
        folder = lab(name, number, turned)
    out = tmp_path / "site"
    code, _, err = say(capsys, "board", folder, "--out", out, "--store", tmp_path / "store-a")
    assert code == 1
    assert "b.zip: d/t: another truth of 3 images than this store's (" in err
    assert "c.zip: d/t: another truth of 3 images than this store's (" in err
    assert ranks(out) == {"of-a": 1}


def test_a_withdrawn_bundle_and_its_pages_go_and_foreign_files_stay(lab, tmp_path, capsys):
    out = tmp_path / "site"
    lab("a", 1)
    folder = lab("b", 2)
    say(capsys, "board", folder, "--out", out)
    (out / "CNAME").write_text("x")
    (out / "entries/mine.html").write_text("x")
    (out / "methods/of-b.baseline.html").write_text("changed by hand")
    (folder / "b.zip").unlink()
    say(capsys, "board", folder, "--out", out)
    left = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert {p for p in left if "of-b" in p} == {"methods/of-b.baseline.html"}
    assert "bundles/b.tonegap.zip" not in left
    assert {"CNAME", "entries/mine.html", "bundles/a.tonegap.zip"} <= left


def truth_with_a_tone_not_scored(held_out):
    """Eight images of V, which is not scored: in validation, which keeps it, or in the test part."""
    free = part("v", 20), part("t", 60)
    moved = part("m", 8, ("V",))
    if held_out:
        return TaskTruth(joined(free[0], moved), free[1])
    return TaskTruth(free[0], joined(free[1], replace(moved, tones=(None,) * 8)))


def joined(one, two):
    fields = ("ids", "labels", "tones")
    rows = {name: getattr(one, name) + getattr(two, name) for name in fields}
    return replace(one, **rows, units=tuple(range(len(rows["ids"]))))


def test_a_tone_that_is_not_scored_is_no_second_truth(root, tmp_path, capsys):
    folder = tmp_path / "labs"
    folder.mkdir()
    for name, hidden in (("named", {"V": 8}), ("unnamed", {})):
        there = Store(tmp_path / name)
        cells = tuple(
            scored_run(
                there,
                plain_record(entry=EntryId("none", name, "cnn4"), seed=seed, not_scored=hidden),
                truth_with_a_tone_not_scored(seed == 0),
                f"{number:064x}",
                number,
            )
            for seed, number in ((0, 10 + len(name)), (1, 20 + len(name)))
        )
        there.write_matrix(Matrix("tiny", name, cells))
        pack_suite(root, there.folder, "tiny", folder / f"{name}.zip")
    code, _, err = say(capsys, "board", folder / "named.zip", "--out", tmp_path / "site")
    assert (code, "0 not on the board" in err) == (0, True)
    out = tmp_path / "pack"
    code, _, err = say(capsys, "pack", folder / "unnamed.zip", "--out", out)
    assert (code, "d/t: two truths in it differ about m0" in err) == (2, True)
    assert list(out.iterdir()) == []  # so that the next try finds an empty folder


def test_bundles_of_other_seeds_agree_on_a_tone_that_is_not_scored(root, tmp_path, capsys):
    folder = tmp_path / "labs"
    folder.mkdir()
    for seed, name in enumerate(("a", "b")):
        there = Store(tmp_path / name)
        record = plain_record(entry=EntryId("none", name, "cnn4"), seed=seed, not_scored={"V": 8})
        truth = truth_with_a_tone_not_scored(seed == 0)
        cell = scored_run(there, record, truth, f"{seed + 1:064x}", seed)
        there.write_matrix(Matrix("tiny", name, (cell,)))
        pack_suite(root, there.folder, "tiny", folder / f"{name}.zip")
    own = ("--store", tmp_path / "a")
    code, _, err = say(capsys, "board", folder, "--out", tmp_path / "site", *own)
    assert (code, "0 not on the board" in err, "disagree" in err) == (0, True, False)
