"""A record's word on what its files had seen is held against what plug-ins and digests are declared to be."""

import msgspec
import pytest
from records import part, plain_record, scored_run
from tests.results.bundle.test_bundle import verify

from tonegap.declared.exposure import own_exposure
from tonegap.declared.plugin import SeenBy
from tonegap.declared.split_rules import ValueHoldout
from tonegap.formats.matrix import Matrix
from tonegap.formats.record import BankId, EntryId, Exposure
from tonegap.formats.truth import TaskTruth
from tonegap.results.bundle.exposure import (
    exposure_problems,
    half_problems,
    keep_declared,
    with_doubts,
)
from tonegap.results.bundle.pack import pack_suite
from tonegap.store.store import Store

SHA = "a" * 64
WEIGHTS = {"weights": f"net.pth#sha256={SHA}"}
KEY = "cd" + "0" * 62
NO = {SHA: {"d": SeenBy("no", "older")}}
YES = {SHA: {"d": SeenBy("yes", "its authors")}}
TOML = (
    f'[files.a]\nabout = "a"\nsha256 = "{SHA}"\n[files.a.seen.d]\nanswer = "ANSWER"\nsource = "s"\n'
)


def of_images(*answers):
    told = tuple(Exposure("baselines/erm", "net.pth", answer, "s") for answer in answers)
    values = {"backbone": "cnn4", **WEIGHTS}
    return plain_record(
        baseline_parameters=values, **({"exposure": told} if answers != (None,) else {})
    )


def of_a_bank(answer):
    told = {"exposure": (Exposure("extractors/net", "net.pth", answer, "s"),)} if answer else {}
    return plain_record(
        entry=EntryId("none", "erm", "net"),
        bank=BankId("net", {"precision": "fp32", **WEIGHTS}),
        **told,
    )


def problems(record, own=None, known=None, *, here=False):
    return list(exposure_problems(record, own or {}, known or {}, here=here))


def test_a_no_needs_an_answer_for_its_digest_among_the_files_that_came_along():
    assert not problems(of_a_bank("no"), known=NO)
    (said,) = problems(of_a_bank("no"))
    assert said == (
        "says 'no' of whether net.pth of extractors/net was trained on images of d; "
        "by the files that came along it is 'unknown'"
    )
    assert not problems(of_a_bank("no"), here=True)  # read as unknown: `with_doubts`
    assert len(problems(of_a_bank("no"), known=YES, here=True)) == 1


def test_silence_on_the_file_of_a_bank_is_named_and_unknown():
    assert "says nothing of whether net.pth" in problems(of_a_bank(None), known=NO)[0]
    assert of_a_bank(None).seen == "unknown"
    assert of_images("no").seen == "no"
    other = Exposure("baselines/erm", "other.pth", "no", "s")
    assert msgspec.structs.replace(of_images("no"), exposure=(other,)).seen == "unknown"


def test_an_older_record_without_a_word_is_unknown_and_holds_until_somebody_says_yes():
    assert of_images(None).seen == "unknown"
    assert not problems(of_images(None), known=NO)
    assert len(problems(of_images(None), known=YES)) == 1


def test_what_a_plug_in_says_of_itself_counts():
    own = {"extractors/net": {"d": SeenBy("yes", "its card")}}
    assert len(problems(of_a_bank("unknown"), own, here=True)) == 1
    assert not problems(of_a_bank("yes"), own, here=True)
    assert (
        "what comes with methods/none"
        in problems(plain_record(), {"methods/none": {"d": SeenBy("yes", "its card")}})[0]
    )


def declare(folder, text):
    (folder / "benchmarks").mkdir(exist_ok=True, parents=True)
    (folder / "benchmarks/exposure.toml").write_text(text)
    return folder


@pytest.mark.parametrize("record", [of_images("no"), of_a_bank("no")])
def test_a_stranger_s_no_about_a_file_that_nobody_declared_here_is_unknown(record, tmp_path):
    assert record.seen == "no"
    doubted = with_doubts(record, tmp_path)
    assert doubted.seen == "unknown"
    assert record.exposure[0] in doubted.exposure
    assert doubted.exposure[1].source == "nothing is declared here about this file"


def test_a_stranger_s_no_holds_where_the_digest_is_declared_for_every_data_set(tmp_path):
    root = declare(tmp_path, TOML.replace("ANSWER", "no"))
    record = of_images("no")
    assert with_doubts(record, root) is record
    joined = msgspec.structs.replace(record.data, joined=("d", "e"))
    assert with_doubts(msgspec.structs.replace(record, data=joined), root).seen == "unknown"
    assert with_doubts(of_a_bank("no"), root).seen == "unknown"  # its extractor is not here
    (root / "extractors/net").mkdir(parents=True)
    (root / "extractors/net/extractor.toml").write_text("")
    assert with_doubts(of_a_bank("no"), root).seen == "no"


def test_an_extractor_that_nobody_has_here_is_unknown_without_a_file_too(tmp_path):
    record = plain_record(entry=EntryId("none", "erm", "net"), bank=BankId("net", {}))
    assert record.seen == "no"
    (doubt,) = with_doubts(record, tmp_path).exposure
    assert (doubt.plugin, doubt.seen) == ("extractors/net", "unknown")
    own = {"extractors/net": own_exposure("extractors/net", {})}
    assert "says 'no' of whether what comes with extractors/net" in problems(record, own)[0]


def test_a_plug_in_s_own_no_says_nothing_of_a_file():
    own = {"extractors/net": {"d": SeenBy("no", "me"), "*": SeenBy("no", "me")}}
    assert "it is 'unknown'" in problems(of_a_bank("no"), own)[0]


def test_what_was_declared_when_a_bundle_came_is_kept_and_its_own_folder_of_that_name_is_not(
    tmp_path,
):
    place = declare(tmp_path / "out/here", TOML.replace("ANSWER", "no"))
    record = of_images("no")
    assert with_doubts(record, place).seen == "no"
    keep_declared(tmp_path / "root", [record], place)
    assert with_doubts(record, place).seen == "unknown"
    keep_declared(declare(tmp_path / "root", TOML.replace("ANSWER", "no")), [record], place)
    assert with_doubts(record, place).seen == "no"


def test_the_worst_of_joined_data_sets_counts():
    record = of_a_bank("no")
    joined = msgspec.structs.replace(record.data, joined=("d", "e"))
    (said,) = problems(msgspec.structs.replace(record, data=joined), known=NO)
    assert "images of e" in said


def of_halves(tested, in_training=""):
    """A record whose net saw its training half; trained on d and tested on e, if `tested` says so."""
    told = (Exposure("extractors/net", "net.pth", "no", "older", in_training, "s"),)
    record = msgspec.structs.replace(of_a_bank("no"), exposure=told)
    data = msgspec.structs.replace(record.data, joined=("d", "e"), tested=tested)
    return msgspec.structs.replace(record, data=data)


def test_of_joined_data_sets_that_are_tested_on_alone_the_answer_counts():
    known = {SHA: {"d": SeenBy("yes", "its authors"), "e": SeenBy("no", "older")}}
    assert not problems(of_halves(("e",), "yes"), known=known)
    (said,) = problems(of_halves(("e",), "no"), known=known)
    assert said.startswith("says 'no'")
    assert "images of d" in said
    (said,) = problems(of_halves(("d",), "no"), known=known)
    assert "says 'no' of whether net.pth of extractors/net was trained on images of d" in said


def test_a_record_cannot_choose_the_data_set_that_its_mark_is_about():
    by_set = ValueHoldout(seeds=(0,), column="data_set", train=("d",), test=("e",))
    by_half = ValueHoldout(seeds=(0,), column="half", train=("d",), test=("e",))
    assert not list(half_problems(of_halves(("e",)), by_set, here=True))
    assert not list(half_problems(of_halves(()), by_set, here=True))
    (said,) = half_problems(of_halves(("d",)), by_set, here=True)
    assert said == "says that its test images are of d; by the task here they are of e"
    (said,) = half_problems(of_halves(("e",)), by_half, here=False)
    assert said.endswith("by the task that came along they are of all that are joined")


def test_a_bundle_whose_record_names_a_tested_half_brings_the_task_that_says_so(
    root, tmp_path, capsys
):
    store = Store(tmp_path / "other")
    record = plain_record()
    data = msgspec.structs.replace(record.data, joined=("d", "e"), tested=("e",))
    record = msgspec.structs.replace(record, data=data, task="gone/task")
    done = scored_run(store, record, TaskTruth(part("v", 20), part("t", 60)), KEY)
    store.write_matrix(Matrix("tiny", "A tiny suite", (done,)))
    pack_suite(root, store.folder, "tiny", tmp_path / "x.zip")
    code, text = verify(tmp_path / "x.zip", capsys)
    assert code == 1
    assert "no task came along that says so" in text


@pytest.mark.parametrize(
    ("answer", "declared", "said"),
    [
        ("no", "no", "all as they were"),
        ("no", "yes", "it is 'yes'"),
        ("unknown", "unknown", "all as they were"),
        ("no", "", "it is 'unknown'"),
    ],
)
def test_a_bundle_brings_the_answers_that_it_is_held_against(
    root, tmp_path, capsys, answer, declared, said
):
    store = Store(tmp_path / "other")
    truth = TaskTruth(part("v", 20), part("t", 60))
    done = scored_run(store, of_images(answer), truth, KEY)
    store.write_matrix(Matrix("tiny", "A tiny suite", (done,)))
    if declared:
        (root / "benchmarks/exposure.toml").write_text(TOML.replace("ANSWER", declared))
    pack_suite(root, store.folder, "tiny", tmp_path / "x.zip")
    code, text = verify(tmp_path / "x.zip", capsys)
    assert said in text
    assert bool(code) == ("all as they were" not in text)


def test_a_backbone_other_than_that_of_its_bank_is_named(root, tmp_path, capsys):
    store = Store(tmp_path / "other")
    record = plain_record(bank=BankId("tiny-vit", {"precision": "fp32"}))
    done = scored_run(store, record, TaskTruth(part("v", 20), part("t", 60)), KEY)
    store.write_matrix(Matrix("tiny", "A tiny suite", (done,)))
    pack_suite(root, store.folder, "tiny", tmp_path / "x.zip")
    code, text = verify(tmp_path / "x.zip", capsys)
    assert code == 1
    assert "its backbone is 'cnn4', and its bank is of another" in text
