"""A run that the command line changed has results of its own: those of the suite stay as they are."""

import pytest
from tiny_rooms import TRAIN_PY

from tonegap.declared.suite import named_apart, read_suite, with_entries, with_parameters

EPOCHS = {"epochs": {"default": 8, "about": "epochs"}}
FOLDER = {"weights": {"default": "none", "about": "a file", "kind": "file"}}


@pytest.fixture
def suite(rooms):
    rooms.baseline("plain", TRAIN_PY, parameters=EPOCHS | FOLDER)
    rooms.baseline("other", TRAIN_PY)
    rooms.suite(parameters={"baselines": {"epochs": 4}})
    return read_suite(rooms.root, "tiny")


def changed(suite, *settings, methods=(), baselines=(), device="cpu"):
    made = with_parameters(with_entries(suite, methods, baselines), settings)
    said = [f"--set {s}" for s in settings] + [f"--baseline {b}" for b in baselines]
    return named_apart(made, suite, said, device)


def test_what_changes_nothing_is_the_suite_itself(suite):
    assert changed(suite) is suite
    assert changed(suite, "baselines.epochs=4") is suite


def test_a_setting_makes_another_suite_whose_title_says_it(suite):
    one = changed(suite, "baselines.epochs=2")
    assert one.id.startswith("tiny-with-")
    assert len(one.id) == len("tiny-with-") + 8
    assert one.file.title == "Suite tiny [with --set baselines.epochs=2]"


def test_the_name_follows_from_what_was_changed_and_from_nothing_else(suite):
    settings = ("baselines.epochs=2", "baselines/plain.epochs=3")
    names = {
        changed(suite, settings[0]).id,
        changed(suite, "baselines.epochs=3").id,
        changed(suite, settings[0], baselines=("other",)).id,
        changed(suite, baselines=("other",)).id,
        changed(suite, settings[0], device="cuda").id,
        changed(suite, device="cuda").id,
        suite.id,
    }
    assert len(names) == 7
    assert changed(suite, *settings).id == changed(suite, *reversed(settings)).id


def test_another_device_alone_is_named_in_words(suite):
    made = changed(suite, device="cuda")
    assert made.id == "tiny-on-cuda"
    assert made.file.title == "Suite tiny [with --device cuda]"


def test_a_local_file_counts_by_content_and_its_folders_stay_out_of_the_title(suite):
    here, there = (
        changed(suite, f"baselines/plain.weights=/{folder}/w.bin#sha256={'a' * 64}")
        for folder in ("home/me", "mnt/disk")
    )
    assert here.id == there.id
    assert "home" not in here.file.title
    assert f"weights=w.bin#sha256={'a' * 64}" in here.file.title


def test_an_ad_hoc_run_leaves_the_results_of_its_suite_alone(rooms, suite, tmp_path, tonegap):
    rooms.clinic(tmp_path / "download")
    rooms.suite(parameters={"baselines": {"epochs": 4}}, tasks=["clinic/two"])
    where = ("--suite-root", rooms.root, "--root", tmp_path / "download")
    assert tonegap("run", "tiny", *where) == 0, tonegap.err
    store = rooms.root / "runs"
    matrix = (store / "suites/tiny.json").read_bytes()
    page = (store / "report/tiny/index.html").read_bytes()
    assert tonegap("run", "tiny", "--set", "baselines.epochs=2", *where) == 0, tonegap.err
    assert "these results have a name of their own; those of tiny stay as they are" in tonegap.err
    (other,) = (p.stem for p in (store / "suites").iterdir() if p.stem != "tiny")
    assert f"report/{other}/index.html" in tonegap.out
    title = "[with --set baselines.epochs=2]"
    assert title in (store / f"report/{other}/index.html").read_text()
    assert (store / "suites/tiny.json").read_bytes() == matrix
    assert (store / "report/tiny/index.html").read_bytes() == page
