"""What pretrained files have seen: who says so, what a record carries, and the mark that no rank goes without."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from answered import board_with_answers
from records import plain_record
from report_files import render_csv

from tonegap.declared.exposure import exposures_of, read_exposure
from tonegap.declared.local_files import LocalFile
from tonegap.declared.plugin import Plugin, PluginFile, SeenBy, plugin_ids, read_plugin
from tonegap.errors import BadSuiteFolder
from tonegap.formats.record import Exposure, decode_record, encode_record
from tonegap.report.answer_text import answer
from tonegap.report.exports.latex import render_latex
from tonegap.report.exports.markdown import render_markdown
from tonegap.report.pages.across_page import files as across_files
from tonegap.report.pages.compare_page import files as compare_files
from tonegap.results.comparable import marks_of
from tonegap.results.leaderboard import leaderboard
from tonegap.results.model import SeedResult

ROOT = Path(__file__).parents[2]
FILE = LocalFile("weights", Path("net.pth"), "a" * 64)
KNOWN = {"a" * 64: {"ddi": SeenBy("no", "older"), "f17k": SeenBy("yes", "its authors")}}


def plugin(kind="extractor", holds_weights=False, **exposure):
    file = PluginFile("t", "a", exposure={k: SeenBy(*v) for k, v in exposure.items()})
    return Plugin("net", kind, Path("/nowhere"), file, holds_weights)


def seen(data_sets, known=KNOWN, file=FILE, **exposure):
    (found,) = exposures_of([(plugin(**exposure), [file])], data_sets, known)
    return found


def test_a_plug_in_without_a_local_file_has_nothing_to_say():
    assert exposures_of([(plugin("baseline"), [])], ["ddi"], KNOWN) == ()


def test_an_extractor_that_says_nothing_is_unknown_and_a_random_one_says_so():
    (found,) = exposures_of([(plugin(), [])], ["ddi"], KNOWN)
    assert (found.plugin, found.file, found.seen) == ("extractors/net", "", "unknown")
    random = plugin(**{"*": ("no", "a random network")})
    assert exposures_of([(random, [])], ["ddi", "pad"], KNOWN) == (
        Exposure("extractors/net", "", "no", "a random network"),
    )
    assert seen(["pad"], **{"*": ("no", "a random network")}).seen == "unknown"  # a file of it
    assert seen(["ddi"], **{"*": ("no", "a random network")}).seen == "no"  # by its digest


@pytest.mark.parametrize("kind", ["baseline", "method", "postprocessor"])
def test_a_plug_in_that_holds_weights_is_unknown_unless_it_says_more(kind):
    (found,) = exposures_of([(plugin(kind, True), [])], ["ddi"], KNOWN)
    assert (found.file, found.seen) == ("", "unknown")
    told = exposures_of([(plugin(kind, True), [FILE])], ["ddi"], KNOWN)
    assert [(one.file, one.seen) for one in told] == [("net.pth", "no"), ("", "unknown")]
    own = plugin(kind, True, **{"*": ("no", "its card"), "pad": ("yes", "its card")})
    assert [exposures_of([(own, [])], [name], KNOWN)[0].seen for name in ("ddi", "pad")] == [
        "no",
        "yes",
    ]


@pytest.mark.parametrize("name", ["net.safetensors", "deep/net.pt", "net.pth", "net.bin", "a.npz"])
def test_weights_anywhere_in_a_folder_are_found(name, tmp_path):
    folder = tmp_path / "baselines/own"
    (folder / name).parent.mkdir(parents=True)
    (folder / "baseline.toml").write_text(
        'title = "t"\nabout = "a"\ncommand = ["python"]\nstages = ["train"]\n'
    )
    assert not read_plugin(tmp_path, "baseline", "own").holds_weights
    (folder / name).write_bytes(b"")
    assert read_plugin(tmp_path, "baseline", "own").holds_weights


def test_of_the_plug_ins_of_the_project_the_random_extractors_alone_are_clean_without_a_file():
    kinds = ("method", "baseline", "postprocessor", "extractor")
    every = [read_plugin(ROOT, kind, one) for kind in kinds for one in plugin_ids(ROOT, kind)]
    assert not any(one.holds_weights for one in every)
    told = {one.label: exposures_of([(one, [])], ["phantom"], {}) for one in every}
    assert not any(of for label, of in told.items() if not label.startswith("extractors/"))
    clean = {label for label, of in told.items() if of and of[0].seen == "no"}
    assert clean == {"extractors/tiny-resnet", "extractors/tiny-vit"}
    assert all(len(of) == 1 for label, of in told.items() if label.startswith("extractors/"))


def test_a_plug_in_with_weights_of_its_own_says_what_they_have_seen():
    own = plugin(ddi=("yes", "its card"), pad=("unknown", "its card"))
    assert exposures_of([(own, [])], ["ddi", "pad"], KNOWN) == (
        Exposure("extractors/net", "", "yes", "its card"),
    )
    assert exposures_of([(own, [])], ["pad"], KNOWN)[0].seen == "unknown"
    assert exposures_of([(own, [])], ["f17k"], KNOWN)[0].seen == "unknown"


def test_a_file_is_known_by_its_digest_and_data_set():
    assert seen(["ddi"]) == Exposure("extractors/net", "net.pth", "no", "older")
    assert seen(["f17k"]).seen == "yes"


def test_what_nobody_says_anything_about_is_unknown():
    assert seen(["pad"]).seen == "unknown"
    other = LocalFile("weights", Path("net.pth"), "b" * 64)
    assert seen(["ddi"], file=other).seen == "unknown"


def test_of_joined_data_sets_and_of_several_answers_the_worst_counts():
    assert seen(["ddi", "pad"]).seen == "unknown"
    assert seen(["ddi", "pad", "f17k"]).seen == "yes"
    assert seen(["ddi"], ddi=("yes", "its card")) == Exposure(
        "extractors/net", "net.pth", "yes", "its card"
    )
    assert seen(["ddi"], ddi=("unknown", "its card")).seen == "unknown"


def test_where_one_data_set_is_trained_on_and_another_tested_the_tested_one_decides():
    (found,) = exposures_of([(plugin(), [FILE])], ["ddi"], KNOWN, ["f17k"])
    assert found == Exposure("extractors/net", "net.pth", "no", "older", "yes", "its authors")
    assert found.text == (
        "net.pth of extractors/net: no (older); training images: yes (its authors)"
    )
    assert plain_record(exposure=(found,)).seen == "no"
    (turned,) = exposures_of([(plugin(), [FILE])], ["f17k"], KNOWN, ["ddi"])
    assert plain_record(exposure=(turned,)).seen == "yes"
    assert turned.in_training == "no"


def test_weights_of_its_own_that_a_plug_in_speaks_of_for_training_alone_are_unknown_for_the_test():
    own = plugin(f17k=("yes", "its card"))
    (found,) = exposures_of([(own, [])], ["ddi"], KNOWN, ["f17k"])
    assert (found.seen, found.in_training) == ("unknown", "yes")


def test_a_record_without_a_word_on_its_files_is_unknown():
    assert plain_record().seen == "no"
    assert plain_record(method_parameters={"pipeline": "sd#sha256=" + "1" * 64}).seen == "unknown"
    assert plain_record(baseline_parameters={"weights": "none"}).seen == "no"


def test_a_record_says_what_was_seen_and_one_without_keeps_its_bytes():
    told = plain_record(exposure=(Exposure("extractors/net", "net.pth", "yes", "its authors"),))
    assert decode_record(encode_record(told)) == told
    assert told.seen == "yes"
    assert b"exposure" not in encode_record(plain_record())


@pytest.mark.parametrize(
    ("answers", "marks"),
    [
        ((), set()),
        (("no",), set()),
        (("no", "unknown"), {"exposure unknown"}),
        (("unknown", "yes"), {"seen test data"}),
    ],
)
def test_whatever_is_not_clean_has_a_mark(answers, marks):
    of = tuple(Exposure("extractors/net", "n", answer, "s") for answer in answers)
    record = plain_record(exposure=of) if of else plain_record()
    found = marks_of([SeedResult(0, "k", record, None)], control=False, elsewhere=False)
    assert set(found) & {"exposure unknown", "seen test data"} == marks


def test_predictions_made_elsewhere_are_unknown():
    found = marks_of([SeedResult(0, "k", plain_record(), None)], False, False, "predictions")
    assert "exposure unknown" in found


def test_the_declared_files_are_those_of_the_project():
    known = read_exposure(ROOT)
    assert len(known) >= 5
    assert all(answer.source for of in known.values() for answer in of.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[files.a]\nabout = "a"\nsha256 = "12"\nseen = {}\n', "64 digits"),
        (f'[files.a]\nabout = "a"\nsha256 = "{"A" * 64}"\nseen = {{}}\n', "small letters"),
        (
            f'[files.a]\nabout = "a"\nsha256 = "{"a" * 64}"\n[files.a.seen]\nddi = {{ answer = "no", source = "" }}\n',
            "no source",
        ),
        (
            f'[files.a]\nabout = "a"\nsha256 = "{"a" * 64}"\nseen.ddi = {{ answer = "perhaps", source = "x" }}\n',
            "answer",
        ),
    ],
)
def test_a_wrong_declaration_is_refused(text, words, tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "exposure.toml").write_text(text)
    with pytest.raises(BadSuiteFolder, match=words):
        read_exposure(tmp_path)


@pytest.mark.parametrize("name", plugin_ids(ROOT, "extractor"))
def test_what_an_extractor_says_of_itself_has_a_source(name):
    assert all(s.source for s in read_plugin(ROOT, "extractor", name).file.exposure.values())


def test_no_rank_stands_without_the_mark(make_record, entry, cell, settings):
    scores = {"I": 0.9, "VI": 0.9}
    clean = make_record(entry("none+erm"), 0, {t: v - 0.2 for t, v in scores.items()}, 0.7, False)
    best = make_record(entry("good+erm"), 0, scores, 0.9, False)
    best = msgspec.structs.replace(best, exposure=(Exposure("p", "f", "unknown", "s"),))
    board = leaderboard([cell(clean), cell(best)], settings)
    rows = {row.entry.method: row for row in board.tables[0].rows}
    assert rows["good"].exposure == "unknown"
    assert rows["none"].exposure == "no"
    for text in (render_markdown(board), render_latex(board)):
        (line,) = {line for line in text.splitlines() if "good + erm" in line and "[" in line}
        assert "exposure unknown" in line
    found = {
        line["method"]: line["exposure"] for line in csv.DictReader(io.StringIO(render_csv(board)))
    }
    assert found == {"good": "unknown", "none": "no"}


def test_an_entry_is_named_with_its_mark_in_sentences_and_on_the_pages_of_pairs_and_tasks(
    make_record, entry, cell, settings
):
    levels = {"none+erm": (0.45,) * 6, "good+erm": (0.95,) * 6}
    board = board_with_answers(make_record, entry, cell, settings)(levels)
    (claims,) = board.claims
    claims = replace(claims, table=unknown_of(claims.table, "good"))
    pairs = replace(claims.pairs, rows=tuple(unknown(r, "good") for r in claims.pairs.rows))
    other = replace(claims, table=replace(claims.table, task="phantom/other"))
    both = replace(
        board,
        tables=(claims.table, other.table),
        claims=(replace(claims, pairs=pairs), replace(other, pairs=pairs)),
    )
    name = "good + erm (resnet18) (exposure unknown)"
    lone = [
        replace(r, row=replace(r.row, control=True), tie_group=None)
        if r.row.entry.method == "none"
        else r
        for r in both.claims[0].rows
    ]
    judged = replace(both, claims=(replace(both.claims[0], rows=tuple(lone)), both.claims[1]))
    said = answer(judged, judged.tables[0])
    assert any(sentence.startswith(f"{name} is significantly better") for sentence in said)
    assert any(sentence.startswith(f"{name} has the best") for sentence in said)
    for files in (across_files, compare_files):
        ((_, (content,)),) = files(both, None)
        page = content.decode()
        assert name in page
        assert "none + erm (resnet18) (exposure" not in page


def unknown(row, method):
    marks = (*row.marks, "exposure unknown") if row.entry.method == method else row.marks
    return replace(row, marks=marks)


def unknown_of(table, method):
    return replace(table, rows=tuple(unknown(row, method) for row in table.rows))
